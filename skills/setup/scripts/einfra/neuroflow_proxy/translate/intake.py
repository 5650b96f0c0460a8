"""The provider's bytes in, fragments out: an event stream, however it is cut, or one JSON body.

bytes ─▶ wire/sse ─▶ frame or reader ─▶ fragments
"""

from collections.abc import Sequence

from ..fragments import Failure, Fragment, Reasoning, Text, ToolCall
from ..wire.codec import InvalidJSON, loads
from ..wire.sse import Event, SSEDecoder
from .frame import Frame
from .reader import ChunkReader

CUT_OFF = Failure({"type": "cut_off", "message": "the provider's answer broke off before its end"})
_BAD_CHUNK = Failure({"type": "bad_chunk", "message": "the provider sent a chunk that is not JSON"})
# How often, in answers in which it never helps, a frame is looked for.
_MOST_FRAMES = 16


class Intake:
    """Reads the bytes of one answer, in order: `feed` until `is_over` or the bytes end, then `finish`."""

    def __init__(self) -> None:
        self.is_over = False
        """The provider said that nothing more comes."""
        self._decoder = SSEDecoder()
        self._reader = ChunkReader()
        self._frame: Frame | None = None
        self._frames_left = _MOST_FRAMES
        self._body: bytearray | None = None  # the answer so far, where it is no event stream
        self._is_sniffed = False
        self._head = b""

    def feed(self, data: bytes) -> Sequence[Fragment]:
        """Bytes as they came from the network."""
        if not self._is_sniffed:
            data = self._sniff(data)
        if self._body is not None:
            self._body += data
            return ()
        whole = self._decoder.take_whole(data)
        if whole is None:
            return self._read_events(self._decoder.feed(data))
        framed = self._read_by_frame(whole)
        return self._read_events(self._decoder.events_in(whole)) if framed is None else framed

    def finish(self) -> Sequence[Fragment]:
        """The bytes are at their end: what could not be read before, and what came in place of an answer."""
        if not self._is_sniffed:
            self._is_sniffed = True
            self._body = bytearray(self._head)
        fragments: Sequence[Fragment] = ()
        if self._body is not None:
            fragments = self._read_body(bytes(self._body))
        elif not self.is_over:
            fragments = self._read_events(self._decoder.finish())
        stray = self._reader.stray
        return fragments if stray is None else (*fragments, Failure(stray))

    def grown_arguments(self) -> Sequence[Fragment]:
        """Of an answer that is whole: arguments of calls that came as objects, and may have grown until now."""
        return self._reader.finish()

    def _sniff(self, data: bytes) -> bytes:
        """Tell an event stream from a JSON body or a page of HTML by its first byte; content types lie."""
        if not self._head and data.startswith(b"data:"):
            self._is_sniffed = True
            return data
        self._head += data
        start = self._head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if not start:
            return b""
        self._is_sniffed = True
        if start[:1] in (b"{", b"[", b"<"):
            self._body = bytearray()
        data, self._head = self._head, b""
        return data

    def _read_body(self, body: bytes) -> Sequence[Fragment]:
        try:
            answer = loads(body)
        except InvalidJSON:
            # A page of HTML says what went wrong; half a JSON body is an answer that was cut.
            is_page = body.lstrip().startswith(b"<")
            return (Failure(body.decode("utf-8", "replace")) if is_page else CUT_OFF,)
        self.is_over = isinstance(answer, dict)
        return self._reader.feed(answer)

    def _read_events(self, events: Sequence[Event]) -> Sequence[Fragment]:
        """Read what arrived together, so that it is passed on together."""
        if not events:
            return ()
        fragments: list[Fragment] = []
        last: Sequence[Fragment] = ()
        for name, data in events:
            if self.is_over:
                break
            last = self._read_event(name, data)
            fragments += last
        self._frame = None
        if self._frames_left and len(last) == 1 and isinstance(last[0], (Text, Reasoning, ToolCall)):
            self._frames_left -= 1
            self._frame = Frame.around(events[-1][1], last[0], self._reader.plain_pieces)
        return fragments

    def _read_event(self, name: str, data: bytes) -> Sequence[Fragment]:
        if data.strip() == b"[DONE]":
            self.is_over = True
            return ()
        try:
            return self._reader.read(data) if name != "error" else (Failure(loads(data)),)
        except InvalidJSON:
            # An event stream is UTF-8, and what is not is replaced: some servers cut a character between two chunks.
            as_text = data.decode("utf-8", "replace").encode()
            if as_text != data:
                return self._read_event(name, as_text)
            return (_BAD_CHUNK,) if data.lstrip().startswith(b"{") else ()  # else a keep-alive in words

    def _read_by_frame(self, whole: bytes) -> Sequence[Fragment] | None:
        """Read chunks that are like the last one but for their text; None if these are not such, or not all."""
        if self._frame is None:
            return None
        text = self._frame.text_in(whole)
        if text is None:
            return None
        self._frames_left = _MOST_FRAMES
        if not text:
            return ()
        piece = self._frame.piece_of(text)
        self._reader.hear(piece)
        return (piece,)
