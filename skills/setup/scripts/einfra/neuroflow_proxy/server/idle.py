"""Knowing when nobody has asked for anything for so long that the server may end."""

import time
from collections.abc import Callable

from .asgi import ASGIApp, Receive, Scope, Send
from .guard import OPEN_PATHS

# Asked by what looks after the proxy, and not by what works with it.
_LOOKED_AT = OPEN_PATHS | {"/stats"}


class Idle:
    """ASGI middleware that remembers when the last request ended.

    `minutes` is asked each time, because settings may change; None: never idle. The clock is one that stands still
    while the machine sleeps (on Linux and macOS), so that who opens the lid finds the proxy where it was.
    """

    def __init__(
        self, app: ASGIApp, minutes: Callable[[], int | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._minutes = minutes
        self._clock = clock
        self._running = 0
        self._last = clock()

    @property
    def is_over(self) -> bool:
        """Whether the settings' time has passed without a request."""
        minutes = self._minutes()
        return minutes is not None and not self._running and self._clock() - self._last >= 60 * minutes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _LOOKED_AT:
            await self._app(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1
            self._last = self._clock()
