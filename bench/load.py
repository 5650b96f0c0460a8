"""The client of the benchmarks: many connections at once, each asking and reading, as cheaply as Python can.

An answer counts only if it was whole: status 200, and `message_stop` at its end.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import httptools

from .upstream import HOST

STAMP = re.compile(rb"@(\d{16});")
PATIENCE_S = 120.0
_TAIL = 200


class NotServed(Exception):
    """An answer was refused, or was not whole."""


@dataclass(slots=True)
class Answer:
    """What came for one request. Times are those of `time.perf_counter`, in seconds."""

    first_text_s: float = 0.0
    """From the sending of the request to the first piece of text."""
    total_s: float = 0.0
    body_bytes: int = 0
    ages_s: list[float] = field(default_factory=list)
    """Of each stamped piece: how old it was when it arrived."""


class Connection(asyncio.Protocol):
    """One connection, kept alive. `ask` may be called again when it has returned."""

    _transport: asyncio.Transport

    def __init__(self, *, stamped: bool = False) -> None:
        self._stamped = stamped
        self._done: asyncio.Future[None] | None = None
        self._answer = Answer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    async def ask(self, request: bytes) -> Answer:
        """Send a request; return when its answer is whole. Raises `NotServed`."""
        self._parser = httptools.HttpResponseParser(self)
        self._answer = answer = Answer()
        self._tail = b""
        self._done = asyncio.get_running_loop().create_future()
        self._began = time.perf_counter()
        self._transport.write(request)
        async with asyncio.timeout(PATIENCE_S):
            await self._done
        answer.total_s = time.perf_counter() - self._began
        if self._parser.get_status_code() != 200 or b"message_stop" not in self._tail:
            raise NotServed(f"status {self._parser.get_status_code()}, ended with {self._tail!r}")
        return answer

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(NotServed(f"the connection was closed: {error}"))

    def on_body(self, data: bytes) -> None:
        answer = self._answer
        answer.body_bytes += len(data)
        if not answer.first_text_s and b"text_delta" in data:
            answer.first_text_s = time.perf_counter() - self._began
        if self._stamped:
            now = time.monotonic_ns() // 1000
            answer.ages_s += [(now - int(written)) / 1e6 for written in STAMP.findall(data)]
        self._tail = (self._tail + data[-_TAIL:])[-_TAIL:]

    def on_message_complete(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)


@contextlib.asynccontextmanager
async def connections(port: int, count: int, **how: Any) -> AsyncIterator[list[Connection]]:
    """`count` open connections to a port of this machine."""
    loop = asyncio.get_running_loop()
    opened = [(await loop.create_connection(lambda: Connection(**how), HOST, port))[1] for _ in range(count)]
    try:
        yield opened
    finally:
        for connection in opened:
            connection.close()


async def tell(port: int, request: bytes) -> None:
    """Send a request whose answer does not matter, and wait until it has begun."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(request)
    await reader.read(64)
    writer.close()


def http_request(path: str, body: bytes, **headers: str) -> bytes:
    """A POST as bytes."""
    lines = {"host": HOST, "content-type": "application/json", "content-length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body
