"""Searching through the package ddgs: what it returns and raises becomes what we tell. The network is left out."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import ddgs
import ddgs.exceptions
import pytest

from neuroflow_proxy.websearch.duckduckgo import search_ddgs
from neuroflow_proxy.websearch.failure import SearchFailed
from neuroflow_proxy.wire.web_search import Found

Answer = Callable[[], list[dict[str, Any]]]


def answering(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    class Engine:
        def __init__(self, timeout: int) -> None:
            assert timeout > 0

        def text(self, query: str, *, max_results: int) -> list[dict[str, Any]]:
            assert (query, max_results > 0) == ("kůň", True)
            return answer()

    monkeypatch.setattr(ddgs, "DDGS", Engine)


def test_pages_are_what_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, lambda: [{"title": "T", "href": "https://a.example/", "body": "B"}])
    assert asyncio.run(search_ddgs("kůň")) == [Found("T", "https://a.example/", "B")]


def failing(error: Exception) -> Answer:
    def answer() -> list[dict[str, Any]]:
        raise error

    return answer


def test_nothing_found_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, failing(ddgs.exceptions.DDGSException("No results found.")))
    assert asyncio.run(search_ddgs("kůň")) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ddgs.exceptions.RatelimitException("202"), "too_many_requests"),
        (ddgs.exceptions.TimeoutException("slow"), "unavailable"),
        (ddgs.exceptions.DDGSException("what"), "unavailable"),
    ],
)
def test_its_failures_are_ours(monkeypatch: pytest.MonkeyPatch, error: Exception, code: str) -> None:
    answering(monkeypatch, failing(error))
    with pytest.raises(SearchFailed) as caught:
        asyncio.run(search_ddgs("kůň"))
    assert caught.value.code == code


def test_without_the_package_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ddgs", None)
    with pytest.raises(SearchFailed, match="pip install"):
        asyncio.run(search_ddgs("kůň"))
