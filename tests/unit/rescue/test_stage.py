"""What rescued calls look like, when they leave, and which of them are the same call."""

import json
from typing import Any

import pytest

from neuroflow_proxy.fragments import Failure, Finish, Fragment, Reasoning, Text, ToolCall, Usage
from neuroflow_proxy.rescue.block import MAX_BLOCK
from neuroflow_proxy.rescue.stage import Rescue

TOOLS: dict[str, Any] = {
    "Bash": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
    "Read": {"type": "object", "properties": {"file_path": {"type": "string"}}},
}


def leak(command: str, name: str = "Bash") -> str:
    return f'<tool_call>{{"name": "{name}", "arguments": {{"command": "{command}"}}}}</tool_call>'


def run(*fragments: Fragment, tools: dict[str, Any] | None = None) -> list[Fragment]:
    stage = Rescue(TOOLS if tools is None else tools)
    out: list[Fragment] = []
    for fragment in fragments:
        out += stage.feed([fragment])
    return out + stage.finish()


def commands(fragments: list[Fragment]) -> list[str]:
    """Those of rescued calls."""
    return [
        json.loads(fragment.arguments)["command"]
        for fragment in fragments
        if isinstance(fragment, ToolCall) and fragment.slot < 0
    ]


def words(fragments: list[Fragment]) -> str:
    """What was said."""
    return "".join(fragment.text for fragment in fragments if isinstance(fragment, Text))


def test_a_rescued_call_leaves_whole_and_before_the_finish() -> None:
    out = run(Text("Look: " + leak("pwd")), Finish("stop"))
    assert out == [Text("Look: "), ToolCall(-1, "", "Bash", '{"command":"pwd"}'), Finish("stop")]


def test_a_rescued_call_leaves_although_the_answer_broke_off() -> None:
    assert commands(run(Text(leak("pwd")))) == ["pwd"]
    assert commands(run(Text(leak("pwd")), Failure({"message": "overloaded"}))) == ["pwd"]


def test_slots_count_down() -> None:
    out = run(Text(leak("a") + leak("b")), Finish("stop"))
    assert [fragment.slot for fragment in out if isinstance(fragment, ToolCall)] == [-1, -2]


def test_rescues_are_counted_by_grammar() -> None:
    stage = Rescue(TOOLS)
    stage.feed([Text(leak("a") + '[TOOL_CALLS]Bash{"command": "b"}'), Finish("stop")])
    assert stage.counts == {"hermes": 1, "mistral": 1}


def test_the_name_becomes_the_declared_one() -> None:
    out = run(Text(leak("pwd", name="functions.bash")), Finish("stop"))
    assert [fragment.name for fragment in out if isinstance(fragment, ToolCall)] == ["Bash"]


def test_a_name_that_fits_as_it_stands_goes_before_one_that_must_be_bent() -> None:
    out = run(Text(leak("pwd", name="bash")), Finish("stop"), tools={"Bash": {}, "bash": {}})
    assert [fragment.name for fragment in out if isinstance(fragment, ToolCall)] == ["bash"]


def test_valid_arguments_stay_as_they_were_written() -> None:
    raw = '<|tool_call_begin|>functions.Bash:0<|tool_call_argument_begin|>{"command":  "caf\\u00e9"}<|tool_call_end|>'
    (call,) = (fragment for fragment in run(Text(raw)) if isinstance(fragment, ToolCall))
    assert call.arguments == '{"command":  "caf\\u00e9"}'


@pytest.mark.parametrize("channel", [Text, Reasoning])
def test_a_call_that_comes_natively_too_is_made_once(channel: type[Text] | type[Reasoning]) -> None:
    native = ToolCall(0, "id", "Bash", ""), ToolCall(0, "", "", '{"command": '), ToolCall(0, "", "", '"pwd"}')
    out = run(channel(leak("pwd")), *native, Finish("tool_calls"))
    assert out == [*native, Finish("tool_calls")]
    assert commands(run(*native, channel(leak("pwd")), Finish("tool_calls"))) == []


def test_a_call_that_comes_natively_too_is_made_as_often_as_it_was_written() -> None:
    native = ToolCall(0, "id", "Bash", '{"command": "a"}')
    assert commands(run(Text(leak("a") + leak("a") + leak("b")), native, Finish("tool_calls"))) == ["a", "b"]


def test_the_same_call_twice_is_two_calls() -> None:
    assert commands(run(Text(leak("a") + leak("a")), Finish("stop"))) == ["a", "a"]


def test_a_call_in_the_reasoning_and_again_in_the_text_is_made_once() -> None:
    out = run(Reasoning("Hm. " + leak("b")), Text(leak("b")), Finish("stop"))
    assert commands(out) == ["b"]
    assert "".join(fragment.text for fragment in out if isinstance(fragment, Reasoning)) == "Hm. "


@pytest.mark.parametrize("other", [Text(leak("b")), ToolCall(0, "id", "Bash", '{"command": "b"}')])
def test_a_call_in_the_reasoning_is_a_draft_if_the_answer_makes_another_one(other: Fragment) -> None:
    out = run(Reasoning("Or " + leak("a") + "?"), other, Finish("stop"))
    assert "a" not in commands(out)
    reasoning = "".join(fragment.text for fragment in out if isinstance(fragment, Reasoning))
    assert reasoning == "Or ?" + leak("a")


@pytest.mark.parametrize(
    "pieces", [("The parser is wrong.",), ("The", " parser", " is wrong."), ("\n", "The parser is wrong.")]
)
def test_a_call_in_the_reasoning_is_a_draft_if_the_answer_is_words(pieces: tuple[str, ...]) -> None:
    stage = Rescue(TOOLS)
    out = stage.feed([Reasoning("The file holds " + leak("rm -rf .") + " as it seems.")])
    for piece in pieces:
        out += stage.feed([Text(piece)])
    out += stage.feed([Finish("stop")]) + stage.finish()
    assert commands(out) == []
    assert words(out) == "".join(pieces)
    reasoning = "".join(fragment.text for fragment in out if isinstance(fragment, Reasoning))
    assert reasoning == "The file holds  as it seems." + leak("rm -rf .")


def test_a_call_in_the_reasoning_behind_the_words_is_made() -> None:
    assert commands(run(Text("I look."), Reasoning(leak("a")), Finish("stop"))) == ["a"]
    assert commands(run(Reasoning(leak("a")), Text("\n\n"), Finish("stop"))) == ["a"]


def test_a_call_is_settled_when_the_provider_goes_to_the_other_field() -> None:
    whole = '<tool_call>{"name": "Bash", "arguments": {"command": "a"}}'
    assert commands(run(Reasoning(whole), Text("\n"), Finish("stop"))) == ["a"]
    half = '<tool_call>{"name": "Bash", "argu'
    assert run(Reasoning(half), Text("So."), Finish("stop")) == [Reasoning(half), Text("So."), Finish("stop")]


def test_what_is_held_comes_before_a_native_call_and_before_a_failure() -> None:
    native = ToolCall(0, "id", "Bash", "{}")
    assert run(Text("a <tool"), native)[:2] == [Text("a "), Text("<tool")]
    failure = Failure({"message": "overloaded"})
    assert run(Text("a <tool"), failure) == [Text("a "), Text("<tool"), failure]


def test_usage_does_not_disturb_a_call() -> None:
    raw = leak("pwd")
    out = run(Text(raw[:20]), Usage(input_tokens=1), Text(raw[20:]), Finish("stop"))
    assert commands(out) == ["pwd"]
    assert not [fragment for fragment in out if isinstance(fragment, Text)]


def test_a_call_that_the_length_limit_cut_is_not_completed() -> None:
    cut = '<tool_call>{"name": "Bash", "arguments": {"command": "rm -rf /tmp/a"}'
    assert commands(run(Text(cut), Finish("stop"))) == ["rm -rf /tmp/a"]
    for end in ([Finish("length")], []):
        out = run(Text(cut), *end)
        assert commands(out) == []
        assert words(out) == cut


@pytest.mark.parametrize("key", ['"timeout"', "'timeout'", "timeout", '"timeout" '])
def test_a_key_behind_which_the_answer_ends_is_no_part_of_the_value_before(key: str) -> None:
    cut = f'[TOOL_CALLS]Bash[ARGS]{{"command": "ls", {key}'
    out = run(Text(cut), Finish("stop"))
    assert commands(out) == []
    assert words(out) == cut


@pytest.mark.parametrize("broken", ['{"</")', '{"name": "Read"(', '{"a": "\\n"(</', '{"(</"'])
def test_a_broken_object_behind_a_call_is_dropped_alike_wherever_it_is_cut(broken: str) -> None:
    text = '<tool_calls>{"name": "Bash", "arguments": {"command": "pwd"}}' + f"{broken}\nSo.</tool_calls> Done."
    at_once = run(Text(text), Finish("stop"))
    for place in range(1, len(text)):
        cut = run(Text(text[:place]), Text(text[place:]), Finish("stop"))
        assert (commands(cut), words(cut)) == (commands(at_once), words(at_once)), text[:place]


def test_text_around_calls_keeps_its_place() -> None:
    out = run(Text(f"One.\n{leak('a')}\n\nTwo."), Finish("stop"))
    assert words(out) == "One.\n\n\nTwo."


def test_white_space_between_and_behind_calls_is_no_text() -> None:
    out = run(Text(f"{leak('a')}\n\n{leak('b')}\n\n"), Finish("stop"))
    assert [type(fragment) for fragment in out] == [ToolCall, ToolCall, Finish]


@pytest.mark.parametrize(
    "behind", ["<|im_end|>", "</s>", "\n</tool_calls>\n", "<|call|><|return|>", "</function_calls>"]
)
def test_marks_of_the_frame_are_dropped_behind_a_call_only(behind: str) -> None:
    out = run(Text(leak("a") + behind), Finish("stop"))
    assert [type(fragment) for fragment in out] == [ToolCall, Finish]
    assert run(Text("a" + behind), Finish("stop")) == [Text("a" + behind), Finish("stop")]


def test_an_empty_block_on_a_line_of_its_own_is_nothing() -> None:
    assert run(Text("<tool_call>  </tool_call>"), Finish("stop")) == [Finish("stop")]
    assert run(Text("<function_calls>\n<invoke>\n</invoke>\n</function_calls>"), Finish("stop")) == [Finish("stop")]


@pytest.mark.parametrize(
    "mention",
    ["between <tool_call> </tool_call> tags", '<function_calls>\n<invoke nane="Bash">\n</invoke>\n</function_calls>'],
)
def test_a_block_that_says_anything_stays(mention: str) -> None:
    assert run(Text(mention), Finish("stop")) == [Text(mention), Finish("stop")]


def test_a_block_without_end_becomes_text_at_some_point() -> None:
    stage = Rescue(TOOLS)
    stage.feed([Text("<function=Bash>\n<parameter=command>\n")])
    passed: list[Fragment] = []
    for _ in range(MAX_BLOCK // 1000 + 2):
        passed += stage.feed([Text("x" * 999 + ">")])
    assert sum(len(fragment.text) for fragment in passed if isinstance(fragment, Text)) > MAX_BLOCK


def test_nothing_is_rescued_without_tools() -> None:
    assert run(Text(leak("a")), Finish("stop"), tools={}) == [Text(leak("a")), Finish("stop")]


def test_an_answer_in_pieces_comes_out_in_one_piece_for_each_read() -> None:
    stage = Rescue(TOOLS)
    assert stage.feed([Text("a"), Text("<"), Text("b"), Reasoning("c"), Reasoning("d")]) == [
        Text("a<b"),
        Reasoning("cd"),
    ]


@pytest.mark.parametrize(
    "beginning",
    [
        '<tool_call>\n{"name": "Launch", ',
        "<tool_call>Launch",
        "<function=Launch>",
        '<invoke name="Launch">',
        "<|tool_call_begin|>functions.Launch:0<|tool_call_argument_begin|>",
        '<｜DSML｜invoke name="Launch">',
        "[TOOL_CALLS]Launch{",
        "<tool_call> opens",
        "<|channel|>s are",
        '{"name": "Launch", ',
        '{"result": ',
        "[ ] to do",
        "[a](b)",
    ],
)
def test_what_cannot_be_a_call_any_more_is_passed_on_at_once(beginning: str) -> None:
    stage = Rescue(TOOLS)
    passed = [fragment for character in beginning for fragment in stage.feed([Text(character)])]
    assert words(passed) == beginning
