"""Reading HTTP/1.1 responses with httptools."""

from collections.abc import Callable
from typing import Any

import httptools

from .http1 import MAX_HEAD_BYTES, Headers, Listener, MalformedResponse, cut_off, lengths

# What real servers send and other clients take: both lengths (RFC 9112, 6.3: chunked counts), chunk sizes that are
# padded, lines that end in LF. Each answer has a connection of its own until it ends, so none can be smuggled.
_LENIENT = {
    "lenient_chunked_length": True,
    "lenient_optional_cr_before_lf": True,
    "lenient_spaces_after_chunk_size": True,
}


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
