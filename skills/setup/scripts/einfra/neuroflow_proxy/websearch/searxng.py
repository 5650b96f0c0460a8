"""Asking a SearXNG instance (https://docs.searxng.org/dev/search_api.html) that the user has chosen.

Its address is the user's own word and may be this machine. It is asked nothing but searches, and redirects are not
followed, so that it cannot send the proxy to another place of the network.
"""

from typing import Any

import httpx

from ..wire.codec import InvalidJSON, loads
from ..wire.web_search import Found
from .failure import SearchFailed

CONNECT_TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024


async def search_searxng(url: str, query: str) -> list[Found]:
    """What the instance at `url` finds. Raises `SearchFailed`."""
    try:
        async with (
            httpx.AsyncClient(
                # A proxy of the institution (HTTP_PROXY) is not asked about this machine.
                mounts={f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")},
                timeout=httpx.Timeout(30, connect=CONNECT_TIMEOUT_S),  # the caller's limit is shorter
                follow_redirects=False,
            ) as http,
            http.stream("GET", f"{url.rstrip('/')}/search", params={"q": query, "format": "json"}) as response,
        ):
            answer = bytearray()
            async for data in response.aiter_bytes():
                answer += data
                if len(answer) > MAX_ANSWER_BYTES:
                    raise SearchFailed("SearXNG answered with too much.")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SearchFailed(f"SearXNG cannot be reached: {error or type(error).__name__}.") from error
    match response.status_code:
        case 200:
            return _read(bytes(answer))
        case 403:
            raise SearchFailed("SearXNG refuses (403): `json` must be among `search.formats` in its settings.yml.")
        case 429:
            raise SearchFailed("SearXNG is asked too often (429).", code="too_many_requests")
        case status:
            raise SearchFailed(f"SearXNG answered with status {status}.")


def _read(answer: bytes) -> list[Found]:
    try:
        document: Any = loads(answer)
    except InvalidJSON as error:
        raise SearchFailed("SearXNG did not answer in JSON: is this the address of an instance?") from error
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, list):
        raise SearchFailed("SearXNG's answer holds no list of results.")
    return [
        Found(_text(item.get("title")), item["url"], _text(item.get("content")), _text(item.get("publishedDate"))[:10])
        for item in results
        if isinstance(item, dict) and isinstance(item.get("url"), str)
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
