"""Structured output: an answer that was to be JSON is JSON, whatever the provider takes and the model says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from neuroflow_proxy.demo.provider import DemoProvider
from neuroflow_proxy.demo.script import Status, finish, in_turn, reasoning, role, text, tool_call
from neuroflow_proxy.provider import retry
from tests.grammar import Said, listen, parse_sse
from tests.serving import proxy_before

SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}
FORM = '{"title": "Kůň"}'


@pytest.fixture
def provider() -> DemoProvider:
    return DemoProvider(limits=None)


@pytest.fixture
def url(provider: DemoProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(retry, "_FIRST_WAIT_S", dict.fromkeys(retry._FIRST_WAIT_S, 0.01))
    with proxy_before(provider, tmp_path) as url:
        yield url


def said(url: str, **more: Any) -> Said:
    body = {
        "model": "kimi-k2.5",
        "max_tokens": 999,
        "messages": [{"role": "user", "content": "A title, please."}],
        "tools": [],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        "stream": True,
    }
    response = httpx.post(f"{url}/v1/messages", json={**body, **more}, timeout=30)
    assert response.status_code == 200, response.text
    return listen(parse_sse(response.content))


def says(words: str, reason: str = "stop") -> list[Any]:
    return [*role(), *text(words, pieces=3), *finish(reason)]


def test_a_provider_that_takes_schemas_is_asked_once(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn(says(FORM))
    assert said(url).text == FORM
    (request,) = provider.requests
    assert request.body["response_format"]["json_schema"]["schema"]["required"] == ["title"]


@pytest.mark.parametrize("takes_json_mode", [True, False])
def test_a_provider_that_refuses_schemas_is_told_in_words(
    provider: DemoProvider, url: str, takes_json_mode: bool
) -> None:
    def script(body: Any) -> Any:
        kind = body.get("response_format", {}).get("type")
        if kind == "json_schema" or (kind == "json_object" and not takes_json_mode):
            return [Status(400, {"error": {"message": "response_format is not supported", "param": "response_format"}})]
        return says(f"Here it is:\n```json\n{FORM}\n```")

    provider.script = script
    assert said(url).text == FORM
    last = provider.requests[-1].body
    assert last.get("response_format") == ({"type": "json_object"} if takes_json_mode else None)
    assert '"title"' in last["messages"][0]["content"]
    asked = len(provider.requests)
    assert said(url).text == FORM
    assert len(provider.requests) == asked + 1, "what was learned is not learned again"


@pytest.mark.parametrize("words", ["I think that a horse is best.", "", '{"name": "wrong"}', '{"title": 7}', "[]"])
def test_an_answer_that_is_not_what_was_asked_for_is_asked_for_once_more(
    provider: DemoProvider, url: str, words: str
) -> None:
    provider.script = in_turn(says(words), says(FORM))
    answer = said(url)
    assert (answer.text, answer.stop_reason) == (FORM, "end_turn")
    assert len(provider.requests) == 2
    assert "valid against the schema" in provider.requests[1].body["messages"][-1]["content"]


def test_of_two_such_answers_the_first_stands(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn(says("I cannot."), says("I really cannot."))
    assert said(url).text == "I cannot."
    assert len(provider.requests) == 2


def test_a_second_request_that_fails_leaves_the_first_answer(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn(says("I cannot."), [Status(403, {"error": {"message": "no"}})])
    answer = said(url)
    assert (answer.text, answer.error) == ("I cannot.", None)


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_what_was_cut_or_refused_is_not_asked_for_again(provider: DemoProvider, url: str, reason: str) -> None:
    provider.script = in_turn(says('{"title": "Ků', reason))
    assert said(url).text == '{"title": "Ků'
    assert len(provider.requests) == 1


def test_thoughts_and_calls_beside_it_stay_what_they_are(provider: DemoProvider, url: str) -> None:
    tool = {"name": "Read", "description": "d", "input_schema": {"type": "object", "properties": {}}}
    provider.script = in_turn(
        [*role(), *reasoning("hm"), *text("I read first."), *tool_call("Read", {}, id="c"), *finish("tool_calls")]
    )
    answer = said(url, tools=[tool])
    assert [block["type"] for block in answer.blocks] == ["thinking", "text", "tool_use"]
    assert answer.text == "I read first."
    assert len(provider.requests) == 1


def test_an_answer_that_is_not_streamed_is_the_same(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn(says("No."), says(f"```\n{FORM}\n```"))
    body = {
        "model": "kimi-k2.5",
        "max_tokens": 999,
        "messages": [{"role": "user", "content": "A title."}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }
    message = httpx.post(f"{url}/v1/messages", json=body).json()
    assert json.loads(message["content"][0]["text"]) == {"title": "Kůň"}
