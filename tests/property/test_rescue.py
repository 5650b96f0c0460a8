"""Whatever a model writes and however it is cut, the rescue stage loses nothing and depends on no cut."""

import json
import time
import tracemalloc
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.fragments import Finish, Fragment, Reasoning, Text, ToolCall, Usage
from neuroflow_proxy.rescue import marks, spans
from neuroflow_proxy.rescue.stage import Rescue
from tests.leaks.negative import NEGATIVE
from tests.leaks.positive import POSITIVE
from tests.leaks.tools import TOOLS

Channel = type[Text] | type[Reasoning]

# What a lone closing tag does depends on what was passed on before it, and so on the cut; it has tests of its own.
MARKS = sorted(set(marks.GRAMMARS) | (set(spans.BY_OPENING) | spans.CLOSINGS) - set(spans.ORPHANS))
WORDS = [
    *(
        "Bash",
        "Read",
        "functions.Bash:0",
        "Nope",
        "command",
        "file_path",
        "pwd",
        " ",
        "\n",
        "\n\n",
        "`",
        "```",
        "```\n",
    ),
    *(
        '{"name": "',
        '"',
        '", "arguments": {"command": "',
        '"}}',
        "}",
        "{",
        "[",
        "]",
        "(",
        ")",
        "=",
        ":",
        ",",
        "'",
        "\\",
    ),
    *(
        ">",
        "<",
        "</",
        "/>",
        "|>",
        "｜",
        ' name="Bash">',
        "<parameter=command>",
        '<parameter name="command">',
        "</parameter>",
    ),
    *("</function>", "</invoke>", "</tool_call>", "<|tool_call_argument_begin|>", "<|tool_call_end|>", "<|message|>"),
    *(
        "<arg_key>",
        "</arg_key>",
        "<arg_value>",
        "</arg_value>",
        "analysis",
        "final",
        "commentary",
        " to=Bash",
        "<｜tool▁sep｜>",
    ),
]
texts = st.lists(
    st.one_of(
        st.sampled_from(MARKS),
        st.sampled_from(WORDS),
        st.sampled_from([mark[: len(mark) // 2] for mark in MARKS]),
        st.sampled_from([leak.raw for leak in POSITIVE]),
        st.sampled_from(list(NEGATIVE.values())),
        st.text(max_size=5),
    ),
    max_size=12,
).map("".join)
channels = st.sampled_from([Text, Reasoning])
places = st.lists(st.integers(0, 1500), max_size=20)


def outcome(fragments: list[Fragment]) -> tuple[str, str, list[tuple[str, Any]]]:
    return (
        "".join(fragment.text for fragment in fragments if isinstance(fragment, Text)),
        "".join(fragment.text for fragment in fragments if isinstance(fragment, Reasoning)),
        [(call.name, json.loads(call.arguments)) for call in fragments if isinstance(call, ToolCall)],
    )


def rescue(channel: Channel, pieces: list[str], tools: dict[str, Any], **flags: bool) -> list[Fragment]:
    stage = Rescue(tools, **flags)
    out: list[Fragment] = []
    for piece in pieces:
        out += stage.feed([channel(piece)])
    return out + stage.feed([Finish("stop")]) + stage.finish()


def cut(text: str, where: list[int]) -> list[str]:
    return [text[a:b] for a, b in pairwise([0, *sorted(min(place, len(text)) for place in where), len(text)])]


@given(text=texts, channel=channels, where=places)
def test_where_a_text_is_cut_makes_no_difference(text: str, channel: Channel, where: list[int]) -> None:
    whole = outcome(rescue(channel, [text], TOOLS))
    assert outcome(rescue(channel, cut(text, where), TOOLS)) == whole
    assert outcome(rescue(channel, list(text), TOOLS)) == whole


@given(text=texts, where=places)
def test_what_is_no_call_and_no_thought_is_text(text: str, where: list[int]) -> None:
    said, thought, calls = outcome(rescue(Text, ["So: ", *cut(text, where)], TOOLS))
    if not calls and "<|close|>" not in text:
        assert said == "So: " + text
        assert not thought


@given(text=texts, where=places)
def test_a_text_without_tools_and_thoughts_passes_unchanged(text: str, where: list[int]) -> None:
    said, thought, calls = outcome(rescue(Text, ["So: ", *cut(text, where)], {}))
    assert said == "So: " + text
    assert not thought
    assert not calls


@given(text=texts, where=places, opens_in_thought=st.booleans())
def test_nothing_is_said_that_the_model_did_not_say(text: str, where: list[int], opens_in_thought: bool) -> None:
    fragments = rescue(Text, cut(text, where), TOOLS, opens_in_thought=opens_in_thought)
    said, thought, calls = outcome(fragments)
    assert len(said) + len(thought) <= len(text) + text.count("<|")  # a line end in place of a frame
    assert all(name in TOOLS for name, _ in calls)
    assert [call.slot for call in fragments if isinstance(call, ToolCall)] == [-1 - i for i in range(len(calls))]


@given(pieces=st.lists(st.tuples(channels, texts), max_size=6), tools=st.sampled_from([TOOLS, {}]))
def test_other_fragments_pass_untouched_and_in_order(pieces: list[tuple[Channel, str]], tools: dict[str, Any]) -> None:
    stage = Rescue(tools)
    out: list[Fragment] = []
    others: list[Fragment] = []
    for i, (channel, text) in enumerate(pieces):
        other: Fragment = Usage(input_tokens=i) if i % 2 else ToolCall(i, f"id{i}", "Bash", "{}")
        others.append(other)
        out += stage.feed([channel(text), other])
    out += stage.feed([Finish("tool_calls")]) + stage.finish()
    passed = [
        fragment
        for fragment in out
        if isinstance(fragment, Usage) or (isinstance(fragment, ToolCall) and fragment.slot >= 0)
    ]
    assert passed == others
    assert all(fragment.text for fragment in out if isinstance(fragment, Text | Reasoning))


@given(text=st.text(alphabet="abc <|[`\n", max_size=60), where=places)
def test_text_is_held_back_no_longer_than_the_longest_mark(text: str, where: list[int]) -> None:
    stage = Rescue(TOOLS)
    stage.feed([Text("So: ")])
    said = fed = 0
    for piece in cut(text, where):
        fed += len(piece)
        said += sum(len(fragment.text) for fragment in stage.feed([Text(piece)]) if isinstance(fragment, Text))
        assert fed - said < max(map(len, MARKS))


HALF_MARKS = ["<tool_cal", "<", "[TOOL_CALL", "<|tool_calls_section_beg<｜DSM]<]minimax[>", "<think<th"]


@pytest.mark.parametrize("mark", HALF_MARKS)
def test_a_megabyte_of_half_marks_takes_less_than_a_second(mark: str) -> None:
    text = (mark * (1_000_000 // len(mark) + 1))[:1_000_000]
    characters = {character: Text(character) for character in set(text)}
    taken = []
    for _ in range(3):  # the machine may be busy
        stage = Rescue(TOOLS)
        started = time.process_time()
        out = stage.feed(characters[character] for character in text) + stage.finish()
        taken.append(time.process_time() - started)
        assert outcome(out) == (text, "", [])
        if taken[-1] < 1:
            break
    assert min(taken) < 1


BLOCKS = [
    "<tool_cal",
    "<tool_call>",
    '<tool_call>{"name": "Write", "arguments": {"content": "',
    "</parameter>",
    '<tool_call>{"name":"Bash","arguments":{"command":"pwd"}}</tool_call>',
    "`` ` ",
    '"\\"',
]


@pytest.mark.parametrize("opening", ["", "<function=Write>\n<parameter=content>\n", '<tool_call>{"name": "'])
@pytest.mark.parametrize("block", BLOCKS)
def test_time_grows_no_faster_than_the_text_when_it_comes_by_the_character(block: str, opening: str) -> None:
    def time_for(length: int) -> float:
        text = opening + (block * (length // len(block) + 1))[:length]
        stage = Rescue(TOOLS)
        started = time.process_time()
        for character in text:
            stage.feed([Text(character)])
        stage.finish()
        return time.process_time() - started

    short, long = 3_000, 30_000
    assert time_for(long) < 40 * max(min(time_for(short) for _ in range(3)), 0.005)


@pytest.mark.parametrize("mark", [HALF_MARKS[0], pytest.param(HALF_MARKS[1], marks=pytest.mark.nightly)])
def test_a_megabyte_of_half_marks_takes_little_memory(mark: str) -> None:
    text = (mark * (1_000_000 // len(mark) + 1))[:1_000_000]
    characters = {character: [Text(character)] for character in set(text)}
    stage = Rescue(TOOLS)
    tracemalloc.start()
    try:
        for character in text[:300_000]:
            stage.feed(characters[character])
        stage.feed([Text(text[300_000:])])
        stage.finish()
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
