"""Web search, where somebody has turned it on: nobody but the log is told why a search comes to nothing."""

import asyncio
from collections.abc import Iterator

from ...settings import CustomLlm
from .check import Check

_QUERY = "Masaryk University"
_MEND = "Or another service: configure.py setup --web-search URL, or off."


def web_search(section: CustomLlm) -> Iterator[Check]:
    """Whether the service that was chosen finds anything."""
    if not section.web_search or section.proxy_mode == "direct":
        return
    from ...websearch.failure import SearchFailed
    from ...websearch.results import Domains
    from ...websearch.search import search

    try:
        found = asyncio.run(search(section.web_search, _QUERY, Domains()))
    except SearchFailed as failure:
        yield Check("web search", f"{section.web_search}: {failure.words}", _MEND)
    else:
        yield Check("web search", f"{section.web_search} finds {len(found)} pages for “{_QUERY}”.")
