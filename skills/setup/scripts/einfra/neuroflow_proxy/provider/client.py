"""HTTP towards the provider: one pool of connections for the life of the server.

Knows nothing of either API's meaning: bytes go out, a status, headers and bytes come back, and every way in which the
network can fail becomes an `UpstreamError`.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Any, Self
from urllib.request import getproxies

import httpx

from ..errors import Kind, SettingsError, UpstreamError
from ..version import VERSION
from ..wire.codec import InvalidJSON, loads
from .http1 import Headers
from .transport import Body, DirectTransport, Origin, head_of, origin_of

CONNECT_TIMEOUT_S = 10.0
WRITE_TIMEOUT_S = 120.0
LIST_TIMEOUT_S = 10.0
MAX_ERROR_BODY_BYTES = 256 * 1024
ERROR_BODY_TIMEOUT_S = 10.0
DRAIN_S = 1.0
MAX_LIST_BYTES = 16 * 1024 * 1024

NETWORK_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError)
"""How httpx and our own transport say that something went wrong; `to_error` says what that means."""

Transport = httpx.AsyncBaseTransport
"""What can stand in for the network."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A provider as the network sees it."""

    base_url: str
    api_key: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        headers = {"User-Agent": f"neuroflow-proxy/{VERSION}"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return headers


@lru_cache(maxsize=8)
def _chat_request(endpoint: Endpoint) -> httpx.Request:
    """What is the same in every Chat Completions request to a provider; httpx takes its time to make it."""
    url = httpx.URL(f"{endpoint.base_url}/chat/completions")
    headers = {
        "Host": url.netloc.decode("ascii"),
        **endpoint.headers,
        "Content-Type": "application/json",
        "Accept": "text/event-stream, application/json",
        "Accept-Encoding": "identity",  # a compressor would hold tokens back
    }
    return httpx.Request("POST", url, headers=headers, stream=httpx.ByteStream(b""))


@lru_cache(maxsize=8)
def _chat_head(endpoint: Endpoint) -> tuple[Origin, bytes]:
    """The same as bytes, and where they go."""
    request = _chat_request(endpoint)
    return origin_of(request.url), head_of(request)


class UpstreamAnswer:
    """A response whose body has not been read yet. To be closed: as a context manager, or with `aclose`.

    Closing it closes the connection unless the whole body was read.
    """

    def __init__(self, status: int, headers: Headers, stream: httpx.AsyncByteStream) -> None:
        self.status = status
        self.headers: Mapping[str, str] = _by_name(headers)
        self._stream = stream
        # What is not encoded need not go through httpx's decoders.
        is_encoded = "content-encoding" in self.headers
        body = httpx.Response(status, headers=headers, stream=stream).aiter_bytes() if is_encoded else stream
        self._pieces = aiter(body)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._stream.aclose()

    @property
    def has_ended(self) -> bool:
        """Whether the whole body has arrived, where that is known."""
        return isinstance(self._stream, Body) and self._stream.has_ended

    async def next_piece(self) -> bytes:
        """What has arrived since the last piece, at least one byte; nothing at the end of the body.

        Raises `UpstreamError` where the body breaks off.
        """
        try:
            while True:
                data = await anext(self._pieces)
                if data:
                    return data
        except StopAsyncIteration:
            return b""
        except NETWORK_ERRORS as error:
            raise to_error(error) from error

    async def read(self, limit: int = MAX_ERROR_BODY_BYTES) -> bytes:
        """The beginning of the body, for the body of an error; what a broken connection cut off is not missed."""
        body = bytearray()
        with contextlib.suppress(UpstreamError, TimeoutError):
            async with asyncio.timeout(ERROR_BODY_TIMEOUT_S):
                while len(body) < limit and (data := await self.next_piece()):
                    body += data
        return bytes(body[:limit])

    async def drain(self) -> None:
        """Read what is left of a body that is over for us, so that its connection can be used again."""
        with contextlib.suppress(UpstreamError, TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while await self.next_piece():
                    pass


def _by_name(headers: Headers) -> dict[str, str]:
    """Headers by their names in lower case; what came more than once is joined, as HTTP allows."""
    told: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        told[key] = f"{told[key]}, {text}" if key in told else text
    return told


class UpstreamClient:
    """Sends requests to a provider. Use as an async context manager."""

    def __init__(self, transport: Transport | None = None) -> None:
        own = transport or DirectTransport()
        # Through an institution's proxy only httpx knows the way, and which hosts are not asked through it.
        has_proxy = not {"http", "https", "all"}.isdisjoint(getproxies())
        self._direct = own if transport is not None or not has_proxy else None
        self._http = httpx.AsyncClient(
            transport=self._direct,
            # A proxy of the institution (HTTP_PROXY) is not asked about this machine, as a local provider may be here.
            mounts={f"all://{host}": own for host in ("127.0.0.1", "localhost", "[::1]")},
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=60),
            timeout=httpx.Timeout(LIST_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            follow_redirects=False,  # a redirect must never carry the key to another host
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def chat(self, endpoint: Endpoint, body: bytes, *, silence_s: float) -> UpstreamAnswer:
        """Send a Chat Completions request; the answer may take `silence_s` seconds between any two bytes.

        Raises `UpstreamError` where there is no answer.
        """
        length = b"Content-Length", b"%d" % len(body)
        stream: httpx.AsyncByteStream
        try:
            if isinstance(self._direct, DirectTransport):
                origin, head = _chat_head(endpoint)
                data = [head, b"%s: %s\r\n\r\n" % length, body]
                status, headers, stream = await self._direct.send(origin, data, CONNECT_TIMEOUT_S, silence_s)
            else:
                status, headers, stream = await self._sent_by_httpx(_chat_request(endpoint), length, body, silence_s)
        except NETWORK_ERRORS as error:
            raise to_error(error) from error
        return UpstreamAnswer(status, headers, stream)

    async def _sent_by_httpx(
        self, like: httpx.Request, length: tuple[bytes, bytes], body: bytes, silence_s: float
    ) -> tuple[int, Headers, httpx.AsyncByteStream]:
        timeout = httpx.Timeout(silence_s, connect=CONNECT_TIMEOUT_S, write=WRITE_TIMEOUT_S, pool=None)
        request = httpx.Request(
            like.method,
            like.url,
            headers=[*like.headers.raw, length],
            stream=httpx.ByteStream(body),
            extensions={"timeout": timeout.as_dict()},
        )
        # Asked directly, without what AsyncClient does for cookies, redirects and authentication.
        sent = self._direct.handle_async_request(request) if self._direct else self._http.send(request, stream=True)
        response = await sent
        return response.status_code, response.headers.raw, response.stream  # type: ignore[return-value]

    async def get_json(self, endpoint: Endpoint, path: str) -> tuple[int, Mapping[str, str], bytes, Any]:
        """GET a JSON document below the base URL: status, headers, body, and the value (None if it is not JSON)."""
        content = bytearray()
        url, headers = f"{endpoint.base_url}{path}", endpoint.headers
        try:
            async with asyncio.timeout(LIST_TIMEOUT_S), self._http.stream("GET", url, headers=headers) as response:
                async for data in response.aiter_bytes():
                    content += data
                    if len(content) > MAX_LIST_BYTES:
                        raise UpstreamError(f"The provider's answer to {path} is too long.")
        except NETWORK_ERRORS as error:
            raise to_error(error) from error
        try:
            value = loads(bytes(content))
        except InvalidJSON:
            value = None
        told = {name.lower(): text for name, text in response.headers.items()}
        return response.status_code, told, bytes(content), value


def to_error(error: Exception) -> UpstreamError | SettingsError:
    """What a failure of the network means for the client."""
    words = str(error) or type(error).__name__
    match error:
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return SettingsError(f"The provider's base URL is no good: {words}.", hint="Run set-up again.")
        case httpx.ConnectTimeout() | httpx.ConnectError() | httpx.ProxyError():
            return UpstreamError(
                f"The provider cannot be reached: {words}.",
                kind=Kind.UNREACHABLE,
                hint="Check the network (VPN, proxy variables) and the provider's base URL.",
            )
        case httpx.TimeoutException() | TimeoutError():
            return UpstreamError("The provider has been silent for too long.", kind=Kind.TIMEOUT)
        case _:
            return UpstreamError(f"The connection to the provider broke: {words}.", kind=Kind.BROKEN_ANSWER)
