"""Responses read from bytes, by both parsers alike."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.provider import http1
from neuroflow_proxy.provider.http1 import Headers, Listener, MalformedResponse, ResponseParser
from neuroflow_proxy.provider.http1_h11 import H11Parser

PARSERS: list[Callable[[Listener], ResponseParser]] = [H11Parser]
try:
    from neuroflow_proxy.provider.http1_httptools import HttptoolsParser
except ImportError:
    pass
else:
    PARSERS.append(HttptoolsParser)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Here: yes\r\n\r\n5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"
SIZED = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello"
UNTIL_EOF = b"HTTP/1.0 200 OK\r\n\r\nhello"
AFTER_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n" + SIZED


@dataclass
class Heard:
    """What a parser has told."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    may_be_reused: bool | None = None

    def on_head(self, status: int, headers: Headers) -> None:
        assert not self.status, "two heads"
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_end(self, may_be_reused: bool) -> None:
        assert self.may_be_reused is None, "two ends"
        self.may_be_reused = may_be_reused


def read(parser: type, *pieces: bytes, eof: bool = False) -> Heard:
    heard = Heard()
    reading = parser(heard)
    for piece in pieces:
        reading.feed(piece)
    if eof:
        reading.feed_eof()
    return heard


@pytest.mark.parametrize("parser", PARSERS)
@given(data=st.data(), response=st.sampled_from([CHUNKED, SIZED, AFTER_CONTINUE]))
def test_where_the_bytes_are_cut_makes_no_difference(parser: type, data: st.DataObject, response: bytes) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(response)), max_size=5)))
    pieces = [response[a:b] for a, b in zip([0, *cuts], [*cuts, len(response)], strict=True) if a < b]
    heard = read(parser, *pieces)
    assert heard == read(parser, response)
    assert heard.may_be_reused is True
    assert heard.body in (b"hello", b"hello, world")


@pytest.mark.parametrize("parser", PARSERS)
def test_the_headers_are_told_as_they_came(parser: type) -> None:
    assert read(parser, CHUNKED).headers[b"x-here"] == b"yes"


@pytest.mark.parametrize("parser", PARSERS)
def test_an_informational_response_is_passed_over(parser: type) -> None:
    assert read(parser, AFTER_CONTINUE).status == 201


@pytest.mark.parametrize("parser", PARSERS)
def test_a_body_without_a_length_ends_with_the_connection_which_is_then_of_no_more_use(parser: type) -> None:
    heard = read(parser, UNTIL_EOF, eof=True)
    assert (heard.body, heard.may_be_reused) == (b"hello", False)


@pytest.mark.parametrize("parser", PARSERS)
def test_a_server_that_wants_to_close_is_believed(parser: type) -> None:
    closing = SIZED.replace(b"Content-Length", b"Connection: close\r\nContent-Length")
    assert read(parser, closing).may_be_reused is False


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("length", [0, 20, len(CHUNKED) - 1])
def test_a_connection_that_is_closed_too_early_is_told(parser: type, length: int) -> None:
    with pytest.raises(MalformedResponse, match="answer"):
        read(parser, *filter(None, [CHUNKED[:length]]), eof=True)


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    "response",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        SIZED + SIZED,
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 2 * http1.MAX_HEAD_BYTES + b"\r\n\r\n",
    ],
    ids=["another protocol", "a broken chunk", "two responses", "endless headers"],
)
def test_what_is_no_single_response_is_refused(parser: type, response: bytes) -> None:
    heard = Heard()
    reading = parser(heard)
    pieces = [response[start : start + 1000] for start in range(0, len(response), 1000)]
    with pytest.raises(MalformedResponse):
        list(map(reading.feed, [*pieces, b"more"]))


TWO_LENGTHS = CHUNKED.replace(b"Transfer-Encoding", b"Content-Length: 5\r\nTransfer-Encoding")


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    "response",
    [
        TWO_LENGTHS,
        CHUNKED.replace(b"chunked\r\n", b"chunked\r\nContent-Length: 5\r\n"),
        CHUNKED.replace(b"\r\n5\r\n", b"\r\n5  \r\n").replace(b"\r\n7\r\n", b"\r\n7 \r\n"),
        CHUNKED.replace(b"\r\n0\r\n", b"\r\n0\r\nContent-Length: 3\r\n"),
    ],
    ids=["two lengths", "two lengths, the other first", "padded chunk sizes", "a length in the trailers"],
)
def test_what_real_servers_send_is_read(parser: type, response: bytes) -> None:
    assert read(parser, response).body == b"hello, world"


@pytest.mark.parametrize("parser", PARSERS)
def test_lines_may_end_in_lf(parser: type) -> None:
    assert read(parser, SIZED.replace(b"\r\n", b"\n")).body == b"hello"


@pytest.mark.parametrize("parser", PARSERS)
def test_after_an_answer_with_two_lengths_the_connection_is_not_trusted(parser: type) -> None:
    assert read(parser, TWO_LENGTHS).may_be_reused is False


@pytest.mark.parametrize("parser", PARSERS)
def test_trailers_are_no_headers(parser: type) -> None:
    heard = read(parser, CHUNKED.replace(b"\r\n0\r\n", b"\r\n0\r\nContent-Encoding: gzip\r\n"))
    assert b"content-encoding" not in heard.headers
    assert heard.body == b"hello, world"
