"""Writing HTTP answers: JSON at once, or a stream that opens late and never falls silent."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from ..errors import ProxyError, RequestError, UpstreamError
from ..translate.message import MessageFold
from ..wire import messages_api as api
from ..wire.codec import dumps
from ..wire.messages_api import JSON
from ..wire.sse import encode_event
from .asgi import Headers, Send

# Until then an early failure can still be told by a real HTTP status, on which clients act better than on an event.
HOLD_HEADERS_S = 5.0
# Claude Code drops a stream after 300 s without a byte, and waits 361 s for headers.
PING_INTERVAL_S = 10.0

_PING = encode_event("ping", api.ping())
_STREAM = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))


async def send_json(send: Send, value: JSON, *, status: int = 200, headers: Headers | None = None) -> None:
    """Answer with one JSON document."""
    await send_bytes(send, dumps(value), status=status, content_type=b"application/json", headers=headers)


async def send_bytes(
    send: Send, body: bytes, *, status: int = 200, content_type: bytes, headers: Headers | None = None
) -> None:
    start_headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        *(headers or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": start_headers})
    await send({"type": "http.response.body", "body": body})


async def send_error(send: Send, error: ProxyError, *, headers: Headers | None = None) -> None:
    """Answer with the Messages API's error body, the status, and the headers that steer the client's retries."""
    outcome = error.outcome
    body = api.error(outcome.error_type, error.full_message)
    if isinstance(error, RequestError) and error.details:
        body["error"]["details"] = error.details
    await send_json(send, body, status=outcome.status, headers=[*error_headers(error), *(headers or [])])


def error_headers(error: ProxyError) -> Headers:
    headers: Headers = []
    if isinstance(error, UpstreamError):
        if error.retry_after_s is not None:
            headers.append((b"retry-after", str(max(0, round(error.retry_after_s))).encode()))
        if error.should_retry is not None:
            headers.append((b"x-should-retry", b"true" if error.should_retry else b"false"))
    return headers


class Output(Protocol):
    """Where the events of an answer go."""

    has_started: bool
    """Whether the HTTP status has been sent, so that a failure can no longer be one."""
    has_ended: bool

    def silence_left_s(self) -> float | None:
        """Seconds until the next ping is due; None if this output cannot be pinged on."""

    async def ping_if_silent(self) -> None:
        """Say that we are alive, if nothing has been said for too long."""

    async def write(self, events: Sequence[JSON], *, may_wait: bool = False) -> None:
        """Take the next events of the answer. Those that may wait leave with what is written next."""

    async def end(self, events: Sequence[JSON] = ()) -> None:
        """The answer is complete with these events."""


class WholeMessage:
    """An answer that is not streamed: sent when it is complete."""

    has_started = False
    has_ended = False

    def __init__(self, send: Send, headers: Callable[[], Headers]) -> None:
        self._send = send
        self._headers = headers
        self._fold = MessageFold()

    def silence_left_s(self) -> None:
        return None

    async def ping_if_silent(self) -> None:
        """Nothing can be said before the answer is complete."""

    async def write(self, events: Sequence[JSON], *, may_wait: bool = False) -> None:
        self._fold.feed(events)

    async def end(self, events: Sequence[JSON] = ()) -> None:
        self._fold.feed(events)
        self.has_started = self.has_ended = True
        await send_json(self._send, self._fold.message, headers=self._headers())


class EventStream:
    """A streamed answer. Its headers go out with the first events, or after `HOLD_HEADERS_S` with a ping.

    `headers` is asked for when they go out: by then it is known which model answers. One task writes; another may ping.
    """

    def __init__(self, send: Send, headers: Callable[[], Headers]) -> None:
        self._send = send
        self._headers = headers
        self._last_write = time.monotonic()
        self._is_writing = False
        self._waiting = b""
        self._pinging: asyncio.Future[None] | None = None
        self.has_started = False
        self.has_ended = False

    def silence_left_s(self) -> float:
        limit = PING_INTERVAL_S if self.has_started else HOLD_HEADERS_S
        return max(0.0, self._last_write + limit - time.monotonic())

    async def ping_if_silent(self) -> None:
        if self.silence_left_s() > 0:
            return
        self._last_write = time.monotonic()
        if self._is_writing:  # to a client that takes nothing
            return
        self._pinging = asyncio.get_running_loop().create_future()
        try:
            if not self.has_started:
                await self._begin()
            await self._send({"type": "http.response.body", "body": _PING, "more_body": True})
        finally:
            self._pinging.set_result(None)
            self._pinging = None

    async def write(self, events: Sequence[JSON], *, may_wait: bool = False) -> None:
        """Send events, all in one write."""
        if events:
            self._waiting += _encoded(events)
        if self._waiting and not may_wait:
            await self._write(more=True)

    async def end(self, events: Sequence[JSON] = ()) -> None:
        """Send the last events and end the body; clients wait for it after message_stop."""
        self.has_ended = True
        self._waiting += _encoded(events)
        await self._write(more=False)

    async def _write(self, *, more: bool) -> None:
        if self._pinging is not None:
            await self._pinging
        data, self._waiting = self._waiting, b""
        self._is_writing = True
        self._last_write = time.monotonic()
        try:
            if not self.has_started:
                await self._begin()
            await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except BaseException:
            self.has_ended = True  # nobody knows whether these events have left, so none may follow them
            raise
        finally:
            self._is_writing = False

    async def _begin(self) -> None:
        self.has_started = True
        await self._send({"type": "http.response.start", "status": 200, "headers": [*_STREAM, *self._headers()]})


def _encoded(events: Sequence[JSON]) -> bytes:
    return b"".join([encode_event(event["type"], event) for event in events])
