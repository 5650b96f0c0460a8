"""What a person is told while a command works: lines, and something that moves for as long as they have to wait.

Where nobody watches, or on a terminal that cannot go back in its line, what is being done is said once, as a line.
"""

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

_FRAMES = "|/-\\"  # plain letters: consoles without Unicode show them as well
_FRAME_S = 0.1
_CLEAR = "\r\x1b[K"


class Voice:
    """Tells on one stream. `spell` is what becomes of all words before they are written."""

    def __init__(self, stream: TextIO, env: Mapping[str, str], spell: Callable[[str], str] = str) -> None:
        self._stream = stream
        self._spell = spell
        self._moves = stream.isatty() and env.get("TERM") != "dumb"
        self._lock = threading.Lock()
        self._is_moving = False

    def say(self, words: str) -> None:
        """One or more lines."""
        with self._lock:
            self._write((_CLEAR if self._is_moving else "") + self._spell(words) + "\n")

    @contextmanager
    def during(self, words: str) -> Iterator[None]:
        """Say what is being done, for as long as it is being done."""
        if not self._moves:
            self.say(words)
            yield
            return
        done = threading.Event()
        mover = threading.Thread(target=self._move, args=(self._spell(words), done), daemon=True)
        self._is_moving = True
        mover.start()
        try:
            yield
        finally:
            done.set()
            mover.join()
            self._is_moving = False
            self._write(_CLEAR)

    def _move(self, words: str, done: threading.Event) -> None:
        frame = 0
        while True:
            width = shutil.get_terminal_size().columns - 4  # a line that wraps could not be cleared
            shown = words if len(words) <= width else f"{words[: max(width - 3, 0)]}..."
            with self._lock:
                self._write(f"{_CLEAR}{_FRAMES[frame % len(_FRAMES)]} {shown}")
            if done.wait(_FRAME_S):
                return
            frame += 1

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
