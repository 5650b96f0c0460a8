"""A terminal with somebody at it: a real pseudo-terminal, and an emulator that knows what is on the screen."""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte

from tests.setup.user import COMMAND, User

UP, DOWN, ENTER, CTRL_C = "\x1b[A", "\x1b[B", "\r", "\x03"
ROWS, COLUMNS = 50, 160
PATIENCE_S = 30.0
QUIET_S = 1.5


class _Screen(pyte.Screen):
    """Answers when the program asks where the cursor is, as terminals do."""

    def __init__(self, child: "pexpect.spawn[bytes]", columns: int) -> None:
        super().__init__(columns, ROWS)
        self._child = child

    def write_process_input(self, data: str) -> None:
        self._child.send(data)


class Terminal:
    """What a person sees and types."""

    def __init__(self, child: "pexpect.spawn[bytes]", columns: int = COLUMNS) -> None:
        self._child = child
        self._screen = _Screen(child, columns)
        self._stream = pyte.ByteStream(self._screen)
        self.everything = b""
        """All that was ever written, whether it is still on the screen or not."""

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display).strip()

    @property
    def chosen(self) -> str:
        """The line that the arrow points at."""
        (line,) = [line for line in self.text.splitlines() if line.lstrip().startswith("»")]
        return line.strip()[1:].strip()

    def see(self, words: str) -> None:
        """Wait until the words are on the screen."""
        deadline = time.monotonic() + PATIENCE_S
        while words not in self.text:
            assert time.monotonic() < deadline, f"never seen: {words!r}; the screen:\n{self.text}"
            assert self._read() or words in self.text, f"it ended without {words!r}; the screen:\n{self.text}"

    def settle(self) -> None:
        """Wait until nothing more is drawn: some programs draw a question anew, and forget what was chosen."""
        deadline = time.monotonic() + PATIENCE_S
        quiet_since, drawn = time.monotonic(), len(self.everything)
        while time.monotonic() - quiet_since < QUIET_S:
            assert time.monotonic() < deadline, f"it never stops drawing; the screen:\n{self.text}"
            assert self._read(), f"it ended; the screen:\n{self.text}"
            if len(self.everything) > drawn:
                quiet_since, drawn = time.monotonic(), len(self.everything)

    def press_until(self, key: str, words: str) -> None:
        """For a program that takes quick keys for pasted text, and an Enter among them for a part of it, or that draws
        a question before it takes an answer.
        """
        deadline = time.monotonic() + PATIENCE_S
        while words not in self.text:
            assert time.monotonic() < deadline, f"never seen: {words!r}; the screen:\n{self.text}"
            self.type(key)
            patience = time.monotonic() + 2
            while time.monotonic() < patience and words not in self.text:
                self._read()

    def type(self, *keys: str) -> None:
        for key in keys:
            self._child.send(key)

    def end(self) -> int:
        """Wait until the program has ended. Returns its exit code, as a shell would tell it."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read():
            assert time.monotonic() < deadline, f"it does not end; the screen:\n{self.text}"
        self._child.close()
        return int(self._child.exitstatus if self._child.exitstatus is not None else 128 + self._child.signalstatus)

    def _read(self) -> bool:
        """Take in what has been written. False once nothing more can come."""
        try:
            data = self._child.read_nonblocking(65536, timeout=0.2)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.everything += data
        self._stream.feed(data)
        return True


@contextmanager
def at_a_terminal(
    user: User,
    *arguments: str,
    command: Sequence[str] = COMMAND,
    cwd: Path | None = None,
    columns: int = COLUMNS,
    **env: str,
) -> Iterator[Terminal]:
    """Run a command at a terminal: one of ours, or another program."""
    child = pexpect.spawn(
        command[0],
        [*command[1:], *arguments],
        cwd=str(cwd or user.project),
        env=user.env | {"TERM": "xterm-256color", "LANG": "C.UTF-8"} | env,
        dimensions=(ROWS, columns),
    )
    try:
        yield Terminal(child, columns)
    finally:
        if child.isalive():  # as `close` would, but patient with a machine that has much to do
            child.kill(signal.SIGKILL)
            child.wait()
        child.close()
