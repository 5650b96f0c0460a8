"""Conversations that were translated before: the same in the end, and only what is new is translated."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.models.learned import NOTHING_LEARNED, Learned
from neuroflow_proxy.models.profiles import FAMILIES, GENERIC, Profile, profile_for
from neuroflow_proxy.translate.history import History
from neuroflow_proxy.translate.request import ChatRequest, to_chat_request
from neuroflow_proxy.translate.tokens import estimate_input_tokens
from neuroflow_proxy.wire.codec import dumps_strictly
from tests.conversations import (
    JSON,
    assistant,
    histories,
    request,
    text,
    thinking,
    tool_result,
    tool_use,
    turns,
    user,
)

PROFILES = list({profile.family: profile for profile in (GENERIC, *(profile for _, profile in FAMILIES))}.values())
LESSONS = [NOTHING_LEARNED, Learned(no_images=True), Learned(reasoning_required=True)]


def no_pages(data: bytes) -> list[str]:
    return ["one", "two"]


def translated(
    body: JSON, history: History | None, profile: Profile = GENERIC, learned: Learned = NOTHING_LEARNED
) -> ChatRequest:
    return to_chat_request(
        body, model="some-model", profile=profile, learned=learned, read_pdf=no_pages, history=history
    )


def marked(messages: list[JSON]) -> list[JSON]:
    """As Claude Code sends them: the last block is marked for a cache."""
    messages = copy.deepcopy(messages)
    if isinstance(messages[-1]["content"], list) and messages[-1]["content"]:
        messages[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
    return messages


def work(rounds: int, result: str = "done", wish: str = "Mend the tests.") -> list[JSON]:
    """A wish and so many calls with their results."""
    return [
        user(wish),
        *(
            message
            for number in range(rounds)
            for message in (
                assistant(text("Look."), tool_use(f"toolu_{number}", arguments={"number": number})),
                user(tool_result(f"toolu_{number}", result)),
            )
        ),
    ]


def test_who_goes_back_further_than_is_remembered_is_translated_anew() -> None:
    history = History()
    translated(request(*work(20, "x" * 2_000)), history)
    back = [*work(2, "x" * 2_000), *work(2, "another way", "No, otherwise.")]
    assert translated(request(*back), history).body == translated(request(*back), None).body


def test_words_of_the_user_alone_can_be_sent_twice() -> None:
    history = History()
    for _ in range(2):
        body = request(*[user(text(str(number))) for number in range(6)])
        assert translated(body, history).body == translated(body, None).body


@given(
    histories(),
    st.lists(st.tuples(turns(), st.integers(0, 3), st.sampled_from(PROFILES), st.sampled_from(LESSONS)), max_size=6),
)
def test_what_is_remembered_changes_nothing(
    messages: list[JSON], steps: list[tuple[list[JSON], int, Profile, Learned]]
) -> None:
    history = History()
    for turn, taken_back, profile, learned in steps:
        messages = [*(messages[:-taken_back] if taken_back < len(messages) else messages), *turn]
        if taken_back == 2:
            messages = [*messages[:1], *turn, *messages[1:]]
        for body in (request(*marked(messages)), request(*messages)):
            assert translated(body, history, profile, learned) == translated(body, None, profile, learned)


@given(histories(), st.sampled_from(PROFILES))
def test_the_parts_of_an_estimate_are_the_whole(messages: list[JSON], profile: Profile) -> None:
    made = translated(request(*messages), None, profile)
    assert made.input_tokens == estimate_input_tokens(made.body)


def test_only_what_is_new_is_translated() -> None:
    history = History()
    before = translated(request(*marked(work(5))), history).body["messages"][1:]
    after = translated(request(*marked(work(6))), history).body["messages"][1:]
    same = [old is new for old, new in zip(before, after, strict=False)]
    assert same == [True] * (len(before) - 2) + [False] * 2, "the last turn was not known to be over"


@pytest.mark.parametrize("known", [0, 2, 50, 99])
def test_a_conversation_is_written_out_a_few_times_however_much_of_it_is_new(
    monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    messages = work(100, "done " * 200)
    history, written = History(), 0
    translated(request(*messages[: 2 * known + 1]), history)

    def counted(value: Any) -> bytes:
        nonlocal written
        data = dumps_strictly(value)
        written += len(data)
        return data

    monkeypatch.setattr("neuroflow_proxy.translate.history.dumps_strictly", counted)
    translated(request(*messages), history)
    assert 0 < written < 10 * len(dumps_strictly(messages))


def test_conversations_stand_beside_one_another() -> None:
    history = History()
    first = [translated(request(*work(5, f"of {number}")), history) for number in range(10)]
    again = [translated(request(*work(6, f"of {number}")), history) for number in range(10)]
    for old, new in zip(first, again, strict=True):
        assert old.body["messages"][5] is new.body["messages"][5]


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), ({"a": 1, "b": 2}, {"b": 2, "a": 1})])
def test_what_python_calls_equal_is_not_the_same(one: Any, other: Any) -> None:
    def body(value: Any) -> JSON:
        return request(user("x"), assistant(tool_use("toolu_1", arguments={"x": value})), *work(3))

    history = History()
    translated(body(one), history)
    assert translated(body(other), history) == translated(body(other), None)


def test_a_turn_that_goes_on_is_not_taken_for_a_finished_one() -> None:
    history = History()
    translated(request(*work(3), assistant("Done.")), history)
    longer = request(*work(3), user("And the others."), assistant("Done."), user("Thanks."))
    assert translated(longer, history) == translated(longer, None)


def test_another_manner_is_another_translation() -> None:
    body = request(*work(3), assistant(thinking("Hm."), text("Done.")), user("Go on."))
    history = History()
    for name in ("kimi-k2.6", "minimax-m2", "mistral-large", "kimi-k2.6"):
        profile = profile_for(name)
        assert translated(body, history, profile) == translated(body, None, profile)


def test_unknown_fields_are_counted_in_every_request() -> None:
    messages = work(4)
    messages[1]["mood"] = "good"
    history = History()
    for _ in range(2):
        assert translated(request(*messages), history).ignored == {"messages.mood": 1}


def test_no_more_is_kept_than_there_is_room_for() -> None:
    history = History()
    for number in range(100):
        translated(request(*work(3, wish=f"{number}")), history)
    assert len(history) == 32
    history = History()
    for number in range(20):
        translated(request(*work(1, "x" * 1_000_000, f"{number}"), *work(1)), history)
    before = len(history)
    assert 5 <= before <= 8
    translated(request(*work(2, "x" * 10_000_000)), history)
    assert len(history) == before, "what is larger than the room is not kept, and drives nothing out"
