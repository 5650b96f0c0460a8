"""A grammar at work on a block of arriving text, and that text, in case that it is text after all."""

from collections.abc import Callable
from typing import Any

from .source import Refuted, Source, Steps

# The largest call that is waited for. Nothing that a model can write in one answer comes near it.
MAX_BLOCK = 1 << 20

Then = Callable[[Any, "Block"], None]
"""Called with what the grammar found, and its block."""


class Block:
    """Feeds a grammar. `opening` is how much of the block is text for certain, if the grammar is refuted."""

    def __init__(self, source: Source, steps: Steps[Any], then: Then, *, opening: int) -> None:
        self.source = source
        self.opening = opening
        self.then = then
        self._text = source.text
        self._start = source.position
        self._steps = steps
        self._pieces: list[str] = []
        self._waiting: list[str] = []
        self._wake = ""
        self._length = len(self._text) - self._start

    def add(self, piece: str) -> bool:
        """Take more text; whether the grammar can go on with it."""
        self._waiting.append(piece)
        return not self._wake or any(character in piece for character in self._wake)

    def advance(self) -> None:
        """Let the grammar read on. Raises `StopIteration` with what it found, or `Refuted`."""
        if self._waiting:
            piece = "".join(self._waiting)
            self._waiting.clear()
            self._pieces.append(piece)
            self._length += len(piece)
            self.source.feed(piece)
        self._wake = next(self._steps)
        if self.source.has_ended or self.consumed > MAX_BLOCK:
            self._steps.close()
            raise Refuted

    @property
    def consumed(self) -> int:
        """How much the grammar has read."""
        return self._length - (len(self.source.text) - self.source.position)

    @property
    def read(self) -> str:
        """What the grammar has read."""
        text, start = self.whole()
        return text[start : start + self.consumed]

    @property
    def everything(self) -> str:
        """All of the block's text, read or not."""
        text, start = self.whole()
        return "".join([text[start:], *self._waiting])

    def whole(self) -> tuple[str, int]:
        """A text, and where in it the block begins."""
        if not self._pieces:
            return self._text, self._start
        return "".join([self._text[self._start :], *self._pieces]), 0
