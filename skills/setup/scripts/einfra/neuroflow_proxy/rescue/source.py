"""Text that is still arriving, read by a grammar at its own pace.

A grammar is a generator: it takes what it expects from a `Source` and is suspended while that has not arrived yet. What
it yields is when to wake it: the characters of which one must come before going on makes sense ("" for any). A grammar
that meets something else than it expects raises `Refuted`, one whose text ends too early `CutOff`. Nothing is read
twice: positions are kept across suspensions, so a block takes time in proportion to its length however it is cut.
"""

import re
from collections.abc import Generator
from typing import TypeVar

_T = TypeVar("_T")
Steps = Generator[str, None, _T]
"""A step of a grammar: yields wake characters, returns what it read."""

_SPACE = re.compile(r"\s*")


class Refuted(Exception):
    """The text is not what the grammar describes."""


class CutOff(Refuted):
    """The text ended before the grammar did."""


class Unfinished(CutOff):
    """The text ended inside a value, in which anything may stand, also what looks like another call."""


class Source:
    """A cursor over `text` from `start` on, to which more may be added.

    `is_fresh`: nothing that the user sees was said before. `is_line_start`: only white space stands before it on its
    line.
    """

    def __init__(self, text: str, start: int, *, is_fresh: bool = False, is_line_start: bool = False) -> None:
        self.text = text
        self.position = start
        self.is_fresh = is_fresh
        self.is_line_start = is_line_start
        self.has_ended = False
        self.was_cut = False
        """The text ended because of a limit or a fault, not because the model was done."""

    def feed(self, piece: str) -> None:
        """Add text; what was read before is let go."""
        self.text = self.text[self.position :] + piece
        self.position = 0

    def end(self, *, was_cut: bool) -> None:
        self.has_ended = True
        self.was_cut = was_cut

    def unread(self, taken: str) -> None:
        """Put back what was taken last."""
        before = self.position - len(taken)
        if before >= 0 and self.text.startswith(taken, before):
            self.position = before
        else:  # more text came in between
            self.text = taken + self.text[self.position :]
            self.position = 0

    def more(self, wake: str = "") -> Steps[None]:
        """Wait for more text."""
        if self.has_ended:
            raise CutOff
        yield wake

    def peek(self) -> Steps[str]:
        """The next character, not taken; "" at the end of the text."""
        while self.position == len(self.text):
            if self.has_ended:
                return ""
            yield ""
        return self.text[self.position]

    def space(self) -> Steps[str]:
        """Take white space."""
        taken = []
        while True:
            end = _SPACE.match(self.text, self.position).end()  # type: ignore[union-attr]
            taken.append(self.text[self.position : end])
            self.position = end
            if end < len(self.text) or self.has_ended:
                return "".join(taken)
            yield ""

    def accept(self, *literals: str) -> Steps[str]:
        """Take the first of the literals that stands here; "" if none does. None may be the beginning of another."""
        while True:
            for literal in literals:
                if self.text.startswith(literal, self.position):
                    self.position += len(literal)
                    return literal
            rest = self.text[self.position : self.position + 64]
            if self.has_ended or not any(literal.startswith(rest) for literal in literals):
                return ""
            yield ""

    def expect(self, *literals: str) -> Steps[str]:
        """Like `accept`, but one of them must stand here."""
        found = yield from self.accept(*literals)
        if not found:
            raise CutOff if self.has_ended and self.position == len(self.text) else Refuted
        return found

    def until(
        self, pattern: re.Pattern[str], longest: int, *, wake: str = "", limit: int = 0
    ) -> Steps[tuple[str, str]]:
        """Take everything up to and with the pattern: what stood before it, and what matched.

        `longest` is the most that the pattern can match or look at; `limit` the most that may stand before it.
        """
        taken: list[str] = []
        length = 0
        while True:
            last = self.position + limit - length + longest if limit else len(self.text)
            found = pattern.search(self.text, self.position, last)
            end = found.start() if found else max(self.position, min(len(self.text), last) - longest)
            taken.append(self.text[self.position : end])
            length += end - self.position
            self.position = end
            if limit and length >= limit:
                raise Refuted
            if found:
                self.position = found.end()
                return "".join(taken), found.group()
            yield from self.more(wake)

    def word(self, stop: re.Pattern[str], limit: int) -> Steps[str]:
        """Take what stands before the pattern (one character), which stays; at most `limit` characters."""
        while True:
            last = min(len(self.text), self.position + limit + 1)
            found = stop.search(self.text, self.position, last)
            end = found.start() if found else last
            if end - self.position > limit:
                raise Refuted
            if found or self.has_ended:
                word = self.text[self.position : end]
                self.position = end
                return word
            yield ""
