"""What people see while they wait."""

import io
import sys
import time

import pytest

from neuroflow_proxy.setup.voice import Voice


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def seen(stream: io.StringIO) -> str:
    """What is left to be read once everything that was taken back is gone."""
    return "\n".join(line.rpartition("\x1b[K")[2].strip("\r") for line in stream.getvalue().split("\n"))


@pytest.mark.parametrize(
    ("stream", "env"), [(io.StringIO(), {}), (Screen(), {"TERM": "dumb"})], ids=["no terminal", "dumb terminal"]
)
def test_where_nothing_can_move_it_is_said_once(stream: io.StringIO, env: dict[str, str]) -> None:
    with Voice(stream, env).during("Asking."):
        pass
    assert stream.getvalue() == "Asking.\n"


def test_on_a_terminal_it_moves_and_is_gone_afterwards() -> None:
    stream = Screen()
    with Voice(stream, {}).during("Asking."):
        deadline = time.monotonic() + 10
        while not all(f"{frame} Asking." in stream.getvalue() for frame in "|/-"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert seen(stream) == ""


def test_what_is_said_meanwhile_stays() -> None:
    stream = Screen()
    voice = Voice(stream, {})
    with voice.during("Starting."):
        voice.say("Port 4001 is taken.")
    voice.say("Done.")
    assert seen(stream) == "Port 4001 is taken.\nDone.\n"


def test_it_is_gone_after_a_failure_too() -> None:
    stream = Screen()
    with pytest.raises(KeyboardInterrupt), Voice(stream, {}).during("Asking."):
        raise KeyboardInterrupt
    assert seen(stream) == ""


def test_a_line_that_would_wrap_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = Screen()
    with Voice(stream, {}).during("Asking https://llm.example.org/v1 for its models."):
        pass
    shown = [piece for piece in stream.getvalue().replace("\r", "").split("\x1b[K") if piece]
    assert shown
    assert all(len(piece) < 20 for piece in shown)


def test_words_are_spelt_before_they_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    Voice(sys.stderr, {}, str.upper).say("run it")
    assert capsys.readouterr().err == "RUN IT\n"
