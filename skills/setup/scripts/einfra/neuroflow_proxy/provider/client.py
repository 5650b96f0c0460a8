"""HTTP towards the provider: one pool of connections for the life of the server.

Knows nothing of either API's meaning: bytes go out, a status, headers and bytes come back, and every way in which the
network can fail becomes an `UpstreamError`.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

from ..errors import Kind, SettingsError, UpstreamError
from ..version import VERSION
from ..wire.codec import InvalidJSON, loads
from .http1 import Headers
from .network import (
    Body,
    NetworkError,
    NoConnection,
    Origin,
    Request,
    Silence,
    Transport,
    Unsendable,
    UnusableProxy,
    proxy_for,
    request_to,
)
from .transport import DirectTransport

CONNECT_TIMEOUT_S = 10.0
MAX_ERROR_BODY_BYTES = 256 * 1024
ERROR_BODY_TIMEOUT_S = 10.0
DRAIN_S = 1.0
MAX_LIST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A provider as the network sees it."""

    base_url: str
    api_key: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        # A compressor would hold tokens back.
        headers = {"User-Agent": f"neuroflow-proxy/{VERSION}", "Accept-Encoding": "identity"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return headers


@lru_cache(maxsize=8)
def _chat_request(endpoint: Endpoint) -> Request:
    """What is the same in every Chat Completions request to a provider."""
    more = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
    return request_to("POST", f"{endpoint.base_url}/chat/completions", endpoint.headers | more)


class UpstreamAnswer:
    """A response whose body has not been read yet. To be closed: as a context manager, or with `aclose`.

    Closing it closes the connection unless the whole body was read.
    """

    def __init__(self, status: int, headers: Headers, body: Body) -> None:
        self.status = status
        self.headers: Mapping[str, str] = _by_name(headers)
        self._body = body
        self._pieces = aiter(body)
        if "content-encoding" in self.headers:
            from .by_httpx import decoded

            self._pieces = decoded(headers, self._pieces)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._body.aclose()

    @property
    def has_ended(self) -> bool:
        """Whether the whole body has arrived, where that is known."""
        return self._body.has_ended

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
        except NetworkError as error:
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

    def __init__(self) -> None:
        self._direct = DirectTransport()
        self._ways: dict[tuple[str, str], Transport] = {}
        """By scheme and host. To ask the system for its proxies may take longer than all else that a request needs."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        for way in {self._direct, *self._ways.values()}:
            await way.aclose()

    async def chat(self, endpoint: Endpoint, body: bytes, *, silence_s: float) -> UpstreamAnswer:
        """Send a Chat Completions request; the answer may take `silence_s` seconds between any two bytes.

        Raises `UpstreamError` where there is no answer.
        """
        try:
            return await self._send(_chat_request(endpoint), body, silence_s)
        except NetworkError as error:
            raise to_error(error) from error

    async def get_json(
        self, endpoint: Endpoint, path: str, *, limit_s: float, limit_bytes: int = MAX_LIST_BYTES
    ) -> tuple[int, Mapping[str, str], bytes, Any]:
        """GET a JSON document below the base URL: status, headers, body, and the value (None if it is not JSON)."""
        content = bytearray()
        try:
            request = request_to("GET", endpoint.base_url + path, endpoint.headers)
            async with asyncio.timeout(limit_s), await self._send(request, b"", limit_s) as answer:
                while data := await answer.next_piece():
                    content += data
                    if len(content) > limit_bytes:
                        raise UpstreamError(f"The provider's answer to {path} is too long.")
        except (NetworkError, TimeoutError) as error:
            raise to_error(error) from error
        try:
            value = loads(bytes(content))
        except InvalidJSON:
            value = None
        return answer.status, answer.headers, bytes(content), value

    async def _send(self, request: Request, body: bytes, silence_s: float) -> UpstreamAnswer:
        transport = self._way_to(request.origin)
        sent = await transport.send(request, body, connect_s=CONNECT_TIMEOUT_S, silence_s=silence_s)
        return UpstreamAnswer(*sent)

    def _way_to(self, origin: Origin) -> Transport:
        place = origin.scheme, origin.host
        if place not in self._ways:
            self._ways[place] = self._new_way(proxy_for(*place))
        return self._ways[place]

    def _new_way(self, proxy_url: str | None) -> Transport:
        if proxy_url is None:
            return self._direct
        from .by_httpx import ProxiedTransport

        return ProxiedTransport(proxy_url)


def to_error(error: NetworkError | TimeoutError) -> UpstreamError | SettingsError:
    """What a failure of the network means for the client."""
    words = str(error) or type(error).__name__
    match error:
        case Unsendable():
            return SettingsError(f"The provider cannot be asked: {words}.", hint="Run set-up again.")
        case UnusableProxy():
            return SettingsError(
                f"The provider cannot be asked: {words}.",
                hint="Name an HTTP proxy in HTTPS_PROXY, or this host in NO_PROXY; then start the proxy again.",
            )
        case NoConnection():
            return UpstreamError(
                f"The provider cannot be reached: {words}.",
                kind=Kind.UNREACHABLE,
                hint="Check the network (VPN, proxy variables) and the provider's base URL.",
            )
        case Silence() | TimeoutError():
            return UpstreamError("The provider has been silent for too long.", kind=Kind.TIMEOUT)
        case _:
            return UpstreamError(f"The connection to the provider broke: {words}.", kind=Kind.BROKEN_ANSWER)
