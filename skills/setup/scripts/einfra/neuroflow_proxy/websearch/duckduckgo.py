"""Asking public search engines through the package `ddgs`, which is an extra of the wheel."""

import asyncio
from typing import Any

from ..wire.web_search import Found
from .failure import SearchFailed

ENGINE_TIMEOUT_S = 8
"""For each engine that ddgs asks."""


async def search_ddgs(query: str) -> list[Found]:
    """What ddgs finds. Raises `SearchFailed`. The package knows only threads, so a search that is given up on ends in
    its own time."""
    return await asyncio.to_thread(_search, query)


def _search(query: str) -> list[Found]:
    try:
        from ddgs import DDGS
        from ddgs.exceptions import DDGSException, RatelimitException
    except ImportError as error:
        raise SearchFailed(
            "The package ddgs is not installed: `pip install 'neuroflow-proxy[search]'` installs it."
        ) from error
    try:
        items: list[dict[str, Any]] = DDGS(timeout=ENGINE_TIMEOUT_S).text(query, max_results=20)
    except RatelimitException as error:
        raise SearchFailed("The search engine is asked too often.", code="too_many_requests") from error
    except DDGSException as error:
        if "No results found" in str(error):
            return []
        raise SearchFailed(f"The search engine does not answer: {type(error).__name__}.") from error
    return [Found(str(item.get("title", "")), str(item.get("href", "")), str(item.get("body", ""))) for item in items]
