"""Reading an HTTP/1.1 response from bytes: what a parser takes and tells, whichever library it is made of. Sans-io.

There are two: `http1_httptools.py`, and `http1_h11.py` for where httptools is not installed. h11 comes with uvicorn and
is never missing; it reads some ten times slower.
"""

from typing import Protocol

Headers = list[tuple[bytes, bytes]]

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


def lengths(headers: Headers) -> int:
    """In how many ways a head says where its body ends. Behind one that says it twice, who knows what follows."""
    return len({name.lower() for name, _ in headers} & {b"content-length", b"transfer-encoding"})


def cut_off(status: int) -> str:
    """What to say of a response that ended too early; `status` is 0 if nothing of it had come."""
    return "the connection was closed before the answer was whole" if status else "the server gave no answer"
