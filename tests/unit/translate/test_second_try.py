"""Which turns have come to nothing, by their words and by what stood before them."""

from typing import Any

import pytest

from neuroflow_proxy.translate.request_kind import RequestKind
from neuroflow_proxy.translate.second_try import NUDGE, second_try

RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "done"}]}
AT_WORK: dict[str, Any] = {
    "tools": [{"name": "Read"}],
    "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}, RESULT],
}


def is_tried_again(said: str, body: Any = AT_WORK) -> bool:
    return second_try(body, RequestKind.MAIN, said) is not None


@pytest.mark.parametrize(
    "said",
    [
        *("Let me look.", "let's look", "Let us look…", "I'll look", "I will look", "I am going to look."),
        *("I'm going to look", "I need to look", "Next, I look.", "Next I look", "Now I'm looking", "Now I am looking"),
        *(
            "Now I have to look",
            "Now I must look",
            "The file is next:",
            "Looking…",
            "Why? If you look, you see it.\n\nLet me fix it.\n",
        ),
        *("I'll wait for the build.", "Let me wait until the server is up.", "I'll do what you asked for:"),
        *("I will change it as you suggested:", "I'll fix what you described."),
    ],
)
def test_an_announcement_at_the_end_is_no_end(said: str) -> None:
    again = second_try(AT_WORK, RequestKind.MAIN, said)
    assert again is not None
    assert again["messages"] == [
        *AT_WORK["messages"],
        {"role": "assistant", "content": said},
        {"role": "user", "content": NUDGE},
    ]
    assert again["tools"] == AT_WORK["tools"]


def test_who_may_call_no_tool_is_not_told_to_call_one() -> None:
    assert not is_tried_again("Let me look.", AT_WORK | {"tool_choice": {"type": "none"}})
    assert is_tried_again("Let me look.", AT_WORK | {"tool_choice": {"type": "auto"}})


@pytest.mark.parametrize(
    "said",
    [
        *(
            "I let me be.",
            "I looked: it is fine.",
            "Let me look. It is fine.",
            "Let me not do that",
            "I'll never do it",
        ),
        *("I will be here", "I'll leave it at that", "I need to stop", "Outlet me"),
        *(
            "Shall I? Let me see:",
            "Let me know:",
            "I need to know:",
            "Tell me know:",
            "Tell me whether:",
            "Tell me how:",
        ),
        *("I'll wait", "I'll wait for you:", "I'll wait until you are back:", "If you agree, I'll do it"),
        *("Once you agree I'll do it", "I'll go on when you say so", "I'll stay until you say so"),
        *("After you agree I will do it", "Unless you object I'll do it", "I need to see whether you agree"),
        *("I'll do which you like", "I will do what you like", "I'll do it how you like", "Before you go, let me ask:"),
        *("As soon as you agree I'll do it", "I'll do it with your approval", "I need to have your confirmation:"),
        "Shall I go on?\n\n" + "I'll wait for your answer:",
    ],
)
def test_what_is_said_to_the_user_is_an_end(said: str) -> None:
    assert not is_tried_again(said)


def test_a_long_text_is_an_answer_whatever_its_last_words() -> None:
    assert is_tried_again("x" * 488 + ". Let me go.")
    assert not is_tried_again("x" * 489 + ". Let me go.")


@pytest.mark.parametrize(
    ("change", "is_at_work"),
    [
        ({"tools": []}, False),
        ({"tools": None}, False),
        ({"messages": [{"role": "user", "content": "hi"}]}, False),
        ({"messages": [RESULT, {"role": "assistant", "content": "ok"}, {"role": "user", "content": "thanks"}]}, False),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}, False),
        ({"messages": []}, False),
        ({"messages": [RESULT, {"role": "system", "content": "a notice"}]}, True),
        ({"messages": [{**RESULT, "content": [*RESULT["content"], {"type": "text", "text": "a notice"}]}]}, True),
    ],
)
def test_only_who_is_at_work_can_have_stopped_half_way(change: Any, is_at_work: bool) -> None:
    assert is_tried_again("Let me look.", {**AT_WORK, **change}) is is_at_work


@pytest.mark.parametrize("kind", list(RequestKind))
def test_of_nothing_is_made_what_the_kind_of_request_allows(kind: RequestKind) -> None:
    thoughtless = {**AT_WORK, "thinking": {"type": "disabled"}}
    again = {RequestKind.MAIN: thoughtless, RequestKind.COMPACTION: AT_WORK, RequestKind.HELPER: AT_WORK}
    assert second_try(AT_WORK, kind, " \n") == again.get(kind)
    assert (second_try(AT_WORK, kind, "Let me look.") is not None) is (kind is RequestKind.MAIN)
    assert second_try(AT_WORK, kind, None) is None
