"""Answers in a form: valid the first time, whatever the provider can do for them."""

import json

import pytest
from jsonschema import validate

from neuroflow_proxy.demo.script import Answer, Status, finish, in_turn, role, text
from neuroflow_proxy.wire.messages_api import JSON
from tests.e2e.conftest import Session
from tests.e2e.upstream import tools_of, words_of

pytestmark = pytest.mark.e2e

SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 3},
        "pages": {"type": "array", "items": {"type": "integer", "minimum": 7}, "minItems": 2, "uniqueItems": False},
        "kind": {"enum": ["book", "paper"]},
        "remark": {"anyOf": [{"type": "null"}, {"type": "string"}]},
    },
    "required": ["title", "pages", "kind", "remark"],
    "additionalProperties": False,
}
HOOK = {"hooks": {"UserPromptSubmit": [{"hooks": [{"type": "prompt", "prompt": "Is this polite? $ARGUMENTS"}]}]}}


def test_a_schema_that_is_demanded_is_fulfilled_by_the_first_answer(session: Session) -> None:
    finished = session.claude("Which book is that?", "--json-schema", json.dumps(SCHEMA))
    validate(finished.result["structured_output"], SCHEMA)
    assert finished.result["structured_output"]["title"] == "Which book is that?"
    assert "StructuredOutput" in tools_of(session.bodies[0])
    assert len(session.bodies) == 1


@pytest.mark.nightly
def test_a_model_that_answers_in_prose_is_told_to_use_the_form(session: Session) -> None:
    session.provider.script = in_turn(role() + text("It is a book.") + finish(), None)
    finished = session.claude("Which book is that?", "--json-schema", json.dumps(SCHEMA))
    validate(finished.result["structured_output"], SCHEMA)
    assert len(session.bodies) == 2


def test_a_hook_may_ask_the_small_model_and_is_answered_in_its_form(session_of_two: Session) -> None:
    session = session_of_two
    finished = session.claude("Hello there!", "--settings", json.dumps(HOOK))
    asked, main = session.bodies
    assert "Is this polite?" in words_of(asked["messages"][-1])
    assert asked["response_format"]["type"] == "json_schema"
    assert asked["model"] != main["model"]
    assert "Hello there!" in finished.text


def test_a_hook_is_answered_by_a_provider_that_knows_no_schemas(session: Session) -> None:
    def without_schemas(body: JSON) -> Answer | None:
        form = body.get("response_format", {}).get("type")
        if form == "json_schema":
            return [Status(400, {"error": {"message": "response_format: json_schema is not supported"}})]
        if form == "json_object":
            return role() + text('```json\n{"ok": false, "reason": "too short"}\n```') + finish()
        return None

    session.provider.script = without_schemas
    session.claude("Hello there!", "--settings", json.dumps(HOOK), faults=[400])
    refused, asked, *main = session.bodies
    assert refused["response_format"]["type"] == "json_schema"
    assert asked["response_format"] == {"type": "json_object"}
    assert '"required":["ok","reason"]' in words_of(asked["messages"][0])
    assert main == [], "the hook said no"
