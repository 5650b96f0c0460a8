"""What a connection may do before it has asked for something: not take for ever, and not send headers without end.

Uvicorn bounds neither where httptools parses: its one time limit runs between an answer and the next request.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from ..provider.alarm import Alarm
from ..wire import messages_api as api
from ..wire.codec import dumps
from .asgi import ASGIApp, Message, Receive, Scope, Send
from .head import HeadWithBody

HEADERS_TIMEOUT_S = 30.0
# On loopback the largest body takes less than a second; this is for a tunnel over a slow line.
BODY_TIMEOUT_S = 120.0
# As much as h11 takes. What Claude Code sends is some 2 kB.
MAX_HEADERS_BYTES = 64 * 1024


class Bounded(asyncio.Protocol):
    """These two bounds, to be laid over one of uvicorn's protocols."""

    app: ASGIApp
    loop: asyncio.AbstractEventLoop
    transport: HeadWithBody

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._serve: ASGIApp = arguments["config"].loaded_app
        self.app = self._answer
        self._running = 0
        self._unheard = 0
        """Bytes since the last request began to be answered."""
        self._waits_since: float | None = None
        """Since when we wait for headers, or for a body; None while we do not."""
        self._alarm = Alarm(self.loop, self._look)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(HeadWithBody(transport))  # type: ignore[arg-type]
        self._wait(HEADERS_TIMEOUT_S)

    def connection_lost(self, error: Exception | None) -> None:
        self._alarm.stop()
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        if not self._running:
            # Looked at one read later: the first may hold a body behind its headers, and they are not yet told apart.
            if self._unheard > MAX_HEADERS_BYTES:
                words = "The request's headers are too long."
                self._refuse("431 Request Header Fields Too Large", "invalid_request_error", words)
                return
            self._unheard += len(data)
        super().data_received(data)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._waits_since = None
        self._running += 1
        has_body = False

        async def received() -> Message:
            nonlocal has_body
            if not has_body and self._waits_since is None:
                self._wait(BODY_TIMEOUT_S)
            message = await receive()
            if not message.get("more_body"):
                has_body = True
                self._waits_since = None
            return message

        try:
            await self._serve(scope, received, send)
        finally:
            self._running -= 1
            self.transport.flush()
            if not self._running and not self.transport.is_closing():
                self._unheard = 0
                self._wait(HEADERS_TIMEOUT_S)

    def _wait(self, limit_s: float) -> None:
        self._waits_since = self.loop.time()
        self._alarm.by(self._waits_since + limit_s)

    def _look(self) -> None:
        if self._waits_since is None:
            return
        due = self._waits_since + (BODY_TIMEOUT_S if self._running else HEADERS_TIMEOUT_S)
        if self.loop.time() < due:
            self._alarm.by(due)
        elif self._running:
            self._refuse("408 Request Timeout", "timeout_error", "The request took too long to arrive.")
        elif self._unheard:
            self._refuse("408 Request Timeout", "timeout_error", "The request's headers took too long to arrive.")
        else:
            self.transport.close()

    def _refuse(self, status: str, error_type: str, words: str) -> None:
        body = dumps(api.error(error_type, words))
        head = (
            f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close"
        )
        self.transport.write(f"{head}\r\n\r\n".encode() + body)
        self.transport.close()


class Connection(Bounded, AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """The protocol that uvicorn would take by itself, with these bounds."""
