"""Claude Code's WebSearch finds things, and says how it is turned on where it is off."""

import json

import pytest

from neuroflow_proxy.demo.script import finish, in_turn, role, text, tool_call
from tests.e2e.conftest import Session
from tests.e2e.tui import at_a_terminal, say
from tests.searxng import SearXNG
from tests.serving import serving

pytestmark = pytest.mark.e2e

SEARCHES = [*role(), *tool_call("WebSearch", {"query": "Masarykova univerzita"}, id="s1"), *finish("tool_calls")]
SAYS_IT = [*role(), *text("Founded in 1919."), *finish()]


def test_what_was_found_reaches_the_model_with_its_addresses(session: Session) -> None:
    searxng = SearXNG()
    session.provider.script = in_turn(SEARCHES, SAYS_IT)
    with serving(searxng) as url:
        session.proxy.set({"web_search": url})
        finished = session.claude("Who founded it?", tools="WebSearch")
    assert finished.text == "Founded in 1919."
    assert searxng.queries == ["Masarykova univerzita"]
    # Two turns of the conversation and no third request: a search needs no model.
    assert len(session.bodies) == 2
    told = str(session.bodies[1]["messages"][-1]["content"])
    assert "Founded in 1919 & still there." in told
    assert "https://www.muni.cz/en" in told
    (result,) = finished.blocks("tool_result")
    links = json.loads(result["content"].split("Links: ", 1)[1].split("\n", 1)[0])
    assert [link["title"] for link in links] == ["Masaryk University", "Žluťoučký kůň", "Guide"]


def test_domains_that_the_model_asks_for_are_honoured(session: Session) -> None:
    searxng = SearXNG()
    asked = {"query": "begin", "allowed_domains": ["example.org"]}
    session.provider.script = in_turn(
        [*role(), *tool_call("WebSearch", asked, id="s1"), *finish("tool_calls")], SAYS_IT
    )
    with serving(searxng) as url:
        session.proxy.set({"web_search": url})
        (result,) = session.claude("How do I begin?", tools="WebSearch").blocks("tool_result")
    assert searxng.queries == ["begin site:example.org"]
    assert "https://docs.example.org/guide/start" in result["content"]
    assert "muni.cz" not in result["content"]


def test_off_the_model_is_told_at_once_how_the_user_can_turn_it_on(session: Session) -> None:
    session.provider.script = in_turn(SEARCHES, SAYS_IT)
    finished = session.claude("Who founded it?", tools="WebSearch")
    assert finished.result["is_error"] is False
    told = str(session.bodies[1]["messages"][-1]["content"])
    assert "Web search error: unavailable" in told
    assert "not turned on" in told
    assert "/neuroflow:setup" in told


def test_a_person_sees_that_something_was_searched_for(session: Session) -> None:
    turns = in_turn(SEARCHES, SAYS_IT)
    # At a terminal the session's name is asked for as well, at any time, and without tools.
    session.provider.script = lambda body: turns(body) if "tools" in body else None
    with serving(SearXNG()) as url:
        session.proxy.set({"web_search": url})
        with at_a_terminal(session, "--allowedTools", "WebSearch") as terminal:
            say(terminal, "Who founded it?")
            terminal.see("Founded in 1919.")
            terminal.see("1 search")  # 2.1.197 draws it behind the answer at times
