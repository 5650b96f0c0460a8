"""However a proxy ends and whatever happens to its files: they stay valid, `status` tells the truth, one `start` mends.

Killing at every single change of set-up, undo, switch and restart is in `tests/setup/test_killed.py`.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from neuroflow_proxy.demo.provider import DEMO_KEY, DemoProvider
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.server.idle import Idle
from neuroflow_proxy.setup import instance
from tests.live import call, free_port, started
from tests.serving import wait_until
from tests.setup.user import COMMAND, User, is_alive, somebody

ASK = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
only_posix = pytest.mark.skipif(sys.platform == "win32", reason="limits and signals of other systems")


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    with somebody(tmp_path) as user:
        user.write_settings()
        yield user


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def is_served(user: User) -> bool:
    section = user.section
    url = f"http://127.0.0.1:{section['proxy_port']}/v1/messages"
    return httpx.post(url, json=ASK, headers={"x-api-key": section["proxy_token"]}, timeout=30).status_code == 200


def kill(user: User) -> int:
    (record,) = user.records
    assert record.pid is not None
    psutil.Process(record.pid).kill()
    wait_until(lambda: not is_alive(record.pid or 0), "it is dead")
    return record.port


def assert_one_start_mends(user: User) -> None:
    told = user.run("status", "--json").json
    assert told["running"] is False
    ran = user.run("start", "--json")
    assert ran.code == 0, ran.stdout + ran.stderr
    assert ran.json["running"] is True
    assert is_served(user)


def test_a_crash_is_told_and_one_start_mends_it(user: User) -> None:
    user.start()
    kill(user)
    assert_one_start_mends(user)


def test_a_port_that_somebody_took_meanwhile_is_left_to_them(user: User) -> None:
    assert user.run("start", "--port", str(free_port())).code == 0
    port = kill(user)
    with contextlib.ExitStack() as stranger:

        def is_taken() -> bool:
            """Its last threads may hold it for some milliseconds more."""
            with contextlib.suppress(OSError):
                stranger.enter_context(socket.create_server(("127.0.0.1", port)))
                return True
            return False

        wait_until(is_taken, "somebody else has the port")
        assert_one_start_mends(user)
        assert user.section["proxy_port"] != port


@pytest.mark.parametrize("left", [0, 1, 40], ids=["nothing", "one byte", "a part"])
def test_a_power_cut_that_leaves_a_part_of_the_record_is_mended_by_one_start(user: User, left: int) -> None:
    """Files are replaced as a whole; a file system may still lose what it had promised to keep."""
    user.start()
    (path,) = user.state.glob("*.json")
    kill(user)
    path.write_bytes(path.read_bytes()[:left])
    assert_one_start_mends(user)


@only_posix
@pytest.mark.parametrize("verb", [["start"], ["use", "glm-5.2"], ["setup", "--yes", "--no-proof"]], ids=lambda v: v[0])
def test_a_full_disk_is_told_in_words_and_leaves_every_file_as_it_was(user: User, verb: list[str]) -> None:
    before = files_of(user.project)
    full = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *COMMAND, *verb, "--json"]
    ended = subprocess.run(
        full, cwd=user.project, env=user.env, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode not in (0, 1), ended.stderr
    assert "Traceback" not in ended.stderr
    assert files_of(user.project) == before
    assert_one_start_mends(user)


@only_posix
def test_a_home_that_cannot_be_written_is_told_in_words(user: User) -> None:
    nowhere = user.home / "a file"
    nowhere.write_text("where a folder should be")
    ran = user.run("start", "--json", XDG_STATE_HOME=str(nowhere))
    assert ran.code not in (0, 1), ran.stderr
    assert "Traceback" not in ran.stderr
    assert user.run("status", "--json", XDG_STATE_HOME=str(nowhere)).json["running"] is False
    assert_one_start_mends(user)


@only_posix
def test_a_log_that_can_grow_no_more_stops_nobody(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "proxy.log"
    with running(DemoProvider(limits=None)) as base_url:
        env = {"OPENAI_API_KEY": DEMO_KEY, "OPENAI_BASE_URL": base_url, "NEUROFLOW_PROXY_LOG": str(log)}
        env |= {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        command = ["sh", "-c", 'ulimit -f 2; exec "$@"', "sh", *COMMAND, "serve", "--port", str(port)]
        with started(command, cwd=tmp_path, env=env | {"HOME": str(tmp_path)}, port=port, log=tmp_path / "out") as url:
            for _ in range(20):
                assert call(f"{url}/v1/messages", ASK)[0] == 200
    assert log.stat().st_size <= 2048


def test_a_clock_that_was_set_meanwhile_does_not_make_a_proxy_a_stranger(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux reckons a process's start from the clock, so that it moves with it."""
    record = user.start().record
    began, boot = psutil.Process.create_time, psutil.boot_time()
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: began(process) + 3600)
    monkeypatch.setattr(psutil, "boot_time", lambda: boot + 3600)
    assert user.instances.running(user.file) == record
    assert user.instances.stop(user.file)
    assert not is_alive(record.pid or 0)


def test_idleness_is_time_without_requests_and_looking_is_no_request() -> None:
    now = 0.0
    minutes: int | None = 10

    async def app(*_: Any) -> None:
        nonlocal now
        now += 60 * 30  # a long answer

    idle = Idle(app, lambda: minutes, lambda: now)

    def ask(path: str) -> None:
        with pytest.raises(StopIteration):
            idle({"type": "http", "path": path}, None, None).send(None)  # type: ignore[arg-type]

    ask("/v1/messages")
    assert not idle.is_over, "it has ended only now"
    now += 599
    assert not idle.is_over
    ask("/healthz")
    assert idle.is_over
    minutes = None
    assert not idle.is_over, "nobody has asked for it"


HASTY = """
import sys, time
from neuroflow_proxy.server import idle, run
from neuroflow_proxy.settings import load_settings

class Hasty(idle.Idle):
    def __init__(self, app, minutes):
        super().__init__(app, minutes, lambda: time.monotonic() * 100)

run.Idle, run.IDLE_CHECK_S = Hasty, 0.1
sys.exit(run.serve(load_settings(), host="127.0.0.1", port=int(sys.argv[1])))
"""


def test_a_proxy_that_is_to_end_when_idle_ends_and_not_before(user: User) -> None:
    port = free_port()
    user.file.write_text(user.file.read_text("utf-8").replace('"base_url"', '"idle_minutes": 2, "base_url"'), "utf-8")
    env = user.env | {"NEUROFLOW_PROXY_INTEGRATIONS": str(user.file)}
    with subprocess.Popen([sys.executable, "-c", HASTY, str(port)], env=env, cwd=user.project) as process:
        try:
            wait_until(lambda: process.poll() is not None or not instance.is_free(port), "it listens", 20)
            headers = {"x-api-key": user.section["proxy_token"]}
            url = f"http://127.0.0.1:{port}"
            until = time.monotonic() + 2.5  # of its own minutes, four
            while time.monotonic() < until:
                assert httpx.get(f"{url}/v1/models", headers=headers).status_code == 200
                time.sleep(0.1)
            wait_until(lambda: process.poll() is not None, "it has ended", 20)
            assert process.returncode == 0
        finally:
            process.kill()


def test_undo_leaves_no_trace(tmp_path: Path) -> None:
    with somebody(tmp_path) as user:
        before = files_of(user.home)
        assert user.set_up("--connect", "settings", "--no-proof", "--model", "kimi-k2.5").code == 0
        assert is_served(user)
        assert user.run("restart", PROXY_DEBUG="1").code == 0
        assert is_served(user)
        assert user.run("undo", "--json").code == 0
        assert files_of(user.home) == before
        assert sys.platform == "win32" or not user.state.exists()
