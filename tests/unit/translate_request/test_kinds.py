"""Requests beside the conversation: told by their shape, asked for without reasoning and without a directive."""

from dataclasses import replace
from typing import Any

import pytest

from neuroflow_proxy.models.learned import Learned
from neuroflow_proxy.models.profiles import GENERIC, Profile, profile_for
from neuroflow_proxy.translate.policy import DIRECTIVE
from neuroflow_proxy.translate.request import ChatRequest, to_chat_request
from neuroflow_proxy.translate.request_kind import RequestKind, request_kind, search_query
from neuroflow_proxy.wire.codec import dumps
from tests.conversations import (
    ADAPTIVE,
    BASH,
    JSON,
    assistant,
    image,
    request,
    system,
    text,
    tool_result,
    tool_use,
    user,
)

NAME_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
FORMAT = {"output_config": {"effort": "high", "format": {"type": "json_schema", "schema": NAME_SCHEMA}}}
TRANSCRIPT = [text("<transcript>\n"), text('{"user":"hi"}\n'), text("</transcript>\n"), text("Respond with a verdict.")]
WISH = "CRITICAL: Respond with TEXT ONLY.\nWrite an <analysis> block followed by a <summary> block."
SEARCH_WISH = "Perform a web search for the query:"
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}


def without_tools(*messages: JSON, **more: Any) -> JSON:
    body = request(*messages, **more)
    del body["tools"]
    return body


KINDS: list[tuple[str, JSON, RequestKind]] = [
    ("a turn", request(user("hi")), RequestKind.MAIN),
    ("a chat without tools", without_tools(user("hi")), RequestKind.MAIN),
    ("a model check", without_tools(user(text("Hi")), max_tokens=1), RequestKind.PROBE),
    ("a quota check", request(user("quota"), tools=[], max_tokens=1), RequestKind.PROBE),
    ("a title", request(user(text("<conversation>…")), tools=[], **FORMAT), RequestKind.STRUCTURED),
    (
        "a title, older",
        request(user("x"), tools=[], output_format=FORMAT["output_config"]["format"]),
        RequestKind.STRUCTURED,
    ),
    (
        "a verdict",
        without_tools(user(*TRANSCRIPT), stop_sequences=["</severity>"], max_tokens=64),
        RequestKind.CLASSIFIER,
    ),
    ("a verdict, other words", without_tools(user("x"), stop_sequences=["</block>"]), RequestKind.CLASSIFIER),
    ("a verdict, second stage", without_tools(user(*TRANSCRIPT), max_tokens=8_192), RequestKind.CLASSIFIER),
    ("a compaction", request(user("hi"), assistant("yes"), user(WISH)), RequestKind.COMPACTION),
    (
        "a compaction without tools",
        without_tools(user("hi"), assistant("yes"), user(text(WISH))),
        RequestKind.COMPACTION,
    ),
    (
        "a search",
        request(user("Perform a web search for the query: kůň\n?"), tools=[SEARCH], tool_choice={"type": "auto"}),
        RequestKind.WEB_SEARCH,
    ),
    ("a search with room around", request(user(f"\n{SEARCH_WISH} kůň\n"), tools=[SEARCH]), RequestKind.WEB_SEARCH),
    ("a search that may be made", request(user(f"{SEARCH_WISH} kůň"), tools=[SEARCH, BASH]), RequestKind.MAIN),
    ("a search within a task", request(user(f"Then: {SEARCH_WISH} kůň"), tools=[SEARCH]), RequestKind.MAIN),
    (
        "a search in a conversation",
        request(user("hi"), assistant("yes"), user(f"{SEARCH_WISH} kůň"), tools=[SEARCH]),
        RequestKind.MAIN,
    ),
    (
        "a search about a picture",
        request(user(image(), text(f"{SEARCH_WISH} kůň")), tools=[SEARCH]),
        RequestKind.MAIN,
    ),
    ("stop sequences of a client", without_tools(user("hi"), stop_sequences=["</block", "END"]), RequestKind.MAIN),
    (
        "a verdict among other stop sequences",
        without_tools(user("x"), stop_sequences=["END", "</block>"]),
        RequestKind.CLASSIFIER,
    ),
    ("words about an analysis", request(user("What is <analysis>?")), RequestKind.MAIN),
    ("words about a summary", request(user("What is <summary>?")), RequestKind.MAIN),
    ("a prefilled answer", request(user("hi"), assistant(WISH)), RequestKind.MAIN),
    ("a question that may be searched for", request(user("Who won?"), tools=[SEARCH]), RequestKind.MAIN),
    ("a form that another client asks for", without_tools(user("x"), **FORMAT), RequestKind.MAIN),
    ("a web page", request(user("Web page content: …"), tools=[]), RequestKind.HELPER),
    ("a label", request(user("x"), tools=[], thinking={"type": "disabled"}), RequestKind.HELPER),
    ("a turn with all tools off", request(user("hi"), tools=[], **ADAPTIVE), RequestKind.MAIN),
    ("the same in a form", request(user("hi"), tools=[], **FORMAT, thinking={"type": "adaptive"}), RequestKind.MAIN),
    ("a later one", request(user("hi"), assistant("yes"), user("why?"), tools=[]), RequestKind.MAIN),
    (
        "a finished subagent",
        request(user("hi"), assistant("yes"), system("<summary>Agent done</summary>")),
        RequestKind.MAIN,
    ),
    (
        "a result about summaries",
        request(user("hi"), assistant(tool_use("a")), user(tool_result("a", WISH))),
        RequestKind.MAIN,
    ),
]


@pytest.mark.parametrize(("body", "kind"), [case[1:] for case in KINDS], ids=[case[0] for case in KINDS])
def test_the_kind_of_a_request_is_told_by_its_shape(body: JSON, kind: RequestKind) -> None:
    assert request_kind(body) is kind


@pytest.mark.parametrize(
    "body",
    [{}, {"tools": 1, "messages": 2}, {"messages": [1]}, {"tools": [1]}, {"stop_sequences": [{}]}, {"tools": {"a": 1}}],
)
def test_what_cannot_be_read_is_left_to_those_who_complain(body: JSON) -> None:
    assert request_kind(body) in (RequestKind.MAIN, RequestKind.HELPER)


def test_of_the_wish_for_a_search_the_query_alone_is_searched_for() -> None:
    assert search_query(request(user(f"{SEARCH_WISH} kůň\na vůz \n"), tools=[SEARCH])) == "kůň\na vůz"


def test_the_small_model_does_not_judge_on_safety_nor_write_the_summary() -> None:
    assert {kind for kind in RequestKind if not kind.is_small} == {
        RequestKind.MAIN,
        RequestKind.COMPACTION,
        RequestKind.CLASSIFIER,
    }


def translated(body: JSON, profile: Profile = GENERIC, *, directive: bool = True, **more: Any) -> ChatRequest:
    return to_chat_request(body, model="m", profile=profile, directive=directive, learned=Learned(**more))


def system_prompt(body: JSON, **more: Any) -> str:
    first = translated(body, **more).body["messages"][0]
    return str(first["content"]) if first["role"] == "system" else ""


@pytest.mark.parametrize(("body", "kind"), [case[1:] for case in KINDS], ids=[case[0] for case in KINDS])
def test_the_directive_is_for_those_who_act(body: JSON, kind: RequestKind) -> None:
    acts = kind in (RequestKind.MAIN, RequestKind.COMPACTION) and bool(body.get("tools"))
    assert system_prompt(body).endswith(DIRECTIVE) is acts
    assert DIRECTIVE not in system_prompt(body, directive=False)


def test_who_needs_no_directive_gets_none() -> None:
    assert DIRECTIVE not in str(translated(request(user("hi")), replace(GENERIC, needs_directive=False)).body)


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        (FORMAT, {"top_k"}),
        (FORMAT, {"tool_choice"}),
        ({}, {"response_format", "response_format.json_schema"}),
        ({"tool_choice": {"type": "none"}}, {"tool_choice"}),
        ({"tool_choice": {"type": "any"}}, {"top_k"}),
        ({"tool_choice": {"type": "tool", "name": "Bash"}}, {"tool_choice.function"}),
    ],
)
def test_nothing_is_said_in_words_but_what_was_refused_and_asked_for(fields: JSON, refused: set[str]) -> None:
    body = request(user("hi"), **fields)
    assert system_prompt(body, dropped_params=frozenset(refused)) == system_prompt(body)


def test_the_directive_is_short() -> None:
    assert len(DIRECTIVE) < 800


def test_a_compaction_begins_with_the_bytes_of_the_conversation() -> None:
    for model in ("kimi-k2.5", "deepseek-v3.2", "glm-5.2", "mistral-small-4", "some-model"):
        history = [user("hi"), assistant(tool_use("toolu_1")), user(tool_result("toolu_1")), assistant("done")]
        turn = translated(request(*history[:3], **ADAPTIVE), profile_for(model)).body
        compaction = translated(request(*history, user(WISH), **ADAPTIVE), profile_for(model)).body
        prefix = dumps({key: turn[key] for key in ("model", "tools", "messages")}).removesuffix(b"]}")
        assert dumps(compaction).startswith(prefix)


# --- reasoning

SWITCHES: list[tuple[str, JSON, JSON]] = [
    (
        "kimi-k2.5",
        {"chat_template_kwargs": {"thinking": True, "preserve_thinking": True}},
        {"chat_template_kwargs": {"thinking": False, "preserve_thinking": True}},
    ),
    ("deepseek-v3.2", {"chat_template_kwargs": {"thinking": True}}, {"chat_template_kwargs": {"thinking": False}}),
    (
        "glm-5.2",
        {"chat_template_kwargs": {"enable_thinking": True, "clear_thinking": False}},
        {"chat_template_kwargs": {"enable_thinking": False, "clear_thinking": False}},
    ),
    (
        "qwen3.5-122b",
        {"chat_template_kwargs": {"enable_thinking": True, "preserve_thinking": True}},
        {"chat_template_kwargs": {"enable_thinking": False, "preserve_thinking": True}},
    ),
    ("gpt-oss-120b", {"reasoning_effort": "high"}, {"reasoning_effort": "low"}),
    ("mistral-small-4", {"reasoning_effort": "high"}, {}),
    ("deepseek-v3.2-thinking", {}, {}),
    ("qwen3-coder", {}, {}),
    ("some-model", {}, {}),
]
ENABLED = {"thinking": {"type": "enabled", "budget_tokens": 20_000}}
_TOLD_BY_NOT_REASONING = (RequestKind.MAIN, RequestKind.HELPER, RequestKind.STRUCTURED)


def switches(body: JSON, model: str) -> JSON:
    made = translated(body, profile_for(model)).body
    return {name: made[name] for name in ("chat_template_kwargs", "reasoning_effort") if name in made}


@pytest.mark.parametrize(("model", "on", "off"), SWITCHES, ids=[case[0] for case in SWITCHES])
def test_reasoning_is_switched_as_the_family_has_it(model: str, on: JSON, off: JSON) -> None:
    assert switches(request(user("hi"), **ENABLED), model) == on
    assert switches(request(user("hi"), thinking={"type": "disabled"}), model) == off
    assert switches(request(user("hi")), model) == off, "absent means off, as in the Messages API"


@pytest.mark.parametrize(
    ("model", "effort", "reasons"),
    [
        *[
            ("kimi-k2.5", effort, effort in ("high", "xhigh", "max"))
            for effort in ("low", "medium", "high", "xhigh", "max")
        ],
        *[("glm-5.2", effort, effort in ("xhigh", "max")) for effort in ("low", "medium", "high", "xhigh", "max")],
        ("kimi-k2.5", None, True),
        ("kimi-k2.5", "unheard of", True),
        ("deepseek-v3.2", "high", False),
        ("deepseek-v3.2-thinking", "low", True),
        ("some-model", "max", False),
    ],
)
def test_left_to_the_model_reasoning_depends_on_the_effort(model: str, effort: str | None, reasons: bool) -> None:
    config = {"output_config": {"effort": effort}} if effort else {}
    body = request(user("hi"), thinking={"type": "adaptive"}, **config)
    assert translated(body, profile_for(model)).thinks is reasons


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"output_config": {"effort": "low"}}, "low"),
        ({"output_config": {"effort": "medium"}}, "medium"),
        ({"output_config": {"effort": "max"}}, "high"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1_024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10_000}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 31_999}}, "high"),
    ],
)
def test_the_effort_is_put_in_the_familys_words(fields: JSON, sent: str) -> None:
    body = request(user("hi"), **({"thinking": {"type": "enabled"}} | fields))
    assert switches(body, "gpt-oss-120b") == {"reasoning_effort": sent}


def test_the_most_effort_has_its_own_word_where_the_family_has_one() -> None:
    body = request(user("hi"), thinking={"type": "adaptive"}, output_config={"effort": "max"})
    assert switches(body, "deepseek-v4-pro") == {"chat_template_kwargs": {"thinking": True, "reasoning_effort": "max"}}


def test_a_way_to_reason_that_is_not_known_yet_leaves_it_to_the_model() -> None:
    body = request(user("hi"), thinking={"type": "as_you_like"})
    assert translated(body, profile_for("kimi-k2.5")).thinks
    assert not translated(body, profile_for("glm-5.2")).thinks


def test_the_effort_said_last_in_the_conversation_counts() -> None:
    notice = {"role": "system", "content": [], "output_config": {"effort": "low"}}
    body = request(user("hi"), assistant("yes"), user("go"), notice, **ADAPTIVE)
    assert not translated(body, profile_for("kimi-k2.5")).thinks


@pytest.mark.parametrize(
    ("body", "why"),
    [
        *[(body, name) for name, body, kind in KINDS if kind not in _TOLD_BY_NOT_REASONING],
        (request(user("hi"), max_tokens=1_024), "a small limit"),
        (request(user("hi"), tool_choice={"type": "any"}), "a forced tool"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_reasoning_where_it_would_be_in_the_way(body: JSON, why: str) -> None:
    made = translated({**body, "thinking": {"type": "enabled"}}, profile_for("kimi-k2.5"))
    assert not made.thinks, why
    assert made.body["chat_template_kwargs"]["thinking"] is False


def test_a_model_that_always_reasons_gets_room_to_answer() -> None:
    body = request(user("hi"), max_tokens=64)
    assert translated(body, profile_for("deepseek-v3.2-thinking")).body["max_tokens"] == 4_096
    assert translated(body, profile_for("kimi-k2.5")).body["max_tokens"] == 64
    assert translated({**body, "max_tokens": 1}, profile_for("gpt-oss-120b")).body["max_tokens"] == 1


# --- structured answers


def test_a_schema_for_the_answer_is_passed_on() -> None:
    made = translated(request(user("x"), tools=[], **FORMAT)).body
    assert made["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": NAME_SCHEMA, "strict": True},
    }


def test_a_schema_that_is_not_closed_is_not_called_strict() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    body = request(user("x"), tools=[], output_config={"format": {"type": "json_schema", "schema": schema}})
    assert translated(body).body["response_format"]["json_schema"] == {"name": "answer", "schema": schema}


@pytest.mark.parametrize(
    ("refused", "sent"), [("response_format.json_schema", {"type": "json_object"}), ("response_format", None)]
)
def test_a_schema_that_the_provider_refuses_is_said_in_words(refused: str, sent: JSON | None) -> None:
    made = translated(request(user("x"), tools=[], **FORMAT), dropped_params=frozenset({refused})).body
    assert made.get("response_format") == sent
    assert made["messages"][0]["content"].endswith(dumps(NAME_SCHEMA).decode())
