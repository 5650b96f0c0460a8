"""One search: the service that the user has chosen, within a time limit; what it found, cut down to what is told."""

import asyncio
from collections.abc import Sequence

from ..wire.web_search import Found
from .failure import SearchFailed
from .results import Domains, worth_telling

DDGS = "ddgs"
"""The value of the setting that is no URL."""
TIME_LIMIT_S = 15.0
MAX_QUERY_CHARS = 1_000
_MOST_SITES = 5
"""More operators than that, and engines find nothing."""


async def search(service: str | None, query: str, domains: Domains) -> Sequence[Found]:
    """What `service` (`ddgs`, or the URL of a SearXNG instance; None: searching is off) finds for a query.

    Raises `SearchFailed`.
    """
    return worth_telling(await _ask(service, query.strip(), domains), domains)


async def _ask(service: str | None, query: str, domains: Domains) -> list[Found]:
    if service is None:
        raise SearchFailed("It is not turned on (setting `web_search`).")
    if not query:
        raise SearchFailed("There is no query.", code="invalid_input")
    if len(query) > MAX_QUERY_CHARS:
        raise SearchFailed(f"The query is longer than {MAX_QUERY_CHARS} characters.", code="query_too_long")
    sites = [f"site:{entry}" for entry in domains.allowed]
    if 0 < len(sites) <= _MOST_SITES:
        query = f"{query} {' OR '.join(sites)}"
    try:
        async with asyncio.timeout(TIME_LIMIT_S):
            # Imported when first needed: most sessions never search.
            if service == DDGS:
                from .duckduckgo import search_ddgs

                return await search_ddgs(query)
            from .searxng import search_searxng

            return await search_searxng(service, query)
    except TimeoutError as error:
        raise SearchFailed(f"The search took longer than {TIME_LIMIT_S:.0f} s.") from error
