"""The conversation: who says what, in which order, whatever shape the history has."""

from typing import Any

import pytest

from neuroflow_proxy.demo.rules.families import alternating_roles
from neuroflow_proxy.demo.strict import BASE, complaints
from neuroflow_proxy.models.learned import Learned
from neuroflow_proxy.models.profiles import profile_for
from neuroflow_proxy.translate.request import ChatRequest, to_chat_request
from neuroflow_proxy.wire.codec import loads
from tests.conversations import (
    ADAPTIVE,
    BASH,
    JSON,
    PNG,
    assistant,
    image,
    request,
    system,
    text,
    thinking,
    tool_result,
    tool_use,
    user,
)

NEWS = "<system-reminder>\nnews\n</system-reminder>"
DATA_URL = f"data:image/png;base64,{PNG}"


def translated(*history: JSON, model: str = "some-model", learned: Learned | None = None, **more: Any) -> ChatRequest:
    body = request(*history, system=None, **more)
    made = to_chat_request(body, model=model, profile=profile_for(model), learned=learned or Learned(), directive=False)
    assert complaints(made.body, BASE) == []
    return made


def messages(*history: JSON, **more: Any) -> list[JSON]:
    found: list[JSON] = translated(*history, **more).body["messages"]
    return found


def contents(*history: JSON, **more: Any) -> list[tuple[str, Any]]:
    return [(message["role"], message["content"]) for message in messages(*history, **more)]


def test_a_string_and_an_array_with_the_same_text_are_the_same() -> None:
    assert messages(user("hi\n")) == messages(user(text("hi\n")))
    assert messages(user("hi"), system("news")) == messages(user("hi"), system(text("news")))


def test_blocks_of_text_stand_below_one_another_as_they_came() -> None:
    blocks = [text("<system-reminder>a</system-reminder>\n"), text("  do it"), text("now ")]
    assert contents(user(*blocks)) == [("user", "<system-reminder>a</system-reminder>\n  do it\n\nnow ")]


def test_pieces_of_an_answer_are_put_together_without_a_seam() -> None:
    history = [user("hi"), assistant(text("Let me"), thinking("hm"), text(" look.")), user("do")]
    assert messages(*history)[1] == {"role": "assistant", "content": "Let me look."}


def test_text_and_calls_of_an_answer_are_one_message() -> None:
    answer = assistant(text("Looking."), tool_use("toolu_1"), tool_use("toolu_2", "Read", {"file_path": "ů"}))
    made = messages(user("hi"), answer, user(tool_result("toolu_1"), tool_result("toolu_2")))
    assert made[1]["content"] == "Looking."
    assert [call["function"]["name"] for call in made[1]["tool_calls"]] == ["Bash", "Read"]
    assert made[1]["tool_calls"][1]["function"]["arguments"] == '{"file_path":"ů"}'


def test_results_come_first_and_in_the_order_of_the_calls() -> None:
    answer = assistant(tool_use("toolu_1"), tool_use("toolu_2"))
    reply = user(text("and now?"), tool_result("toolu_2", "two"), text("well"), tool_result("toolu_1", "one"))
    assert contents(user("hi"), answer, reply)[2:] == [
        ("tool", "one"),
        ("tool", "two"),
        ("user", "and now?\n\nwell"),
    ]


def test_results_are_found_in_all_messages_before_the_next_answer() -> None:
    answer = assistant(tool_use("toolu_1"), tool_use("toolu_2"))
    history = [
        user("hi"),
        answer,
        user(tool_result("toolu_1", "one")),
        system("news"),
        user(tool_result("toolu_2", "two")),
    ]
    assert contents(*history)[2:] == [("tool", "one"), ("tool", f"two\n\n{NEWS}")]


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("out", "out"),
        ([text("one"), text("two")], "one\n\ntwo"),
        ("", "(no output)"),
        (None, "(no output)"),
        ([], "(no output)"),
        ([text(" ")], "(no output)"),
        ([{"type": "tool_reference", "tool_name": "WebFetch"}], "[tool WebFetch is now available and can be called]"),
        ([{"type": "hologram"}], "[content of type hologram not shown]"),
        ([{"type": "hologram", "text": "in words"}], "in words"),
        ([{"type": "hologram", "text": " "}], "[content of type hologram not shown]"),
        ([{"type": "hologram", "text": 7}], "[content of type hologram not shown]"),
        (
            [{"type": "search_result", "title": "T", "source": "https://a.b", "content": [text("found")]}],
            "T\nhttps://a.b\nfound",
        ),
    ],
)
def test_a_result_is_shown_as_text(content: Any, shown: str) -> None:
    made = contents(user("hi"), assistant(tool_use("toolu_1")), user(tool_result("toolu_1", content)))
    assert made[2:] == [("tool", shown)]


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("no such file", "Error: no such file"),
        ("Error: no such file", "Error: no such file"),
        ("<tool_use_error>no</tool_use_error>", "<tool_use_error>no</tool_use_error>"),
        ("", "Error"),
        ([text("no such file"), text("here")], "Error: no such file\n\nhere"),
        ([image(), text("as you see")], "Error\n\nas you see\n\n[1 image: shown below]"),
    ],
)
def test_the_model_sees_that_a_call_failed(content: Any, shown: str) -> None:
    reply = user(tool_result("toolu_1", content, is_error=True))
    assert contents(user("hi"), assistant(tool_use("toolu_1")), reply)[2] == ("tool", shown)


def test_several_images_of_a_result_are_counted() -> None:
    reply = user(tool_result("toolu_1", [image(), text("two plots"), image()]))
    result, shown = contents(user("hi"), assistant(tool_use("toolu_1", "Read")), reply)[2:]
    assert result == ("tool", "two plots\n\n[2 images: shown below]")
    assert shown[1][0] == {"type": "text", "text": "[2 images from the result of Read, call toolu_1]"}
    assert [part["type"] for part in shown[1]] == ["text", "image_url", "image_url"]


def test_images_of_results_follow_after_all_results() -> None:
    answer = assistant(tool_use("toolu_1", "Read"), tool_use("toolu_2"))
    reply = user(tool_result("toolu_1", [text("a plot"), image()]), tool_result("toolu_2", "two"), text("what is it?"))
    made = contents(user("hi"), answer, reply)
    assert made[2:4] == [("tool", "a plot\n\n[1 image: shown below]"), ("tool", "two")]
    assert made[4][1] == [
        {"type": "text", "text": "[1 image from the result of Read, call toolu_1]"},
        {"type": "image_url", "image_url": {"url": DATA_URL}},
        {"type": "text", "text": "what is it?"},
    ]


def test_where_no_user_may_speak_after_a_tool_the_text_joins_the_result() -> None:
    history = [user("hi"), assistant(tool_use("toolu_1")), user(tool_result("toolu_1", "one"), text("go on"))]
    made = messages(*history, model="mistral-small-4")
    assert [(message["role"], message["content"]) for message in made[2:]] == [("tool", "one\n\ngo on")]


def test_where_no_user_may_speak_after_a_tool_images_are_announced() -> None:
    history = [user("hi"), assistant(tool_use("toolu_1")), user(tool_result("toolu_1", [image()]), text("go on"))]
    made = translated(*history, model="mistral-small-4")
    assert [message["role"] for message in made.body["messages"]] == ["user", "assistant", "tool", "assistant", "user"]
    assert complaints(made.body, (alternating_roles,)) == []


# --- images


@pytest.mark.parametrize("url", ["https://a.b/c.png", "http://127.0.0.1/c.png"])
def test_an_image_may_be_an_address(url: str) -> None:
    shown = contents(user({"type": "image", "source": {"type": "url", "url": url}}))
    assert shown == [("user", [{"type": "image_url", "image_url": {"url": url}}])]


@pytest.mark.parametrize(("named", "sent"), [("image/PNG", "image/png"), ("image/jpg", "image/jpeg")])
def test_an_image_has_the_type_that_providers_know(named: str, sent: str) -> None:
    [(_, [part])] = contents(user(image("AAAA", named)))
    assert part["image_url"]["url"] == f"data:{sent};base64,AAAA"


def test_a_model_that_cannot_see_is_told_that_there_was_an_image() -> None:
    omitted = "[image omitted: this model cannot see images]"
    assert contents(user(image(), text("what?")), model="glm-5.2") == [("user", f"{omitted}\n\nwhat?")]
    assert contents(user(image(), text("what?")), learned=Learned(no_images=True)) == [("user", f"{omitted}\n\nwhat?")]


@pytest.mark.parametrize(
    "source",
    [
        {"type": "base64", "media_type": "image/tiff", "data": "AAAA"},
        {"type": "url", "url": "file:///etc/passwd"},
        {"type": "file", "file_id": "file_1"},
    ],
)
def test_an_image_that_cannot_be_sent_is_named(source: JSON) -> None:
    [(_, shown)] = contents(user({"type": "image", "source": source}))
    assert shown.startswith("[image omitted: ")


# --- system messages in the course of the conversation


def test_a_system_message_is_folded_in_where_it_stands() -> None:
    history = [user("hi"), system("news"), assistant("yes"), user("more")]
    assert contents(*history) == [("user", f"{NEWS}\n\nhi"), ("assistant", "yes"), ("user", "more")]


def test_a_notice_after_a_result_joins_the_result() -> None:
    history = [user("hi"), assistant(tool_use("toolu_1")), user(tool_result("toolu_1", "one")), system("news")]
    assert contents(*history)[2:] == [("tool", f"one\n\n{NEWS}")]


def test_a_reminder_beside_a_result_joins_it_and_the_users_words_follow() -> None:
    reply = user(tool_result("toolu_1", "one"), text(NEWS), text("stop that"))
    assert contents(user("hi"), assistant(tool_use("toolu_1")), reply)[2:] == [
        ("tool", f"one\n\n{NEWS}"),
        ("user", "stop that"),
    ]


@pytest.mark.parametrize("said", ["<system-reminder> is what?", "what is </system-reminder>"])
def test_what_only_resembles_a_reminder_is_the_users_own(said: str) -> None:
    history = [user("hi"), assistant(tool_use("toolu_1")), user(tool_result("toolu_1", "one"), text(said))]
    assert contents(*history)[2:] == [("tool", "one"), ("user", said)]


def test_a_notice_after_an_answer_is_a_message_of_its_own() -> None:
    history = [user("hi"), assistant("yes"), system("news"), assistant("oh"), user("hm")]
    assert contents(*history)[2] == ("user", NEWS)


def test_what_is_wrapped_already_is_not_wrapped_again() -> None:
    assert contents(user("hi"), system(NEWS)) == [("user", f"{NEWS}\n\nhi")]


def test_empty_system_messages_leave_no_trace() -> None:
    empty = {"role": "system", "content": [], "output_config": {"effort": "medium"}}
    assert messages(user("hi"), empty, assistant("yes"), empty, user("more")) == messages(
        user("hi"), assistant("yes"), user("more")
    )


def test_system_messages_before_everything_are_part_of_the_system_prompt() -> None:
    assert contents(system("be brief"), user("hi")) == [("system", "be brief"), ("user", "hi")]


# --- histories of a shape that the Messages API would refuse


def test_a_call_without_a_result_gets_one_that_says_so() -> None:
    answer = assistant(tool_use("toolu_1"), tool_use("toolu_2"))
    assert contents(user("hi"), answer, user(tool_result("toolu_2", "two"), text("go on")))[2:] == [
        ("tool", "[no result: the call was interrupted]"),
        ("tool", "two"),
        ("user", "go on"),
    ]
    assert contents(user("hi"), assistant(tool_use("toolu_1")))[2:] == [
        ("tool", "[no result: the call was interrupted]")
    ]


def test_a_result_without_a_call_is_quoted() -> None:
    assert contents(user(tool_result("toolu_9", "left over"), text("hi"))) == [
        ("user", "[result of a tool call that is no longer in this conversation]\n\nleft over\n\nhi")
    ]


def test_of_two_results_the_first_counts() -> None:
    reply = user(tool_result("toolu_1", "first"), tool_result("toolu_1", "second"))
    assert contents(user("hi"), assistant(tool_use("toolu_1")), reply)[2:] == [("tool", "first")]


def test_two_calls_with_the_same_id_get_their_own_results() -> None:
    answer = assistant(tool_use("toolu_1"), tool_use("toolu_1", "Read"))
    made = messages(user("hi"), answer, user(tool_result("toolu_1", "a"), tool_result("toolu_1", "b")))
    ids = [call["id"] for call in made[1]["tool_calls"]]
    assert len(set(ids)) == 2
    assert [(message["tool_call_id"], message["content"]) for message in made[2:]] == [(ids[0], "a"), (ids[1], "b")]


def test_an_id_that_comes_again_in_a_later_turn_is_another_call() -> None:
    turn = [assistant(tool_use("call_0")), user(tool_result("call_0"))]
    made = messages(user("hi"), *turn, *turn)
    assert made[1]["tool_calls"][0]["id"] == "call_0" != made[3]["tool_calls"][0]["id"]


def test_two_answers_in_a_row_are_one_below_the_other() -> None:
    history = [user("hi"), assistant(text("on"), text("e")), assistant("two"), user("more")]
    assert contents(*history)[1] == ("assistant", "one\n\ntwo")


def test_neighbours_of_the_same_role_become_one_message() -> None:
    history = [user("a"), user("b"), assistant("c"), assistant(tool_use("toolu_1")), user(tool_result("toolu_1"))]
    assert [message["role"] for message in messages(*history)] == ["user", "assistant", "tool"]
    assert contents(*history)[:2] == [("user", "a\n\nb"), ("assistant", "c")]


@pytest.mark.parametrize("said", ["", " \n", []])
def test_an_empty_message_is_marked_as_empty(said: Any) -> None:
    history = [user("hi"), {"role": "assistant", "content": said}, {"role": "user", "content": said}]
    assert contents(*history)[1:] == [("assistant", "(no content)"), ("user", "(no content)")]


def test_a_conversation_that_the_assistant_begins_is_preceded_by_a_user() -> None:
    assert contents(assistant("hello"), user("hi"))[0] == ("user", "(no content)")


def test_after_a_prefill_the_model_is_asked_to_go_on() -> None:
    made = contents(user("hi"), assistant("Once upon"))
    assert made[1] == ("assistant", "Once upon")
    assert made[2][0] == "user"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"a": [1, None, 0.5]}, '{"a":[1,null,0.5]}'),
        ({}, "{}"),
        (None, "{}"),
        ("echo hi", '{"input":"echo hi"}'),
        ([1], '{"input":[1]}'),
        ({"__unparsedToolInput": {"raw": "{", "len": 1}}, '{"__unparsedToolInput":{"raw":"{","len":1}}'),
        ({"a": "\ud800x"}, '{"a":"\ufffdx"}'),
    ],
)
def test_arguments_are_the_text_of_an_object(given: Any, sent: str) -> None:
    block = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": given}
    made = messages(user("hi"), assistant(block), user(tool_result("toolu_1")))
    arguments = made[1]["tool_calls"][0]["function"]["arguments"]
    assert arguments == sent
    assert isinstance(loads(arguments), dict)


# --- reasoning of earlier answers

THOUGHT = [user("hi"), assistant(thinking("hm, "), thinking("well"), tool_use("toolu_1")), user(tool_result("toolu_1"))]
THOUGHTLESS = [user("hi"), assistant(tool_use("toolu_1")), user(tool_result("toolu_1"))]


def reasoning(*history: JSON, **more: Any) -> JSON:
    answer = messages(*history, **more)[1]
    return {name: answer[name] for name in ("reasoning_content", "reasoning") if name in answer}


def test_reasoning_goes_back_to_a_model_that_reads_it() -> None:
    assert reasoning(*THOUGHT, model="kimi-k2.5") == {"reasoning_content": "hm, well", "reasoning": "hm, well"}
    assert reasoning(*THOUGHT, model="some-model") == {}


def test_reasoning_goes_back_in_tags_to_a_model_that_reads_those() -> None:
    assert messages(*THOUGHT, model="minimax-m2")[1]["content"] == "<think>\nhm, well\n</think>\n\n"


def test_where_reasoning_is_required_something_stands_in_for_it() -> None:
    assert reasoning(*THOUGHTLESS, model="kimi-k2.5", **ADAPTIVE)["reasoning_content"]
    assert reasoning(*THOUGHTLESS, model="kimi-k2.5") == {}, "it is required only while the model reasons"
    assert reasoning(*THOUGHTLESS, model="glm-5.2", **ADAPTIVE) == {}


def test_redacted_reasoning_counts_as_none() -> None:
    history = [user("hi"), assistant({"type": "redacted_thinking", "data": "x"}, tool_use("toolu_1")), *THOUGHTLESS[2:]]
    assert messages(*history, model="kimi-k2.5", **ADAPTIVE) == messages(*THOUGHTLESS, model="kimi-k2.5", **ADAPTIVE)


def test_what_a_provider_taught_about_reasoning_is_obeyed() -> None:
    refused = Learned(dropped_params=frozenset({"messages.reasoning_content"}))
    assert reasoning(*THOUGHT, model="kimi-k2.5", learned=refused) == {}
    required = Learned(reasoning_required=True)
    assert reasoning(*THOUGHT, learned=required) == {"reasoning_content": "hm, well"}
    assert reasoning(*THOUGHTLESS, learned=required)["reasoning_content"]


def test_a_server_tools_block_in_an_answer_is_told_in_words() -> None:
    answer = assistant(
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "kůň"}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": [
                {"type": "web_search_result", "title": "Horse", "url": "https://a.b", "encrypted_content": "x"}
            ],
        },
        text("A horse."),
    )
    said = messages(user("hi"), answer, user("thanks"))[1]["content"]
    assert said.split("\n") == [
        "",
        '[web_search: {"query":"kůň"}]',
        "",
        "[search results]",
        "- Horse: https://a.b",
        "A horse.",
    ]


def test_a_server_tool_of_another_kind_is_told_as_far_as_it_is_understood() -> None:
    found = [{"title": "Horse", "url": "https://a.b"}, {"title": "nowhere"}, {"url": 7}, "words"]
    answer = assistant(
        {"type": "server_tool_use", "id": "srvtoolu_1", "input": {"url": "https://a.b"}},
        {"type": "web_fetch_tool_result", "tool_use_id": "srvtoolu_1", "content": found},
    )
    assert messages(user("hi"), answer, user("thanks"))[1]["content"].split("\n") == [
        *("", '[server tool: {"url":"https://a.b"}]', "", "[search results]", "- Horse: https://a.b", "")
    ]


# --- searches that the model had made


SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def search(search_id: str) -> JSON:
    return {"type": "server_tool_use", "id": search_id, "name": "web_search", "input": {"query": search_id}}


def found(search_id: str) -> JSON:
    page = {"type": "web_search_result", "title": f"About {search_id}", "url": "https://a.b"}
    return {"type": "web_search_tool_result", "tool_use_id": search_id, "content": [page]}


@pytest.mark.parametrize(
    ("blocks", "told"),
    [
        ([text("I look."), search("s1"), found("s1"), text("It is so.")], "I look. +s1 / s1: About s1 / It is so."),
        (
            [search("s1"), search("s2"), found("s1"), found("s2"), text("So.")],
            "+s1 +s2 / s1: About s1 / s2: About s2 / So.",
        ),
        ([search("s1"), found("s1"), search("s2"), found("s2")], "+s1 / s1: About s1 / +s2 / s2: About s2"),
        ([search("s1"), tool_use("t1"), found("s1")], "+s1 +t1 / s1: About s1 / t1: done"),
        ([search("s1"), search("s2"), found("s1")], "+s1 +s2 / s1: About s1 / s2: [no result"),
        ([search("s1"), search("s2"), found("s2"), text("So.")], "So. +s1 +s2 / s2: About s2 / s1: [no result"),
        ([text("Gone."), found("s0")], "Gone.\n[search results]\n- About s0: https://a.b\n"),
    ],
)
def test_a_search_is_told_as_the_model_has_lived_it(blocks: list[JSON], told: str) -> None:
    """Each answer with its calls (+), then what each call has found, and then the answer that followed."""
    answered = [tool_result("t1")] if tool_use("t1") in blocks else [text("thanks")]
    made = messages(user("hi"), assistant(*blocks), user(*answered), tools=[SEARCH, BASH])[1:]
    lived = []
    for message in made[: -1 if answered == [text("thanks")] else None]:
        if message["role"] == "tool":
            lived.append(f"{message['tool_call_id']}: {message['content'].partition(':')[0].partition(chr(10))[0]}")
        else:
            calls = [f"+{call['id']}" for call in message.get("tool_calls", [])]
            lived.append(" ".join(filter(None, [message["content"], *calls])))
    assert " / ".join(lived) == told


def test_what_nobody_knows_is_named_in_few_words() -> None:
    name = "x" * 10_000
    made = translated(
        {**user({"type": name}, {**text("hi"), name: 1}), name: 1},
        user({"type": "image", "source": {"type": "base64", "media_type": name, "data": "AAAA"}}),
        user({"type": "image", "source": {"type": "url", "url": name}}),
        user({"type": "image", "source": {"type": name}}, {"type": "document", "source": {"type": name}}),
        tools=[{"name": "Bash", "input_schema": {}, name: 1}],
        **{name: 1},
    )
    assert len(made.ignored) == 5
    assert max(map(len, made.ignored)) < 100
    assert len(made.body["messages"][0]["content"]) < 1_000


def test_a_search_that_failed_is_told_in_words() -> None:
    failed = {"type": "web_search_tool_result", "tool_use_id": "s", "content": {"type": "error", "error_code": "x"}}
    assert messages(user("hi"), assistant(failed), user("thanks"))[1]["content"] == "\n[no result]\n"


def test_a_block_that_nobody_knows_is_left_out_of_an_answer_and_counted() -> None:
    made = translated(user("hi"), assistant({"type": "aura", "hue": 1}, text("yes")), user("thanks"))
    assert made.body["messages"][1]["content"] == "yes"
    assert made.ignored == {"content.aura": 1}


def test_the_clients_ids_of_all_calls_are_known() -> None:
    assert translated(*THOUGHT).known_ids == {"toolu_1"}
