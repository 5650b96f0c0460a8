"""The Anthropic SDK for Python as a client of the proxy: its helpers get what they expect."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic, beta_tool
from anthropic.types import MessageParam
from pydantic import BaseModel, Field

from neuroflow_proxy.demo.catalog import EINFRA_MODELS
from neuroflow_proxy.demo.provider import DemoProvider
from neuroflow_proxy.demo.script import Answer, Status, finish, role, text
from neuroflow_proxy.wire.messages_api import JSON
from tests.serving import proxy_before

MODEL = "kimi-k2.5"
USE_ADD = 'use add with `{"a": 2, "b": 40}`'
THINKING = {"type": "enabled", "budget_tokens": 2000}


class Book(BaseModel):
    title: str = Field(min_length=2)
    pages: list[int]


@beta_tool
def add(a: int, b: int) -> str:
    """Add two numbers.

    Args:
        a: The first.
        b: The second.
    """
    return f"the sum is {a + b}"


@pytest.fixture
def provider() -> DemoProvider:
    return DemoProvider()


@pytest.fixture
def base_url(provider: DemoProvider, tmp_path: Path) -> Iterator[str]:
    with proxy_before(provider, tmp_path) as url:
        yield url


@pytest.fixture
def client(base_url: str) -> Iterator[Anthropic]:
    with Anthropic(api_key="any", base_url=base_url, max_retries=0) as client:
        yield client


def user(words: str) -> MessageParam:
    return {"role": "user", "content": words}


def test_a_message_comes_whole_and_as_a_stream_of_the_same_words(client: Anthropic) -> None:
    whole = client.messages.create(model=MODEL, max_tokens=500, messages=[user("Hello, žluťoučký kůň!")])
    with client.messages.stream(model=MODEL, max_tokens=500, messages=[user("Hello, žluťoučký kůň!")]) as stream:
        streamed = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert "žluťoučký kůň" in streamed
    assert [block.text for block in whole.content if block.type == "text"] == [streamed]
    assert (whole.model, final.stop_reason) == (MODEL, "end_turn")
    assert whole.usage.input_tokens + (whole.usage.cache_read_input_tokens or 0) > 0
    assert final.usage.output_tokens == whole.usage.output_tokens > 0


def test_an_asynchronous_client_streams_as_well(base_url: str) -> None:
    async def ask() -> str:
        async with (
            AsyncAnthropic(auth_token="any", base_url=base_url, max_retries=0) as client,
            client.messages.stream(model=MODEL, max_tokens=500, messages=[user("Hello there!")]) as stream,
        ):
            return await stream.get_final_text()

    assert "Hello there!" in asyncio.run(ask())


def test_thoughts_come_before_the_answer_and_may_be_sent_back(client: Anthropic, provider: DemoProvider) -> None:
    with client.messages.stream(
        model=MODEL,
        max_tokens=8000,
        thinking=THINKING,  # type: ignore[arg-type]
        messages=[user("Hello there!")],
    ) as stream:
        kinds = [event.type for event in stream if event.type in ("thinking", "text")]
        answer = stream.get_final_message()
    assert kinds == sorted(kinds, reverse=True), "thinking first"
    thought, said = answer.content
    assert thought.type == "thinking"
    assert said.type == "text"
    assert thought.thinking
    history: list[MessageParam] = [user("Hello there!"), {"role": "assistant", "content": answer.content}]
    client.messages.create(
        model=MODEL,
        max_tokens=8000,
        thinking=THINKING,  # type: ignore[arg-type]
        messages=[*history, user("Again?")],
    )
    assert provider.requests[-1].body["messages"][1]["reasoning_content"] == thought.thinking


def test_a_tool_is_called_and_its_result_is_taken(client: Anthropic) -> None:
    tools = [add.to_dict()]
    history: list[MessageParam] = [user(USE_ADD)]
    calling = client.messages.create(model=MODEL, max_tokens=500, messages=history, tools=tools)
    (call,) = [block for block in calling.content if block.type == "tool_use"]
    assert (calling.stop_reason, call.name, call.input) == ("tool_use", "add", {"a": 2, "b": 40})
    history += [
        {"role": "assistant", "content": calling.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "it is 42"}]},
    ]
    answer = client.messages.create(model=MODEL, max_tokens=500, messages=history, tools=tools)
    assert "it is 42" in "".join(block.text for block in answer.content if block.type == "text")


@pytest.mark.parametrize("streams", [False, True])
def test_the_tool_runner_runs_to_the_end(client: Anthropic, streams: bool) -> None:
    runner = client.beta.messages.tool_runner(
        model=MODEL, max_tokens=500, messages=[user(USE_ADD)], tools=[add], stream=streams
    )
    final = runner.until_done()
    assert "the sum is 42" in "".join(block.text for block in final.content if block.type == "text")


@pytest.mark.parametrize("streams", [False, True])
def test_the_tool_runner_sends_the_whole_conversation(client: Anthropic, provider: DemoProvider, streams: bool) -> None:
    """At Anthropic's it sends only what is new, and the server remembers the rest."""
    messages: list[MessageParam] = [user("Hello there!"), {"role": "assistant", "content": "Hello."}, user(USE_ADD)]
    client.beta.messages.tool_runner(
        model=MODEL, max_tokens=500, system="Be kind.", messages=messages, tools=[add], stream=streams
    ).until_done()
    first, second = [request.body for request in provider.requests]
    assert second["tools"] == first["tools"]
    assert second["messages"][: len(first["messages"])] == first["messages"]
    assert [message["role"] for message in second["messages"][len(first["messages"]) :]] == ["assistant", "tool"]


def test_a_conversation_that_the_server_is_to_keep_is_refused(client: Anthropic, provider: DemoProvider) -> None:
    with pytest.raises(anthropic.BadRequestError, match="send all messages"):
        client.beta.messages.thread(model=MODEL, max_tokens=500).send("Hello there!")
    assert provider.requests == []


def test_a_form_is_filled_in(client: Anthropic) -> None:
    parsed = client.messages.parse(model=MODEL, max_tokens=500, messages=[user("Which book?")], output_format=Book)
    assert parsed.parsed_output == Book(title="Which book?", pages=[])


@pytest.mark.parametrize(
    "said",
    [
        '{"title": "Faust", "pages": [1]}',
        '```json\n{"title": "Faust", "pages": [1]}\n```',
        'Here it is:\n\n```json\n{"title": "Faust", "pages": [1]}\n```\n\nI hope that helps.',
    ],
)
@pytest.mark.parametrize("knows_json", [True, False])
def test_a_form_is_filled_in_where_the_provider_knows_no_schemas(
    client: Anthropic, provider: DemoProvider, said: str, knows_json: bool
) -> None:
    def without_schemas(body: JSON) -> Answer:
        form = body.get("response_format", {}).get("type")
        if form == "json_schema" or (form and not knows_json):
            return [Status(400, {"error": {"message": f"response_format: {form} is not supported"}})]
        return role() + text(said, pieces=5) + finish()

    provider.script = without_schemas
    parsed = client.messages.parse(model=MODEL, max_tokens=500, messages=[user("Which book?")], output_format=Book)
    assert parsed.parsed_output == Book(title="Faust", pages=[1])


def test_tokens_are_counted_about_right(client: Anthropic) -> None:
    message = user("Count these words, please. " * 200)
    counted = client.messages.count_tokens(model=MODEL, messages=[message], tools=[add.to_dict()]).input_tokens
    answer = client.messages.create(model=MODEL, max_tokens=20, messages=[message], tools=[add.to_dict()])
    told = answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0)
    assert counted == pytest.approx(told, rel=0.4)


def test_models_are_listed_and_found(client: Anthropic) -> None:
    listed = list(client.models.list())
    assert {model.display_name for model in listed} >= {model.id for model in EINFRA_MODELS}
    assert client.models.retrieve(listed[0].id).id == listed[0].id
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("no-such-model")


def test_a_refusal_is_an_error_of_its_kind(client: Anthropic, provider: DemoProvider) -> None:
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        client.messages.create(model=MODEL, max_tokens=-1, messages=[user("Hello!")])
    provider.script = lambda _: [Status(401, {"error": {"message": "Authentication Error"}})]
    with pytest.raises(anthropic.AuthenticationError):
        client.messages.create(model=MODEL, max_tokens=10, messages=[user("Hello!")])
