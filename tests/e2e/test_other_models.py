"""Sessions that change their model: taken up again by another one, or because the first is down."""

import json
from collections.abc import Callable

import pytest

from neuroflow_proxy.demo.script import Answer, Status
from neuroflow_proxy.wire.messages_api import JSON
from tests.e2e.conftest import MODEL, Session
from tests.e2e.upstream import words_of

pytestmark = pytest.mark.e2e

FAMILIES = ["kimi-k2.5", "mistral-small-4", "deepseek-v3.2-thinking", "glm-4.7", "gpt-oss-120b"]


@pytest.mark.parametrize("after", [FAMILIES[1], pytest.param(FAMILIES[2], marks=pytest.mark.nightly)])
def test_a_session_of_another_model_is_taken_up_with_all_its_calls(session: Session, after: str) -> None:
    (session.project / "a.txt").write_text("alpha")
    first = session.claude("Read a.txt, then run `echo one > one.txt`.")
    assert {body["model"] for body in session.bodies} == {MODEL}
    asked = len(session.bodies)
    finished = session.claude("Run `echo two > two.txt`.", "--resume", first.result["session_id"], "--model", after)
    assert (session.project / "two.txt").read_text() == "two\n"
    assert finished.text.startswith("Done.")
    resumed = session.bodies[asked:]
    assert {body["model"] for body in resumed} == {after}
    calls = [call["function"]["name"] for message in resumed[0]["messages"] for call in message.get("tool_calls", [])]
    assert calls == ["Read", "Bash"]
    assert "alpha" in json.dumps([words_of(message) for message in resumed[0]["messages"]])


def only_up(model: str) -> Callable[[JSON], Answer | None]:
    return lambda body: None if body["model"] == model else [Status(503, {"detail": "Service Unavailable"})]


def test_claude_codes_own_fallback_model_takes_over_where_the_first_is_down(session: Session) -> None:
    session.provider.script = only_up("qwen3.5-122b")
    finished = session.claude("Run `echo done > done.txt`.", "--fallback-model", "qwen3.5-122b", faults=[503])
    assert (session.project / "done.txt").read_text() == "done\n"
    assert {received.body["model"] for received in session.provider.requests if received.status == 200} == {
        "qwen3.5-122b"
    }
    assert "qwen3.5-122b" in finished.result["modelUsage"]


@pytest.mark.nightly
def test_a_fallback_of_the_proxys_own_goes_unnoticed(session: Session) -> None:
    session.proxy.set({"fallback_models": ["qwen3.5-122b"]})
    session.provider.script = only_up("qwen3.5-122b")
    finished = session.claude("Run `echo done > done.txt`.", faults=[503])
    assert (session.project / "done.txt").read_text() == "done\n"
    assert [event for event in finished.events if event.get("subtype") == "api_retry"] == []
    assert list(finished.result["modelUsage"]) == [MODEL]
