"""What is the same in every plain chunk of an answer: the bytes around its text.

From one chunk to the next a provider changes nothing but the text, so once one chunk has been read, the others can be
known by their bytes: what stands between the same beginning and the same end is a piece of the same kind. A read full
of such chunks costs one split, and no JSON. Whatever is not exactly so is left to `reader.py`.
"""

import re
from collections.abc import Callable
from typing import Self

from ..fragments import Reasoning, Text
from ..wire.codec import InvalidJSON, dumps, loads

Piece = Text | Reasoning
Read = Callable[[bytes], Piece | None]

# What ends a JSON string, is written with a backslash in one, or must not stand in one at all.
_NOT_ITSELF = re.compile(rb'["\\\x00-\x1f]')
_PROBE = "probe"


class Frame:
    """The frame of chunks that are a piece of `kind`."""

    def __init__(self, kind: type[Piece], before: bytes, after: bytes) -> None:
        """`before` and `after` are the chunk's bytes around its text, the quotes included."""
        self.kind = kind
        self._before = b"data: " + before
        self._after = after + b"\n\n"
        self._between = self._after + self._before

    @classmethod
    def around(cls, chunk: bytes, piece: Piece, read: Read) -> Self | None:
        """The frame of a chunk that `read` has read as `piece`; None if its text cannot be found in it for certain.

        That it is the right place is proved by a probe: `read` must find it, if it is put there. JSON being what it is,
        any other string is then found there as well.
        """
        text = dumps(piece.text)
        if chunk.count(text) != 1:
            return None
        start, _, end = chunk.partition(text)
        before, after = start + b'"', b'"' + end
        if read(before + _PROBE.encode() + after) != type(piece)(_PROBE):
            return None
        return cls(type(piece), before, after)

    def text_in(self, data: bytes) -> str | None:
        """The text of whole events that hold such chunks and nothing else; None if there is anything else in `data`."""
        if not (data.startswith(self._before) and data.endswith(self._after)):
            return None
        pieces = data[len(self._before) : -len(self._after)].split(self._between)
        text = b"".join(pieces)
        if text.isascii() and not _NOT_ITSELF.search(text):
            return text.decode("ascii")
        try:
            return "".join([loads(b'"%s"' % piece) for piece in pieces])
        except InvalidJSON:
            return None
