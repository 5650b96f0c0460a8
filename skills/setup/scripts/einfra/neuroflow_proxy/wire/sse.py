"""Server-sent events, in both directions, on bytes.

The decoder follows the HTML standard's event stream (§9.2.6) with the leniency that real providers need: a stream may
end without the last blank line, and a JSON text that stands where an event stream was expected is handed out as one
event. Lines end at LF, CR or CRLF only: `str.splitlines` (and httpx's `aiter_lines`) also cut at U+2028, U+2029,
U+0085 and others, which JSON may carry raw.
"""

from .codec import dumps

_BOM = b"\xef\xbb\xbf"
_LF, _CR = b"\n\r"  # looked for as numbers, which takes a third of the time

# No answer of a real provider comes near it; without a limit one endless line would take all memory.
MAX_EVENT_BYTES = 64 * 1024 * 1024


Event = tuple[str, bytes]
"""One event: the `event:` field ("" if there was none) and the joined `data:` lines."""


class EventTooLong(ValueError):
    """One event is longer than `MAX_EVENT_BYTES`."""


class SSEDecoder:
    """Bytes in, events out; where the bytes are cut makes no difference."""

    def __init__(self) -> None:
        self._buffer = bytearray()  # the unfinished line
        self._buffered_before = 0  # how far the unfinished line has been searched for its end
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0
        self._started = False
        self._after_cr = False

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes as they came; return the events that are complete now."""
        whole = self.take_whole(data)
        return self._any_events(data) if whole is None else self.events_in(whole)

    def take_whole(self, data: bytes) -> bytes | None:
        """Take bytes as they came; return those of the events that are complete now, for `events_in`.

        None where nothing is complete, and where lines do not end as in nearly all streams. Then nothing was taken:
        `feed` does that.
        """
        if self._after_cr or self._data or self._name:
            return None
        if not (self._started or (not self._buffer and data.startswith(b"data: "))):
            return None
        if not self._buffer and data.endswith(b"\n\n"):
            self._hold(b"")
            return data
        whole, end, rest = data.rpartition(b"\n\n")
        if not end or _LF in rest or _CR in rest:
            return None
        whole = bytes(self._buffer) + whole + end
        self._hold(rest)
        return whole

    def events_in(self, whole: bytes) -> list[Event]:
        """The events in what `take_whole` has returned last."""
        events = _plain_events(whole)
        if events is None:
            rest = bytes(self._buffer)
            self._hold(b"")
            events = self._any_events(whole)
            self._hold(rest)
        return events

    def _hold(self, rest: bytes) -> None:
        """The next event begins with `rest`, in which no line ends."""
        self._started = True
        self._buffer[:] = rest
        self._buffered_before = len(rest)

    def _any_events(self, data: bytes) -> list[Event]:
        """What `feed` returns, whatever comes."""
        buffer = self._buffer
        buffer += data
        if not self._started:
            if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
                return []
            self._started = True
            if buffer.startswith(_BOM):
                del buffer[: len(_BOM)]
        if self._after_cr and buffer:
            self._after_cr = False
            if buffer[0] == _LF:
                del buffer[0]
        searched = self._buffered_before
        if buffer.find(b"\n", searched) < 0 and buffer.find(b"\r", searched) < 0:
            self._buffered_before = len(buffer)
            if self._size + len(buffer) > MAX_EVENT_BYTES:
                raise EventTooLong(f"an event of the stream is longer than {MAX_EVENT_BYTES} bytes")
            return []
        # bytes.splitlines knows exactly LF, CR and CRLF.
        self._after_cr = buffer.endswith(b"\r")
        lines = bytes(buffer).splitlines(keepends=True)
        buffer.clear()
        self._buffered_before = 0
        if not lines[-1].endswith((b"\n", b"\r")):
            buffer += lines.pop()
            self._buffered_before = len(buffer)
        events: list[Event] = []
        for line in lines:
            self._line(line.rstrip(b"\r\n"), events)
        return events

    def finish(self) -> list[Event]:
        """The stream ended: return what an unfinished last event holds."""
        events: list[Event] = []
        if self._buffer:
            self._line(bytes(self._buffer), events)
            self._buffer.clear()
        self._line(b"", events)
        return events

    def _line(self, line: bytes, events: list[Event]) -> None:
        if not line:
            if self._data:
                events.append((self._name, b"\n".join(self._data)))
            self._name, self._data, self._size = "", [], 0
            return
        field, _, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if field == b"data":
            if self._data and self._is_whole(value):
                # Some providers forget the blank line between events; every payload is JSON of one line, so a
                # data line that begins a new object after a complete one is the next event.
                self._line(b"", events)
            self._data.append(value)
            self._size += len(value)
            if self._size > MAX_EVENT_BYTES:
                raise EventTooLong(f"an event of the stream is longer than {MAX_EVENT_BYTES} bytes")
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")

    def _is_whole(self, value: bytes) -> bool:
        return value.startswith((b'{"', b"[DONE]")) and self._data[-1].endswith(b"}") and self._data[0].startswith(b"{")


def _plain_events(data: bytes) -> list[Event] | None:
    """Whole events, at a fifth of the cost, where all are as nearly all servers send them: of one `data: ` line, ended
    by two LF. None where any is not.
    """
    if not data.startswith(b"data: ") or _CR in data or len(data) > MAX_EVENT_BYTES:
        return None
    lines = data[6:-2].split(b"\n\ndata: ")
    return None if _LF in b"".join(lines) else [("", line) for line in lines]


def encode_event(name: str, data: object) -> bytes:
    """Format one event whose data is JSON (which holds no raw line end)."""
    return b"event: " + name.encode() + b"\ndata: " + dumps(data) + b"\n\n"
