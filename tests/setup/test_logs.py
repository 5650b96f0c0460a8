"""The log: its end, and what is added to it, whatever becomes of the file meanwhile."""

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.setup.logs import Tail
from tests.serving import wait_until
from tests.setup.user import COMMAND, User

MARK = "a line that only the test can have written"


@pytest.fixture
def log(user: User) -> Path:
    """The log of a proxy that ran."""
    user.write_settings()
    path = user.instances.log(user.file)
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"line {number}\n" for number in range(100)))
    return path


@contextmanager
def following(user: User, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [*COMMAND, "logs", "--follow", *arguments],
        cwd=user.project,
        env=user.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_the_end_of_the_log_is_told(user: User, log: Path) -> None:
    ran = user.run("logs", "--lines", "3", "--json")
    assert (ran.json["log"], ran.json["lines"]) == (str(log), ["line 97", "line 98", "line 99"])
    assert user.run("logs", "--lines", "2").stdout == "line 98\nline 99\n"


def test_the_end_reaches_back_over_a_log_that_was_just_turned_over(user: User, log: Path) -> None:
    log.rename(log.with_name(f"{log.name}.1"))
    log.write_text("line 100\n")
    assert user.run("logs", "--lines", "2").stdout == "line 99\nline 100\n"


def test_where_no_proxy_ever_ran_it_says_so(user: User) -> None:
    user.write_settings()
    for arguments in (["logs"], ["logs", "--follow"]):
        ran = user.run(*arguments)
        assert ran.code == 3
        assert "configure.py start" in ran.stderr


def test_what_has_no_end_is_no_object(user: User, log: Path) -> None:
    ran = user.run("logs", "--follow", "--json")
    assert (ran.code, ran.json["error"]["kind"]) == (2, "invalid_request")


def test_lines_are_shown_as_they_are_written_and_over_the_turning_over(user: User, log: Path) -> None:
    with following(user, "--lines", "1") as process:
        assert line_of(process) == "line 99"
        add(log, "the next\nhalf a ")
        assert line_of(process) == "the next"
        add(log, "line\n")
        log.rename(log.with_name(f"{log.name}.1"))
        log.write_text("and a new file\n")
        assert [line_of(process), line_of(process)] == ["half a line", "and a new file"]
        log.unlink()  # as `undo` may
        log.write_text("again\n")
        assert line_of(process) == "again"


def test_a_log_that_somebody_empties_is_read_from_its_beginning(user: User, log: Path) -> None:
    with following(user, "--lines", "1") as process:
        assert line_of(process) == "line 99"
        log.write_text("emptied\n")
        assert line_of(process) == "emptied"


@pytest.mark.skipif(sys.platform == "win32", reason="no process there can press Ctrl-C for another one")
def test_ctrl_c_ends_it_without_a_word(user: User, log: Path) -> None:
    with following(user) as process:
        assert line_of(process) == "line 50"
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=10)
        assert (process.returncode, complaint) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no head")
def test_a_reader_who_has_read_enough_ends_it_without_a_word(user: User, log: Path) -> None:
    with following(user) as process:
        assert line_of(process) == "line 50"
        assert process.stdout is not None
        process.stdout.close()
        add(log, f"{MARK}\n")
        assert process.wait(timeout=10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_waiting_for_lines_costs_next_to_nothing(user: User, log: Path) -> None:
    with following(user) as process:
        assert line_of(process) == "line 50"
        times = psutil.Process(process.pid).cpu_times
        before, began = times(), time.monotonic()
        wait_until(lambda: time.monotonic() - began > 2, "two seconds")
        spent = sum(times()[:2]) - sum(before[:2])
        assert spent < 0.2, "a busy loop would have spent all of the time"


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=12))
def test_no_line_is_lost_or_told_twice(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bool]]) -> None:
    """The handler of the proxy itself writes; between two looks it may turn the file over once, at any line."""
    log = tmp_path_factory.mktemp("log") / "proxy.log"
    handler = RotatingFileHandler(log, backupCount=1, encoding="utf-8")
    tail, written, told = Tail(log), 0, b""
    try:
        for count, turns_over in steps:
            for number in range(count):
                if turns_over and number == count // 2:
                    handler.doRollover()
                handler.emit(logging.makeLogRecord({"msg": f"řádek {written}"}))
                written += 1
            told += tail.read()
    finally:
        handler.close()
    assert told.decode().splitlines() == [f"řádek {number}" for number in range(written)]
