"""The project's own corpus of leaks and look-alikes: in both channels, however they are cut."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.fragments import Finish, Fragment, Reasoning, Text, ToolCall
from neuroflow_proxy.rescue.stage import Rescue
from tests.leaks.negative import NEGATIVE
from tests.leaks.positive import POSITIVE, Leak
from tests.leaks.tools import TOOLS

Channel = type[Text] | type[Reasoning]
CHANNELS = pytest.mark.parametrize("channel", [Text, Reasoning])
LEAKS = pytest.mark.parametrize("leak", POSITIVE, ids=[leak.name for leak in POSITIVE])
LOOK_ALIKES = pytest.mark.parametrize("text", NEGATIVE.values(), ids=NEGATIVE.keys())


def run(*fragments: Fragment, tools: dict[str, Any] | None = None) -> list[Fragment]:
    stage = Rescue(TOOLS if tools is None else tools)
    out = [piece for fragment in fragments for piece in stage.feed([fragment])]
    return out + stage.finish()


def rescue(channel: Channel, *pieces: str, tools: dict[str, Any] | None = None) -> list[Fragment]:
    return run(*map(channel, pieces), Finish("stop"), tools=tools)


def said_in(channel: Channel, fragments: list[Fragment]) -> str:
    return "".join(fragment.text for fragment in fragments if isinstance(fragment, channel))


def calls_of(fragments: list[Fragment]) -> list[tuple[str, Any]]:
    return [(call.name, json.loads(call.arguments)) for call in fragments if isinstance(call, ToolCall)]


def check_leak(leak: Leak, channel: Channel, fragments: list[Fragment]) -> None:
    assert calls_of(fragments) == leak.calls
    assert said_in(channel, fragments) == leak.text
    other = Reasoning if channel is Text else Text
    assert not said_in(other, fragments)


def cut(text: str, places: list[int]) -> list[str]:
    return [text[a:b] for a, b in pairwise([0, *sorted(places), len(text)])]


def test_the_corpus_is_as_large_as_it_should_be() -> None:
    assert len({leak.raw for leak in POSITIVE}) >= 60
    assert len(set(NEGATIVE.values())) >= 40


@CHANNELS
@LEAKS
def test_a_leaked_call_becomes_a_call(leak: Leak, channel: Channel) -> None:
    check_leak(leak, channel, rescue(channel, leak.raw))


@CHANNELS
@LEAKS
def test_a_leaked_call_becomes_a_call_wherever_it_is_cut_in_two(leak: Leak, channel: Channel) -> None:
    for place in range(1, len(leak.raw)):
        check_leak(leak, channel, rescue(channel, leak.raw[:place], leak.raw[place:]))


@CHANNELS
@LEAKS
def test_a_leaked_call_that_comes_by_the_character_becomes_a_call(leak: Leak, channel: Channel) -> None:
    check_leak(leak, channel, rescue(channel, *leak.raw))


@CHANNELS
@LOOK_ALIKES
def test_a_look_alike_passes_unchanged_however_it_is_cut(text: str, channel: Channel) -> None:
    cuts = [[text], list(text), *([text[:place], text[place:]] for place in range(1, len(text)))]
    for pieces in cuts:
        fragments = rescue(channel, *pieces)
        assert not calls_of(fragments)
        assert said_in(channel, fragments) == text
        assert {type(fragment) for fragment in fragments} == {channel, Finish}


@LEAKS
def test_without_tools_a_leak_is_text(leak: Leak) -> None:
    if leak.name.startswith("harmony") or leak.name == "kimi-k3":
        return  # the frame is no text, with or without tools
    fragments = rescue(Text, leak.raw, tools={})
    assert said_in(Text, fragments) == leak.raw


@LEAKS
def test_in_a_code_block_a_leak_is_text(leak: Leak) -> None:
    text = f"So:\n~~~~~\n{leak.raw}\n~~~~~\n"
    fragments = rescue(Text, *text)
    assert said_in(Text, fragments) == text
    assert not calls_of(fragments)


@given(
    leak=st.sampled_from(POSITIVE),
    channel=st.sampled_from([Text, Reasoning]),
    places=st.lists(st.integers(0, 400), max_size=12),
)
def test_a_leaked_call_becomes_a_call_however_it_is_cut(leak: Leak, channel: Channel, places: list[int]) -> None:
    check_leak(leak, channel, rescue(channel, *cut(leak.raw, [min(place, len(leak.raw)) for place in places])))


@given(
    first=st.sampled_from(POSITIVE),
    second=st.sampled_from(POSITIVE),
    between=st.sampled_from(["\n\nAnd then:\n", " and ", "\n"]),
    places=st.lists(st.integers(0, 800), max_size=12),
)
def test_calls_in_different_grammars_come_out_in_order(
    first: Leak, second: Leak, between: str, places: list[int]
) -> None:
    needs_to_be_alone = ("llama-bare", "llama-python-bare", "begun-again", "unterminated")
    if any(word in leak.name for leak in (first, second) for word in needs_to_be_alone):
        return
    if second.raw.startswith("```") and not between.endswith("\n"):
        return  # a fence begins a line
    raw = first.raw + between + second.raw
    fragments = rescue(Text, *cut(raw, [min(place, len(raw)) for place in places]))
    assert calls_of(fragments) == first.calls + second.calls
