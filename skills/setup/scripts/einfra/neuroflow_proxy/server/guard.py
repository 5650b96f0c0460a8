"""Who may talk to the proxy: decided before anything is read.

An access token, where one is set, is all that is asked for. Without one (`uvicorn proxy:app`, started by hand) only
this machine may use the proxy, and no web page: browsers say where a request comes from, and a rebound DNS name shows
in Host. What another server has passed on shows in the headers that such servers add, and is not from this machine.
"""

import hmac
from collections.abc import Callable, Mapping

from ..errors import SET_UP, Kind, ProxyError
from ..wire.hosts import is_loopback
from .answers import send_error
from .asgi import ASGIApp, Receive, Scope, Send
from .body import skip_body

# They tell nothing that a port scan does not, and must answer before a client knows a token.
OPEN_PATHS = frozenset({"/", "/healthz", "/api/hello"})

_PASSED_ON = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})


class Guard:
    """ASGI middleware. `token` is asked for at each request, because settings may change."""

    def __init__(self, app: ASGIApp, token: Callable[[], str | None]) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = self._refusal(scope)
            if refusal is not None:
                await skip_body(receive)
                await send_error(send, refusal)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> ProxyError | None:
        headers = dict(scope["headers"])  # whose names are in lower case, as ASGI wants it
        host = headers.get(b"host", b"").decode("latin-1")
        if is_loopback(_address(scope.get("server"))) and not is_loopback(host_name(host)):
            return _forbidden(f"This proxy does not answer for the host {host[:100]!r}.", "Use http://127.0.0.1.")
        if scope["path"] in OPEN_PATHS:
            return None
        token = self._token()
        if token is not None:
            return None if has_token(headers, token) else _unauthorized()
        if b"origin" in headers or headers.get(b"sec-fetch-site", b"none") != b"none":
            return _forbidden("This proxy does not answer web pages.", "Set NEUROFLOW_PROXY_TOKEN to use it from one.")
        if not is_loopback(_address(scope.get("client"))) or not _PASSED_ON.isdisjoint(headers):
            return _forbidden(
                "Without a token this proxy answers its own machine only.", "Set NEUROFLOW_PROXY_TOKEN to open it."
            )
        return None


def has_token(headers: Mapping[bytes, bytes], token: str) -> bool:
    """Whether the request carries the token, as Bearer or x-api-key. Takes the same time for any wrong one."""
    scheme, _, bearer = headers.get(b"authorization", b"").partition(b" ")
    wanted = token.encode()
    by_key = hmac.compare_digest(headers.get(b"x-api-key", b""), wanted)
    return hmac.compare_digest(bearer.strip() if scheme.lower() == b"bearer" else b"", wanted) or by_key


def host_name(host: str) -> str:
    """The name in a Host header, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _address(pair: tuple[str, int | None] | None) -> str:
    return pair[0] if pair else ""


def _forbidden(message: str, hint: str) -> ProxyError:
    return ProxyError(message, hint=hint, kind=Kind.PERMISSION)


def _unauthorized() -> ProxyError:
    return ProxyError(
        "This proxy requires its access token, and the request has none or another.",
        hint=f"Claude Code finds it in ANTHROPIC_AUTH_TOKEN: connect it again with {SET_UP}.",
        kind=Kind.AUTHENTICATION,
    )
