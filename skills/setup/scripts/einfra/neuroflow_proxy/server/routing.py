"""The ASGI shell: which handler serves a request, errors in words, start and end. Knows nothing of what is served.

No framework stands here: FastAPI takes 0.4 s to import, 18 MB, and a fifth of the time of a small request, and of what
it offers a table of nine routes needs nothing.
"""

from collections.abc import Awaitable, Callable, Mapping

from ..errors import Kind, ProxyError, RequestError
from .answers import send_error
from .asgi import ASGIApp, Receive, Scope, Send
from .body import ClientGone

Routes = Mapping[tuple[str, str], ASGIApp]
"""Method and path to handler."""


class Router:
    """An ASGI application; `below` holds the handlers of all paths that begin with theirs.

    What a handler raises is worded as the Messages API words errors.
    """

    def __init__(
        self,
        routes: Routes,
        below: Routes,
        *,
        start: Callable[[], Awaitable[None]],
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        self._routes = routes
        self._below = below
        self._start = start
        self._stop = stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        try:
            await self._handler(scope)(scope, receive, send)
        except ProxyError as error:
            await send_error(send, error)
        except RecursionError:
            await send_error(send, RequestError("The request is nested too deeply."))
        except ClientGone:
            return  # nobody is left to answer

    def _handler(self, scope: Scope) -> ASGIApp:
        method, path = scope["method"], scope["path"]
        asked = "GET" if method == "HEAD" else method
        handler = self._routes.get((asked, path.rstrip("/") or "/"))
        if handler is None:
            handler = next((below for (m, p), below in self._below.items() if m == asked and path.startswith(p)), None)
        if handler is None:
            raise ProxyError(f"{method} {scope['path']} is not served by this proxy.", kind=Kind.NOT_FOUND)
        return handler

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._stop()
                await send({"type": "lifespan.shutdown.complete"})
                return
