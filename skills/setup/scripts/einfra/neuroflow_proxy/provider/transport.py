"""HTTP/1.1 towards the provider on asyncio's own protocols.

Why not httpx: for each chunk of an answer it runs through half a dozen coroutines, for each request through two pools,
and it takes long to load; docs/performance.md has the figures, and those of the libraries that could stand here. What
httpx knows and this does not is left to it, see `by_httpx.py`.
"""

import asyncio
import socket
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, cast

from .alarm import Alarm
from .certificates import tls_context
from .http1 import Headers, MalformedResponse
from .network import SOCKET_OPTIONS, BrokenOff, NoConnection, Origin, Request, Silence

try:
    from .http1_httptools import HttptoolsParser as Parser
except ImportError:
    from .http1_h11 import H11Parser as Parser  # type: ignore[assignment]

KEEP_ALIVE_S = 60.0
MAX_IDLE = 32
# A client that reads slowly must not make us hold its whole answer.
HIGH_WATER_BYTES = 256 * 1024
# How long one address of a host has before the next is tried as well (RFC 8305): broken IPv6 is common.
NEXT_ADDRESS_S = 0.25


class Connection(asyncio.Protocol):
    """One connection and one exchange on it after the other. Iterating over it gives the body of the answer."""

    _transport: asyncio.Transport
    _silence_s: float

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self._idle_since = 0.0
        self._idle_since_by_the_clock = 0.0
        self._loop = asyncio.get_running_loop()
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._head: tuple[int, Headers] | None = None
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._is_paused = False
        self._has_ended = True
        self._may_be_reused = True
        self._alarm = Alarm(self._loop, self._look_for_silence)
        self._heard_at = 0.0

    @property
    def has_ended(self) -> bool:
        return self._has_ended

    @property
    def is_usable(self) -> bool:
        """Whether another request can be sent on it. Where nobody has read the end, the server is held back still."""
        return self._has_ended and self._may_be_reused and self._error is None and not self._is_paused

    async def request(self, data: list[bytes], silence_s: float) -> tuple[int, Headers]:
        """Send a request; return the status and the headers of its answer."""
        self._parser = Parser(self)
        self._head = None
        self._has_ended = False
        self._silence_s = silence_s
        self._heard_at = self._loop.time()
        self._alarm.by(self._heard_at + silence_s)
        self._transport.writelines(data)
        while self._head is None:
            await self._wait()
        return self._head

    def __aiter__(self) -> "Connection":
        return self

    async def __anext__(self) -> bytes:
        """All that has arrived since the last piece, in one piece."""
        while not self._pieces:
            if self._has_ended:
                raise StopAsyncIteration
            await self._wait()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._held_bytes = 0
        if self._is_paused:
            self._is_paused = False
            self._heard_at = self._loop.time()
            self._transport.resume_reading()
        return data

    def close(self) -> None:
        """Close it at once."""
        self._alarm.stop()
        self._transport.abort()

    def rest(self) -> None:
        """The exchange is over, and the connection waits for another."""
        self._pieces.clear()
        self._held_bytes = 0
        self._idle_since = self._loop.time()
        self._idle_since_by_the_clock = time.time()

    def has_rested(self, time_s: float) -> bool:
        """Whether nobody has used it for so long. The loop's time stands still while the machine sleeps."""
        by_the_clock = time.time() - self._idle_since_by_the_clock
        return max(self._loop.time() - self._idle_since, by_the_clock) > time_s

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: Exception) -> None:
        """The exchange cannot go on; what has arrived can still be read."""
        if self._error is None:
            self._error = error
        self.close()
        self._wake()

    def _look_for_silence(self) -> None:
        if self._has_ended:
            return
        now = self._loop.time()
        due = now + self._silence_s if self._is_paused else self._heard_at + self._silence_s
        if now >= due:
            self._fail(Silence(f"no byte for {self._silence_s:g} s"))
        else:
            self._alarm.by(due)

    # What the event loop says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def data_received(self, data: bytes) -> None:
        if self._has_ended:  # nobody has asked
            self._fail(BrokenOff("the server sent more than its answer"))
            return
        self._heard_at = self._loop.time()
        try:
            self._parser.feed(data)
        except MalformedResponse as error:
            self._fail(BrokenOff(str(error)))
            return
        self._wake()

    def eof_received(self) -> None:
        self._told_of_end(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._alarm.stop()
        self._told_of_end(error)

    def _told_of_end(self, error: Exception | None) -> None:
        self._may_be_reused = False
        if not self._has_ended and self._error is None:
            try:
                if error is not None:
                    raise MalformedResponse(str(error) or type(error).__name__)
                self._parser.feed_eof()
            except MalformedResponse as malformed:
                self._fail(BrokenOff(str(malformed)))
        self._wake()

    # What the parser says

    def on_head(self, status: int, headers: Headers) -> None:
        self._head = status, headers

    def on_body(self, data: bytes) -> None:
        self._pieces.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > HIGH_WATER_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def on_end(self, may_be_reused: bool) -> None:
        self._has_ended = True
        # A server that answers before it has the whole request may never read the rest, nor what would stand behind it.
        is_all_sent = not self._transport.get_write_buffer_size()
        self._may_be_reused = self._may_be_reused and may_be_reused and is_all_sent


class DirectBody:
    """The body of an answer; closing it gives the connection back if the answer has come to its end."""

    def __init__(self, connection: Connection, transport: "DirectTransport") -> None:
        self._connection = connection
        self._transport = transport

    @property
    def has_ended(self) -> bool:
        """Whether all of it has arrived."""
        return self._connection.has_ended

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._connection

    async def aclose(self) -> None:
        self._transport.give_back(self._connection)


class DirectTransport:
    """A `Transport`: connections of one event loop, kept and used again."""

    def __init__(self) -> None:
        self._idle: deque[Connection] = deque()
        self._tls: ssl.SSLContext | None = None

    async def send(
        self, request: Request, body: bytes, *, connect_s: float, silence_s: float
    ) -> tuple[int, Headers, DirectBody]:
        origin = request.origin
        data = [request.head, b"\r\n" if request.method == "GET" else b"Content-Length: %d\r\n\r\n" % len(body), body]
        kept = self._take(origin)
        connection = kept or await self._connect(origin, connect_s)
        try:
            status, headers = await connection.request(data, silence_s)
        except BaseException as error:
            connection.close()
            if kept is not None and isinstance(error, BrokenOff):
                self._forget(origin)
            raise
        return status, headers, DirectBody(connection, self)

    async def aclose(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def give_back(self, connection: Connection) -> None:
        """Keep the connection for the next request, if it can be; or close it."""
        connection.rest()
        if not connection.is_usable:
            connection.close()
            return
        self._idle.append(connection)
        if len(self._idle) > MAX_IDLE:
            self._idle.popleft().close()

    def _take(self, origin: Origin) -> Connection | None:
        """The connection that was used last; those that are too old to be trusted are closed."""
        while self._idle and (self._idle[0].has_rested(KEEP_ALIVE_S) or not self._idle[0].is_usable):
            self._idle.popleft().close()
        for connection in reversed(self._idle):
            if connection.origin == origin and connection.is_usable:
                self._idle.remove(connection)
                return connection
        return None

    def _forget(self, origin: Origin) -> None:
        """Where one kept connection was of no more use the others are not either, and each would cost an attempt."""
        for connection in [idle for idle in self._idle if idle.origin == origin]:
            self._idle.remove(connection)
            connection.close()

    async def _connect(self, origin: Origin, timeout_s: float) -> Connection:
        tls = self._tls_context() if origin.scheme == "https" else None
        try:
            async with asyncio.timeout(timeout_s):
                ready = await connected_socket(origin.host, origin.port)
                try:
                    _, connection = await asyncio.get_running_loop().create_connection(
                        lambda: Connection(origin), sock=ready, ssl=tls, server_hostname=origin.host if tls else None
                    )
                except BaseException:
                    ready.close()
                    raise
        except TimeoutError as error:
            raise NoConnection(f"no connection to {origin.host} within {timeout_s:g} s") from error
        except OSError as error:  # ssl.SSLError is one
            raise NoConnection(str(error)) from error
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = tls_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


async def connected_socket(host: str, port: int) -> socket.socket:
    """A socket connected to the host: its addresses are tried in turn, the next one soon beside the one before.

    Raises the `OSError` of the first address if none answers.
    """
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    trying: set[asyncio.Task[socket.socket]] = set()
    errors: list[OSError] = []
    try:
        for position, (family, kind, protocol, _, address) in enumerate(addresses, start=1):
            trying.add(asyncio.create_task(_connected(family, kind, protocol, address)))
            is_last = position == len(addresses)
            while trying:
                done, trying = await asyncio.wait(
                    trying, timeout=None if is_last else NEXT_ADDRESS_S, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    error = task.exception()
                    if error is None:
                        return task.result()
                    if not isinstance(error, OSError):
                        raise error
                    errors.append(error)
                if not is_last:
                    break
        raise errors[0]
    finally:
        await _call_off(trying)


async def _connected(family: int, kind: int, protocol: int, address: Any) -> socket.socket:
    connecting = socket.socket(family, kind, protocol)
    try:
        connecting.setblocking(False)
        for option in SOCKET_OPTIONS:
            connecting.setsockopt(*option)
        await asyncio.get_running_loop().sock_connect(connecting, address)
    except BaseException:
        connecting.close()
        raise
    return connecting


async def _call_off(tasks: set[asyncio.Task[socket.socket]]) -> None:
    """Cancel those who are still trying; close what they have reached meanwhile."""
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, socket.socket):
            outcome.close()
