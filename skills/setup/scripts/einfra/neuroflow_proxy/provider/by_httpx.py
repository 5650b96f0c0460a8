"""What only httpx knows: the way through an institution's HTTP proxy, and how to read what a server has compressed.

Imported when it is needed: httpx takes as long as a third of all that is loaded until the proxy serves.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from .certificates import tls_context
from .http1 import Headers
from .network import SOCKET_OPTIONS, BrokenOff, NoConnection, Request, Silence, Unsendable, UnusableProxy

WRITE_TIMEOUT_S = 120.0


class ProxiedTransport:
    """A `Transport` that asks through one HTTP proxy. Raises `UnusableProxy` where `proxy_url` names none."""

    def __init__(self, proxy_url: str) -> None:
        self._http = httpx.AsyncClient(
            proxy=_proxy(proxy_url),
            verify=tls_context(),
            trust_env=False,  # else it falls over a variable that this request has nothing to do with
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=60),
            follow_redirects=False,  # a redirect must never carry the key to another host
        )

    async def send(
        self, request: Request, body: bytes, *, connect_s: float, silence_s: float
    ) -> tuple[int, Headers, "ProxiedBody"]:
        timeout = httpx.Timeout(silence_s, connect=connect_s, write=WRITE_TIMEOUT_S, pool=None)
        with _our_errors():
            made = httpx.Request(
                request.method,
                request.url,
                headers=request.headers,
                content=body or None,
                extensions={"timeout": timeout.as_dict(), "trace": _with_options},
            )
            response = await self._http.send(made, stream=True)
        return response.status_code, response.headers.raw, ProxiedBody(response)

    async def aclose(self) -> None:
        await self._http.aclose()


async def _with_options(event: str, told: dict[str, Any]) -> None:
    """Set our socket options on a new connection: on the way through a proxy, httpx ignores those that it is given."""
    if event == "connection.connect_tcp.complete":
        for option in SOCKET_OPTIONS:
            told["return_value"].get_extra_info("socket").setsockopt(*option)


def _proxy(url: str) -> httpx.Proxy:
    try:
        proxy = httpx.Proxy(url)
    except (ValueError, httpx.InvalidURL):
        proxy = None
    if proxy is None or proxy.url.scheme not in ("http", "https"):
        # Not quoted: it may hold a password.
        raise UnusableProxy("the proxy variables name no HTTP proxy on the way there, and SOCKS is not spoken here")
    return proxy


class ProxiedBody:
    """The body of an answer, as it was on the wire."""

    has_ended = False

    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _our_errors():
            async for data in self._response.aiter_raw():
                yield data

    async def aclose(self) -> None:
        await self._response.aclose()


async def decoded(headers: Headers, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A body without its Content-Encoding."""
    with _our_errors():
        async for data in httpx.Response(200, headers=headers, stream=_Stream(pieces)).aiter_bytes():
            yield data


class _Stream(httpx.AsyncByteStream):
    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces


@contextmanager
def _our_errors() -> Iterator[None]:
    """Turn httpx's errors into `NetworkError`s."""
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise Unsendable(str(error)) from error
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        raise NoConnection(_words(error)) from error
    except httpx.TimeoutException as error:
        raise Silence(_words(error)) from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise BrokenOff(_words(error)) from error


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
