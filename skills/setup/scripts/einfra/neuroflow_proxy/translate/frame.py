"""What is the same in every plain chunk of an answer: the bytes around its text.

From one chunk to the next a provider changes nothing but the text, so once one chunk has been read, the others can be
known by their bytes: what stands between the same beginning and the same end is a piece of the same kind. A read full
of such chunks costs one split, and no JSON. Whatever is not exactly so is left to `reader.py`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Self

from ..fragments import Piece, ToolCall
from ..wire.codec import InvalidJSON, dumps, loads

Read = Callable[[bytes], Sequence[Piece] | None]

# What ends a JSON string, is written with a backslash in one, or must not stand in one at all.
_not_itself = re.compile(rb'["\\\x00-\x1f]').search
_PROBE = "probe"


class Frame:
    """The frame of chunks that are a piece like `like`, but for its text."""

    def __init__(self, like: Piece, before: bytes, after: bytes) -> None:
        """`before` and `after` are the chunk's bytes around its text, the quotes included."""
        self.kind: type[Piece] = type(like)
        self._like = like
        self._before = b"data: " + before
        self._after = after + b"\n\n"
        self._between = self._after + self._before
        self._start, self._end = len(self._before), -len(self._after)
        self._shortest = len(self._between)

    @classmethod
    def around(cls, chunk: bytes, piece: Piece, read: Read) -> Self | None:
        """The frame of a chunk that is `piece` and nothing else; None if its text cannot be found in it for certain.

        That it is the right place is proved by a probe: `read` must find it alone, if it is put there.
        JSON being what it is, any other string is then found there as well.
        """
        if isinstance(piece, ToolCall) and (piece.id or piece.name or not piece.arguments):
            return None  # the beginning of a call, which does not come again
        text = dumps(piece.arguments if isinstance(piece, ToolCall) else piece.text)
        if chunk.count(text) != 1:
            return None
        start, _, end = chunk.partition(text)
        before, after = start + b'"', b'"' + end
        found = read(before + _PROBE.encode() + after)
        if not found or [*map(type, found)] != [type(piece)] or found[0] != with_text(piece, _PROBE):
            return None
        return cls(piece, before, after)

    def piece_of(self, text: str) -> Piece:
        """The piece that a chunk with this text is."""
        return with_text(self._like, text)

    def text_in(self, data: bytes) -> str | None:
        """The text of whole events that hold such chunks and nothing else; None if there is anything else in `data`."""
        if not (data.startswith(self._before) and data.endswith(self._after) and len(data) >= self._shortest):
            return None
        text = data[self._start : self._end]
        if not _not_itself(text):
            # One event: in what is between two there are quotes.
            try:
                return text.decode()
            except UnicodeDecodeError:
                return None
        pieces = text.split(self._between)
        text = b"".join(pieces)
        if text.isascii() and not _not_itself(text):
            return text.decode("ascii")
        try:
            return "".join([loads(b'"%s"' % piece) for piece in pieces])
        except InvalidJSON:
            return None


def with_text(piece: Piece, text: str) -> Piece:
    """A copy of the piece with another text."""
    if isinstance(piece, ToolCall):
        return ToolCall(piece.slot, "", "", text)
    return type(piece)(text)
