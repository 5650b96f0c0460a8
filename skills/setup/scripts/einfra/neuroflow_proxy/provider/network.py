"""What every transport has in common: its errors, requests and bodies, its sockets' options, the HTTP proxy to take."""

import socket
from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol
from urllib.parse import SplitResult, quote, urlsplit
from urllib.request import getproxies, proxy_bypass

from ..wire.hosts import is_loopback
from .http1 import Headers


class NetworkError(Exception):
    """No answer, or not all of it."""


class Unsendable(NetworkError):
    """A request that cannot be made: nothing can be at this address, or a header cannot be sent."""


class UnusableProxy(NetworkError):
    """The variables name something else than an HTTP proxy on the way to this host."""


class NoConnection(NetworkError):
    """No connection could be made."""


class Silence(NetworkError):
    """No byte came for too long."""


class BrokenOff(NetworkError):
    """What came was not HTTP, or not to its end."""


class Origin(NamedTuple):
    """What connections can be shared for."""

    scheme: str
    host: str
    port: int


class Request(NamedTuple):
    """A request but for its body, as words and as bytes."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    origin: Origin
    head: bytes
    """The request line and the headers, without the empty line that ends them."""


class Body(Protocol):
    """The body of an answer, in pieces as they come. Raises `NetworkError`."""

    @property
    def has_ended(self) -> bool:
        """Whether all of it has arrived, where that is known."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None:
        """Read no more of it."""


class Transport(Protocol):
    """A way to other machines."""

    async def send(
        self, request: Request, body: bytes, *, connect_s: float, silence_s: float
    ) -> tuple[int, Headers, Body]:
        """Send a request; the status, the headers and the body of its answer. Raises `NetworkError`."""

    async def aclose(self) -> None:
        """Close all connections."""


# Whoever changes networks, wakes up, or sits behind a router that forgets, is not told that a connection leads nowhere.
# Bytes that nobody acknowledges for a minute are lost, and so is who does not even answer the system's own question.
_PROBED_AFTER_S, _PROBED_EACH_S, _PROBES, _LOST_AFTER_S = 30, 10, 4, 60
_OPTIONS = {
    "TCP_KEEPIDLE": _PROBED_AFTER_S,
    "TCP_KEEPALIVE": _PROBED_AFTER_S,  # macOS's name for it
    "TCP_KEEPINTVL": _PROBED_EACH_S,
    "TCP_KEEPCNT": _PROBES,
    "TCP_USER_TIMEOUT": 1000 * _LOST_AFTER_S,  # Linux
}
SOCKET_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *[(socket.IPPROTO_TCP, getattr(socket, name), to) for name, to in _OPTIONS.items() if hasattr(socket, name)],
]


def request_to(method: str, url: str, headers: dict[str, str]) -> Request:
    """A request for a URL. Raises `Unsendable`."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError as error:  # UnicodeError is one
        raise Unsendable(f"{url}: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise Unsendable(f"{url} is no address of a web server")
    named = f"[{host}]" if ":" in host else host
    target = quote(parts.path, safe="/%:@!$&'()*+,;=~") or "/"
    if parts.query:
        target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        raise Unsendable("the key holds characters that no key has")
    lines = {"Host": named if port is None else f"{named}:{port}", **headers}
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    origin = Origin(parts.scheme, host, port_of(parts))
    return Request(method, url, tuple(headers.items()), origin, head.encode("ascii"))


def port_of(url: SplitResult) -> int:
    """The port that a URL names, or its scheme's."""
    return url.port or (443 if url.scheme == "https" else 80)


def proxy_for(scheme: str, host: str) -> str | None:
    """The institution's proxy that requests to a host go through, if any: a variable for the scheme, else ALL_PROXY.

    It is not asked about this machine, as a local provider may be here, nor about hosts that NO_PROXY names.
    """
    proxies = getproxies()
    through = (proxies.get(scheme) or proxies.get("all") or "").strip()
    if not through or is_loopback(host) or proxy_bypass(host):
        return None
    return through if "://" in through else f"http://{through}"
