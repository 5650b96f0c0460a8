"""Reading HTTP/1.1 responses from bytes: with httptools where it is there, with h11 where not. Sans-io.

Both become one small interface, so that nobody else need know which of them it is. h11 comes with uvicorn and is
never missing; it reads some ten times slower, and is loaded only where it must be.
"""

from collections.abc import Callable
from typing import Any, Protocol

try:
    import httptools
except ImportError:
    httptools = None  # type: ignore[assignment]

Headers = list[tuple[bytes, bytes]]

# What real servers send and other clients take: both lengths (RFC 9112, 6.3: chunked counts), chunk sizes that are
# padded, lines that end in LF. Each answer has a connection of its own until it ends, so none can be smuggled.
_LENIENT = {
    "lenient_chunked_length": True,
    "lenient_optional_cr_before_lf": True,
    "lenient_spaces_after_chunk_size": True,
}

# Far beyond any real server's; without a bound a hostile one could fill the memory with headers.
MAX_HEAD_BYTES = 256 * 1024


class MalformedResponse(Exception):
    """What came is no HTTP response, or the connection ended before it did."""


class Listener(Protocol):
    """Who is told what was read, in this order: one head, any number of pieces of the body, one end."""

    def on_head(self, status: int, headers: Headers) -> None:
        """The final status and its headers; informational responses before it are not told."""

    def on_body(self, data: bytes) -> None:
        """A piece of the body, without its framing."""

    def on_end(self, may_be_reused: bool) -> None:
        """The response is whole; `may_be_reused` says whether the connection stays open for another."""


class ResponseParser(Protocol):
    """Reads one response."""

    def feed(self, data: bytes) -> None:
        """Take bytes as they came. Raises `MalformedResponse`."""

    def feed_eof(self) -> None:
        """The connection was closed. Raises `MalformedResponse` if the response was not whole."""


class HttptoolsParser:
    """`ResponseParser` with httptools, whose callbacks are this object's methods."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._status = 0
        self._headers: Headers = []
        self._head_bytes = 0
        self._lengths = 0
        self._has_ended = False
        self.on_body: Callable[[bytes], None] = listener.on_body
        self._parser: Any = httptools.HttpResponseParser(self)
        if hasattr(self._parser, "set_dangerous_leniencies"):  # from httptools 0.6.3 on
            self._parser.set_dangerous_leniencies(**_LENIENT)

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            # What a listener raises comes as the context of the parser's error.
            raise MalformedResponse(str(error.__context__ or error) or "not an HTTP response") from error

    def feed_eof(self) -> None:
        if self._has_ended:
            return
        if self._status < 200 or self._lengths:
            raise MalformedResponse(cut_off(self._status))
        self._has_ended = True
        self._listener.on_end(False)

    def on_message_begin(self) -> None:
        if self._has_ended:
            raise MalformedResponse("more than one response")
        self._headers = []
        self._head_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise MalformedResponse("the headers do not end")
        if self._status >= 200:  # a trailer, which says nothing of the body that was read
            return
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        if self._status >= 200:
            self._lengths = lengths(self._headers)
            self._listener.on_head(self._status, self._headers)

    def on_message_complete(self) -> None:
        if self._status >= 200:
            self._has_ended = True
            self._listener.on_end(self._parser.should_keep_alive() and self._lengths < 2)


def lengths(headers: Headers) -> int:
    """In how many ways a head says where its body ends. Behind one that says it twice, who knows what follows."""
    return len({name.lower() for name, _ in headers} & {b"content-length", b"transfer-encoding"})


def cut_off(status: int) -> str:
    """What to say of a response that ended too early; `status` is 0 if nothing of it had come."""
    return "the connection was closed before the answer was whole" if status else "the server gave no answer"


def response_parser(listener: Listener) -> ResponseParser:
    """The faster of the two."""
    if httptools is not None:
        return HttptoolsParser(listener)
    from .http1_h11 import H11Parser

    return H11Parser(listener)
