"""The body as a whole: what may stand in it, what is dropped, what is refused."""

from dataclasses import replace
from typing import Any

import pytest

from neuroflow_proxy.demo.strict import BASE, complaints
from neuroflow_proxy.errors import RequestError
from neuroflow_proxy.models.learned import Learned
from neuroflow_proxy.models.profiles import GENERIC, Profile, profile_for
from neuroflow_proxy.models.providers import adapted
from neuroflow_proxy.translate.request import ChatRequest, to_chat_request
from neuroflow_proxy.wire.codec import dumps
from tests.conversations import ADAPTIVE, JSON, PNG, assistant, image, request, text, thinking, user

DROPPED = {
    "metadata": {"user_id": '{"device_id":"d0","session_id":"5e55"}'},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "safeguards": [{"type": "dangerous_tool_use", "classifier_context": {}}],
    "speed": "fast",
    "betas": ["context-1m-2025-08-07"],
    "service_tier": "auto",
    "mcp_servers": [],
    "container": None,
    "diagnostics": {"previous_message_id": "msg_1"},
}


def translated(body: Any, profile: Profile = GENERIC, *, model: str = "m", **more: Any) -> ChatRequest:
    return to_chat_request(body, model=model, profile=profile, **more)


def test_nothing_of_anthropics_leaves() -> None:
    blocks = [text("hi"), {**image(), "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    history = [
        user(*blocks),
        assistant({**thinking("hm"), "signature": "s1gn"}, {**text("yes"), "citations": []}),
        user("go"),
    ]
    made = translated(request(*history, **DROPPED, **ADAPTIVE), profile_for("kimi-k2.5"))
    sent = dumps(made.body).decode()
    for word in (
        "cache_control",
        "ephemeral",
        "s1gn",
        "device_id",
        "5e55",
        "context",
        "safeguards",
        "budget",
        "billing",
    ):
        assert word not in sent
    assert made.ignored == {}


def test_fields_that_nobody_knows_are_ignored_and_counted() -> None:
    body = request({**user({**text("hi"), "sparkle": 1}, {**text("ho"), "sparkle": 1}), "mood": 2}, glitter={"a": 1})
    made = translated(body)
    assert made.ignored == {"glitter": 1, "messages.mood": 1, "content.text.sparkle": 2}
    assert translated(request(user("hi\n\nho"))).body == made.body


def test_what_cannot_change_stands_first_and_the_order_is_always_the_same() -> None:
    fields = {"temperature": 0.5, "stop_sequences": ["x"], "tool_choice": {"type": "any"}, **ADAPTIVE}
    made = translated(request(user("hi"), **fields), profile_for("kimi-k2.5")).body
    assert list(made)[:3] == ["model", "tools", "messages"]
    assert list(made)[3:] == [
        *("tool_choice", "chat_template_kwargs", "stop", "temperature", "max_tokens", "stream", "stream_options"),
    ]


def test_the_provider_is_always_asked_for_a_stream_with_usage() -> None:
    for stream in (True, False, None):
        made = translated(request(user("hi"), stream=stream))
        assert made.body["stream"] is True
        assert made.body["stream_options"] == {"include_usage": True}
        assert made.stream is (stream is True)


def test_the_model_is_ours_and_the_clients_name_for_it_is_remembered() -> None:
    made = translated(request(user("hi")), model="kimi-k2.5")
    assert (made.body["model"], made.model, made.client_model) == ("kimi-k2.5", "kimi-k2.5", "claude-opus-5-5")


# --- the system prompt


@pytest.mark.parametrize(
    ("system", "prompt"),
    [
        (None, None),
        ("", None),
        ([], None),
        (" \n", None),
        ("Be brief.", "Be brief."),
        ([text("Be brief."), text(""), text("Be kind.")], "Be brief.\n\nBe kind."),
        (
            [text("x-anthropic-billing-header: cc_version=2.1.330.f8c; cc_entrypoint=cli;"), text("Be brief.")],
            "Be brief.",
        ),
        ("x-anthropic-billing-header: cc_version=2;\nBe brief.", "Be brief."),
        ("x-anthropic-billing-header: cc_version=2;", None),
        ("About x-anthropic-billing-header: a header.", "About x-anthropic-billing-header: a header."),
    ],
)
def test_the_system_prompt_is_one_message_in_front(system: Any, prompt: str | None) -> None:
    made = translated({**request(user("hi"), tools=[]), "system": system}).body["messages"]
    assert made == [*([{"role": "system", "content": prompt}] if prompt else []), {"role": "user", "content": "hi"}]


def test_two_conversations_of_the_same_client_begin_with_the_same_bytes() -> None:
    def prompt(version: str) -> bytes:
        line = text(f"x-anthropic-billing-header: cc_version=2.1.330.{version};")
        return dumps(translated(request(user("hi"), system=[line, text("Be brief.")])).body)

    assert prompt("f8c") == prompt("1cb")


# --- sampling, limits


@pytest.mark.parametrize(
    ("fields", "model", "sent"),
    [
        ({"temperature": 0.3}, "m", {"temperature": 0.3}),
        ({"temperature": 1.5}, "m", {"temperature": 1.5}),
        ({"temperature": 1.5}, "kimi-k2.5", {"temperature": 1.0}),
        ({"temperature": -1}, "m", {"temperature": 0}),
        ({"top_p": 0}, "m", {"top_p": 0.01}),
        ({"top_p": 7}, "m", {"top_p": 1}),
        ({"top_k": 40}, "kimi-k2.5", {"top_k": 40}),
        ({"top_k": 0}, "kimi-k2.5", {}),
        ({"top_k": 40}, "m", {}),
        ({"temperature": None, "top_p": None, "top_k": None}, "m", {}),
    ],
)
def test_sampling_stays_within_what_the_provider_takes(fields: JSON, model: str, sent: JSON) -> None:
    made = translated(request(user("hi"), **fields), profile_for(model)).body
    assert {name: made[name] for name in ("temperature", "top_p", "top_k") if name in made} == sent


def test_more_than_four_stop_sequences_are_our_own_affair() -> None:
    made = translated(request(user("hi"), stop_sequences=["a", "b", "a", "", "c", "d", "e"]))
    assert made.body["stop"] == ["a", "b", "c", "d"]
    assert made.stop_sequences == ("e",)


def test_stop_sequences_that_the_provider_refuses_are_our_own_affair() -> None:
    made = translated(request(user("hi"), stop_sequences=["a"]), learned=Learned(dropped_params=frozenset({"stop"})))
    assert "stop" not in made.body
    assert made.stop_sequences == ("a",)


def test_stop_sequences_do_not_end_the_reasoning() -> None:
    body = request(user("hi"), stop_sequences=["a"], **ADAPTIVE)
    reasons, answers = translated(body, profile_for("kimi-k2.5")), translated(body, profile_for("qwen3-coder"))
    assert ("stop" in reasons.body, reasons.stop_sequences) == (False, ("a",))
    assert (answers.body["stop"], answers.stop_sequences) == (["a"], ())


def test_the_answer_is_limited_by_what_the_client_the_model_and_the_window_allow() -> None:
    def limit(asked: int | None, **learned: Any) -> int | None:
        made = translated(request(user("hi"), max_tokens=asked), learned=Learned(**learned))
        found: int | None = made.body.get("max_tokens")
        return found

    assert limit(32_000) == 32_000
    assert limit(32_000, max_output_tokens=8_192) == 8_192
    assert 15_000 < (limit(32_000, context_window=16_384) or 0) < 16_384
    assert limit(32_000, context_window=100) == 1_024, "the provider then says what its window is"
    assert limit(0) == 1
    assert limit(None) is None


def test_the_longer_the_conversation_the_less_is_left_for_the_answer() -> None:
    body = request(user("word " * 100_000), max_tokens=64_000)
    made = translated(body, learned=Learned(context_window=131_072)).body
    assert 1_024 < made["max_tokens"] < 24_000
    more = translated(body, learned=Learned(context_window=131_072), token_factor=1.2).body
    assert more["max_tokens"] == 1_024


def test_the_window_is_divided_between_the_conversation_and_the_answer() -> None:
    made = translated(request(user("word " * 50_000), max_tokens=128_000), learned=Learned(context_window=131_072))
    assert made.body["max_tokens"] + round(made.input_tokens * 1.1) == 131_072


def test_a_model_writes_no_more_than_it_can() -> None:
    profile = replace(GENERIC, max_output_tokens=4_000)
    assert translated(request(user("hi"), max_tokens=32_000), profile).body["max_tokens"] == 4_000
    learned = Learned(max_output_tokens=8_000)
    assert translated(request(user("hi"), max_tokens=32_000), profile, learned=learned).body["max_tokens"] == 8_000


def test_where_the_client_can_shorten_the_conversation_an_answer_has_room() -> None:
    """Claude Code compacts from its second answer on; the summary itself must have room as well."""

    def least(*history: JSON, asked: int = 32_000) -> int:
        made = translated(request(*history, max_tokens=asked), learned=Learned(context_window=100))
        assert made.least_output == made.body["max_tokens"]
        return made.least_output

    turn = [user("hi"), assistant("yes")]
    assert least(*turn, user("go on")) == 1_024
    assert least(*turn, *turn, user("go on")) == 8_192
    assert least(*turn, user("Write an <analysis> block followed by a <summary> block.")) == 8_192
    assert least(*turn, *turn, user("go on"), asked=2_000) == 2_000


def test_a_provider_may_have_another_word_for_the_limit() -> None:
    profile = adapted(GENERIC, "https://api.openai.com/v1")
    made = translated(request(user("hi"), max_tokens=5_000), profile).body
    assert (made["max_completion_tokens"], "max_tokens" in made) == (5_000, False)


def test_what_the_provider_refused_is_not_sent_again() -> None:
    refused = frozenset({"temperature", "chat_template_kwargs", "stream_options", "parallel_tool_calls"})
    fields = {"temperature": 0.5, "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}, **ADAPTIVE}
    made = translated(request(user("hi"), **fields), profile_for("kimi-k2.5"), learned=Learned(dropped_params=refused))
    assert not refused & made.body.keys()
    assert complaints(made.body, BASE) == []


# --- what is refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": None}, "model: Input should be a string, not null"),
        ({"stream": "yes"}, "stream: Input should be a boolean, not a string"),
        (
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": 1}},
            "tool_choice.disable_parallel_tool_use: Input should be a boolean, not an integer",
        ),
        ({"messages": None}, "messages: Input should be an array, not null"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": ["hi"]}, "messages.0: Input should be an object, not a string"),
        ({"messages": [{"content": "hi"}]}, "messages.0.role: Field required"),
        (
            {"messages": [{"role": "tool", "content": "hi"}]},
            "messages.0.role: Input should be 'user', 'assistant' or 'system'",
        ),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        (
            {"messages": [{"role": "user", "content": 1}]},
            "messages.0.content: Input should be a string or an array, not an integer",
        ),
        ({"messages": [user("hi"), user({"text": "x"})]}, "messages.1.content.0.type: Field required"),
        ({"messages": [user({"type": "text"})]}, "messages.0.content.0.text: Field required"),
        (
            {"messages": [user({"type": "text", "text": 1})]},
            "messages.0.content.0.text: Input should be a string, not an integer",
        ),
        (
            {"messages": [user({"type": "image", "source": 1})]},
            "messages.0.content.0.source: Input should be an object, not an integer",
        ),
        ({"messages": [user({"type": "tool_result"})]}, "messages.0.content.0.tool_use_id: Field required"),
        (
            {"messages": [user({"type": "tool_result", "tool_use_id": "a", "content": 1})]},
            "messages.0.content.0.content: Input should be a string or an array, not an integer",
        ),
        (
            {"messages": [user({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "image"}]})]},
            "messages.0.content.0.content.0.source: Field required",
        ),
        (
            {"messages": [user({"type": "image", "source": {"type": "base64", "media_type": 1}})]},
            "messages.0.content.0.source.media_type: Input should be a string, not an integer",
        ),
        (
            {"messages": [user({"type": "document", "source": {"type": "content", "content": 1}})]},
            "messages.0.content.0.source.content: Input should be a string or an array, not an integer",
        ),
        (
            {"messages": [user({"type": "search_result", "title": "T", "source": "S", "content": 1})]},
            "messages.0.content.0.content: Input should be an array, not an integer",
        ),
        (
            {"messages": [user({"type": "search_result", "title": "T", "source": "S", "content": [{"text": 1}]})]},
            "messages.0.content.0.content.0.text: Input should be a string, not an integer",
        ),
        ({"messages": [assistant({"type": "tool_use", "name": "x"})]}, "messages.0.content.0.id: Field required"),
        (
            {"messages": [user("hi"), {"role": "system", "content": [{"type": "image"}]}]},
            "messages.1.content.0.type: Input should be 'text'",
        ),
        ({"system": 1}, "system: Input should be a string or an array, not an integer"),
        ({"system": [1]}, "system.0: Input should be an object, not an integer"),
        ({"max_tokens": "many"}, "max_tokens: Input should be an integer, not a string"),
        ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
        ({"temperature": True}, "temperature: Input should be a finite number, not a boolean"),
        ({"temperature": float("nan")}, "temperature: Input should be a finite number, not a number"),
        ({"stop_sequences": "x"}, "stop_sequences: Input should be an array, not a string"),
        ({"stop_sequences": [1]}, "stop_sequences.0: Input should be a string, not an integer"),
        ({"thinking": "on"}, "thinking: Input should be an object, not a string"),
        ({"thinking": {"type": 1}}, "thinking.type: Input should be a string, not an integer"),
        ({"output_config": 1}, "output_config: Input should be an object, not an integer"),
        ({"output_config": {"format": {"type": "poem"}}}, "output_config.format.type: Input should be 'json_schema'"),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": 1}}},
            "output_config.format.schema: Input should be an object, not an integer",
        ),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema: Field required"),
        ({"tool_choice": {}}, None),
    ],
)
def test_a_field_that_cannot_be_read_is_refused_by_name(change: JSON, message: str | None) -> None:
    body = {**request(user("hi")), **change}
    if message is None:
        translated(body)
        return
    with pytest.raises(RequestError) as refused:
        translated(body)
    assert refused.value.message == message


def nested(levels: int) -> Any:
    return {"x": nested(levels - 1)} if levels else {}


def test_what_nests_too_deeply_is_refused_by_name() -> None:
    call = {"type": "tool_use", "id": "a", "name": "b", "input": nested(101)}
    deep_tool = {"name": "b", "input_schema": {"properties": nested(100)}}
    deep_format = {"format": {"type": "json_schema", "schema": nested(101)}}
    for change, field in [
        ({"messages": [user("hi"), assistant(call)]}, "messages.1.content.0.input"),
        ({"tools": [deep_tool]}, "tools.0.input_schema"),
        ({"output_config": deep_format}, "output_config.format.schema"),
    ]:
        with pytest.raises(RequestError) as refused:
            translated({**request(user("hi")), **change})
        assert refused.value.message == f"{field}: nested more than 100 levels deep"


def test_a_missing_field_is_refused_by_name() -> None:
    for name in ("model", "messages"):
        body = request(user("hi"))
        del body[name]
        with pytest.raises(RequestError, match=rf"^{name}: Field required$"):
            translated(body)


@pytest.mark.parametrize("body", [None, [], "hi", 1])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(RequestError, match=r"^body: Input should be an object"):
        translated(body)


def test_a_complaint_never_quotes_what_the_user_wrote() -> None:
    with pytest.raises(RequestError) as refused:
        translated({**request(user("hi")), "system": [{"type": "text", "text": ["secret"]}]})
    assert "secret" not in refused.value.full_message


def test_large_images_pass_unchanged() -> None:
    data = PNG.rstrip("=") * 200_000
    made = translated(request(user(image(data)))).body["messages"][-1]["content"]
    assert made[0]["image_url"]["url"].removeprefix("data:image/png;base64,") == data
