"""Agents that the model sends: on another tier, and in the background."""

from html import unescape

import pytest

from tests.e2e.conftest import MODEL, SMALL_MODEL, Session
from tests.e2e.upstream import words_of

pytestmark = pytest.mark.e2e


def test_an_agent_of_another_tier_works_on_that_tiers_model(session_of_two: Session) -> None:
    session = session_of_two
    finished = session.claude("ask a haiku agent to `run echo done > done.txt`", tools="Agent,Bash")
    assert (session.project / "done.txt").read_text() == "done\n"
    assert [body["model"] for body in session.bodies] == [MODEL, SMALL_MODEL, SMALL_MODEL, MODEL]
    assert "Bash echo done > done.txt:" in words_of(session.bodies[-1]["messages"][-1])
    assert "Bash echo done > done.txt:" in finished.text


def test_an_agent_in_the_background_works_beside_and_reports_when_it_is_done(session: Session) -> None:
    session.claude(
        "ask an agent in the background to `run echo done > done.txt`, then run `echo meanwhile > meanwhile.txt`",
        tools="Agent,Bash",
    )
    assert (session.project / "done.txt").read_text() == "done\n"
    assert (session.project / "meanwhile.txt").read_text() == "meanwhile\n"
    # It comes with the next result or, where the turn is over by then, in a turn of its own.
    reported = [unescape(words_of(message)) for message in session.bodies[-1]["messages"]]
    (report,) = [words for words in reported if "<task-notification>" in words]
    assert "Bash echo done > done.txt:" in report
