"""What Claude Code asks beside the conversation: titles, names, labels, summaries. The small model answers, at once."""

import re

import pytest

from neuroflow_proxy.wire.messages_api import JSON
from tests.e2e.claude import CURRENT
from tests.e2e.conftest import MODEL, SMALL_MODEL, Session
from tests.e2e.tui import at_a_terminal, say
from tests.e2e.upstream import words_of

pytestmark = pytest.mark.e2e

only_current = pytest.mark.parametrize("session_of_two", [CURRENT], indirect=True)
# Nobody but the proxy is to be reached: titles are among what Claude Code leaves out where traffic is not wanted.
ALL_TRAFFIC = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "", "HTTPS_PROXY": "http://127.0.0.1:9"}


def properties_of(body: JSON) -> list[str]:
    return list(body["response_format"]["json_schema"]["schema"]["properties"])


def small_ones(session: Session) -> list[JSON]:
    return [body for body in session.bodies if body["model"] == SMALL_MODEL]


@only_current
def test_a_session_gets_a_title_and_a_summary(session_of_two: Session) -> None:
    """A title comes with the first prompt that has some words in it."""
    session = session_of_two
    with at_a_terminal(session, env={**session.connection, **ALL_TRAFFIC}) as terminal:
        say(terminal, "I am Ada and want a bridge.")
        terminal.see("You said: I am Ada and want a bridge.")
        say(terminal, "Who am I?")
        terminal.see("You said: Who am I?")
        say(terminal, "/compact")
        terminal.see("Compacted")
        say(terminal, "Still there?")
        terminal.see("You said: Still there?")
    (title,) = small_ones(session)
    assert properties_of(title) == ["title"]
    assert "I am Ada and want a bridge." in words_of(title["messages"][-1])
    shown = re.findall(rb"\x1b\]0;([^\x07\x1b]*)", terminal.everything)
    assert any(b"I am Ada" in words for words in shown), shown
    # The summary is the main model's: it has read the conversation before, and finds it in its cache.
    *_, summing_up, after = [body for body in session.bodies if body["model"] == MODEL]
    assert "followed by a <summary> block" in words_of(summing_up["messages"][-1])
    assert "The user asked:" in words_of(after["messages"][1])


@only_current
@pytest.mark.nightly
def test_a_session_is_named_by_the_small_model(session_of_two: Session) -> None:
    session = session_of_two
    with at_a_terminal(session) as terminal:
        say(terminal, "I am Ada.")
        terminal.see("You said: I am Ada.")
        say(terminal, "/rename")
        terminal.see("Session renamed to:")
    (name,) = small_ones(session)
    assert properties_of(name) == ["name"]


def test_what_tools_did_is_labelled_by_the_small_model(session_of_two: Session) -> None:
    session = session_of_two
    labelled = {**session.connection, "CLAUDE_CODE_EMIT_TOOL_USE_SUMMARIES": "1"}
    finished = session.claude("Run `echo one > one.txt`.", env=labelled)
    (label,) = small_ones(session)
    assert "echo one > one.txt" in words_of(label["messages"][-1])
    (shown,) = [event for event in finished.events if event["type"] == "tool_use_summary"]
    assert shown["summary"]


def test_a_conversation_whose_tools_are_turned_off_is_the_main_models(session_of_two: Session) -> None:
    finished = session_of_two.claude("Hello there!", "--tools", "", "--effort", "high", tools="")
    assert "Hello there!" in finished.text
    (body,) = session_of_two.bodies
    assert not body.get("tools")
    assert body["model"] == MODEL
    assert body["chat_template_kwargs"]["thinking"] is True


def test_the_window_is_accounted_for_by_estimates(session_of_two: Session) -> None:
    """Claude Code counts by asking two dozen times at once; nothing of that goes to the provider."""
    finished = session_of_two.claude("/context")
    assert re.search(r"[1-9][\d.]*k?\s*/\s*262(\.1)?k", finished.text), finished.text
    assert session_of_two.bodies == []
