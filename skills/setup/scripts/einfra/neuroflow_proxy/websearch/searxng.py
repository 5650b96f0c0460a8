"""Asking a SearXNG instance (https://docs.searxng.org/dev/search_api.html) that the user has chosen.

Its address is the user's own word and may be this machine. It is asked nothing but searches, the way to it is found as
the way to the provider is, and redirects are not followed, so that it cannot send the proxy to another place of the
network.
"""

from typing import Any
from urllib.parse import urlencode

from ..errors import ProxyError
from ..provider.client import Endpoint, UpstreamClient
from ..wire.web_search import Found
from .failure import SearchFailed

LIMIT_S = 30.0  # the caller's is shorter
MAX_ANSWER_BYTES = 4 * 1024 * 1024


async def search_searxng(url: str, query: str) -> list[Found]:
    """What the instance at `url` finds. Raises `SearchFailed`."""
    path = f"/search?{urlencode({'q': query, 'format': 'json'})}"
    try:
        async with UpstreamClient() as client:
            status, _, _, document = await client.get_json(
                Endpoint(url.rstrip("/"), ""), path, limit_s=LIMIT_S, limit_bytes=MAX_ANSWER_BYTES
            )
    except ProxyError as error:  # not quoted: its words may hold the query
        raise SearchFailed(f"SearXNG cannot be reached ({error.kind}).") from error
    match status:
        case 200:
            return _read(document)
        case 403:
            raise SearchFailed("SearXNG refuses (403): `json` must be among `search.formats` in its settings.yml.")
        case 429:
            raise SearchFailed("SearXNG is asked too often (429).", code="too_many_requests")
        case _:
            raise SearchFailed(f"SearXNG answered with status {status}.")


def _read(document: Any) -> list[Found]:
    if document is None:
        raise SearchFailed("SearXNG did not answer in JSON: is this the address of an instance?")
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
