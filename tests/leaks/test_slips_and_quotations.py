"""What stands in a value, or between quotation marks, is no call; slips in the frame, and marks beside native calls, are no text."""

import json
from itertools import chain, pairwise
from typing import Any

import pytest

from neuroflow_proxy.fragments import Failure, Finish, Fragment, Reasoning, Text, ToolCall
from neuroflow_proxy.rescue.stage import Rescue
from tests.leaks.test_corpus import calls_of, rescue, run, said_in
from tests.leaks.tools import TOOLS

RM = "rm -rf build"
INNER = {
    "hermes": f'<tool_call>\n{{"name": "Bash", "arguments": {{"command": "{RM}"}}}}\n</tool_call>',
    "qwen": f"<tool_call>\n<function=Bash>\n<parameter=command>\n{RM}\n</parameter>\n</function>\n</tool_call>",
    "kimi": f'<|tool_call_begin|>functions.Bash:0<|tool_call_argument_begin|>{{"command": "{RM}"}}<|tool_call_end|>',
    "invoke": f'<invoke name="Bash">\n<parameter name="command">{RM}</parameter>\n</invoke>',
    "glm": f"<tool_call>Bash<arg_key>command</arg_key><arg_value>{RM}</arg_value></tool_call>",
}
BAR = "｜DSML｜"
INNER["dsml"] = (
    f'<{BAR}invoke name="Bash">\n<{BAR}parameter name="command" string="true">{RM}</{BAR}parameter>\n'
    f'<{BAR}parameter name="timeout" string="false">5</{BAR}parameter>\n</{BAR}invoke>'
)
OUTER = {
    "qwen": (
        "<tool_call>\n<function=Write>\n<parameter=file_path>\n/x.md\n</parameter>\n<parameter=content>\n",
        "\n</parameter>\n</function>\n</tool_call>",
    ),
    "invoke": (
        '<invoke name="Write">\n<parameter name="file_path">/x.md</parameter>\n<parameter name="content">',
        "</parameter>\n</invoke>",
    ),
    "dsml": (
        f'<{BAR}invoke name="Write">\n<{BAR}parameter name="file_path" string="true">/x.md</{BAR}parameter>\n'
        f'<{BAR}parameter name="content" string="true">',
        f"</{BAR}parameter>\n</{BAR}invoke>",
    ),
    "glm": (
        "<tool_call>Write<arg_key>file_path</arg_key><arg_value>/x.md</arg_value><arg_key>content</arg_key><arg_value>",
        "</arg_value></tool_call>",
    ),
}
NESTED = pytest.mark.parametrize(
    ("outer", "inner"), [(o, i) for o in OUTER for i in INNER], ids=[f"{o}-{i}" for o in OUTER for i in INNER]
)


@NESTED
def test_a_file_about_calls_is_written_whole(outer: str, inner: str) -> None:
    content = f"# Formats\n\nExample:\n\n{INNER[inner]}\n\nThat is all."
    raw = OUTER[outer][0] + content + OUTER[outer][1]
    expected = [("Write", {"file_path": "/x.md", "content": content})]
    for pieces in ([raw], [*raw], *([raw[:i], raw[i:]] for i in range(1, len(raw), 3))):
        assert calls_of(rescue(Text, *pieces)) == expected


@NESTED
@pytest.mark.parametrize("end", [Finish("length"), Failure("lost"), Finish("stop")], ids=["length", "lost", "stop"])
def test_an_example_in_a_file_that_was_cut_off_is_not_run(outer: str, inner: str, end: Fragment) -> None:
    raw = f"{OUTER[outer][0]}# Formats\n\nExample:\n\n{INNER[inner]}\n\nThat is"
    for pieces in ([raw], [*raw]):
        out = run(*map(Text, pieces), end)
        assert not calls_of(out)
        assert said_in(Text, out) == raw


@pytest.mark.parametrize("inner", [*INNER.values(), f'{{"name": "Bash", "arguments": {{"command": "{RM}"}}}}'])
@pytest.mark.parametrize(("opening", "closing"), [("```", "```"), ("~~~xml", "~~~"), ("- ```json", "  ```")])
def test_an_example_in_an_answer_that_was_cut_off_is_not_run_by_its_rest(
    opening: str, closing: str, inner: str
) -> None:
    opened = f"So it looks:\n\n{opening}"
    raw = f"{opened}\n{inner}\n{closing}\n\nThat is all."
    for place in range(len(opened), len(raw)):
        stage = Rescue(TOOLS, takes_up=raw[:place])
        out = stage.feed([Text(raw[place:])]) + stage.feed([Finish("stop")]) + stage.finish()
        assert not calls_of(out)
        assert said_in(Text, out) == raw[place:]


def test_a_call_behind_an_example_that_was_cut_off_is_run() -> None:
    stage = Rescue(TOOLS, takes_up="So it looks:\n\n```xml\n<tool_call>\n")
    rest = f"</tool_call>\n```\n\nNow I do it.\n\n{INNER['qwen']}"
    assert calls_of(stage.feed([Text(rest), Finish("stop")]) + stage.finish()) == [("Bash", {"command": RM})]


NATIVE = ToolCall(0, "call_1", "Bash", '{"command":"ls"}')


@pytest.mark.parametrize("channel", [Text, Reasoning])
@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("", "\n</tool_call>"),  # openlumara #92: vLLM, qwen3_coder
        ("Look.", ">\n</tool_call>"),
        ("Look.\n\n<｜DSML｜function_calls", ""),  # stdapi #182: DeepSeek V3.2
        ("Look.<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
        ("Look.<|tool_calls_section_begin|><|tool_call_begin|>", "<|tool_call_end|><|tool_calls_section_end|>"),
        ("Look.\n<tool_call>\n", ""),
        ("", "<|im_end|>"),
    ],
)
def test_what_a_parser_left_of_the_frame_beside_a_native_call_is_no_text(
    before: str, behind: str, channel: Any
) -> None:
    for pieces in ([before], [*before]):
        for rest in ([behind], [*behind]):
            said = [*map(channel, filter(None, pieces)), NATIVE, *map(channel, filter(None, rest))]
            out = run(*said, Finish("tool_calls"))
            assert said_in(channel, out).strip() in ("", "Look.")
            assert calls_of(out) == [("Bash", {"command": "ls"})]


@pytest.mark.parametrize("end", ["", "</tool_call>", "</tool_call>\n"])
@pytest.mark.parametrize("pieces", [[""], ["{}"], ["", "{", "}"]])
def test_arguments_that_a_parser_left_in_the_name_are_the_calls(end: str, pieces: list[str]) -> None:
    name = f"read<arg_key>file_path</arg_key><arg_value>/a</arg_value><arg_key>limit</arg_key><arg_value>7</arg_value>{end}"
    first, *rest = pieces
    out = run(ToolCall(0, "call_1", name, first), *(ToolCall(0, "", "", piece) for piece in rest), Finish("tool_calls"))
    assert out[0] == ToolCall(0, "call_1", "Read", '{"file_path":"/a","limit":7}')


@pytest.mark.parametrize(
    "name", ["Bash<arg_value>ls</arg_value>", "Bsh<arg_key>command</arg_key><arg_value>ls</arg_value>"]
)
def test_a_name_that_is_no_call_stays_as_it_came(name: str) -> None:
    native = ToolCall(0, "call_1", name, '{"command":"ls"}')
    assert run(native, Finish("tool_calls")) == [native, Finish("tool_calls")]


@pytest.mark.parametrize("text", ["Done.", "> quoted", "} and so", "</div> closes", "\n\n</tool_callx>", "]"])
def test_words_behind_a_native_call_stay(text: str) -> None:
    for rest in ([text], [*text]):
        assert said_in(Text, run(NATIVE, *map(Text, rest), Finish("stop"))) == text


@pytest.mark.parametrize(
    ("behind", "left"),
    [
        (["Say ", "</tool_call>", " there."], "Say </tool_call> there."),
        (["It", "}\n</s>", " ends."], "It}\n</s> ends."),
        ([">", "</tool_call>"], ""),
    ],
)
def test_what_was_read_together_with_a_native_call_makes_no_difference(behind: list[str], left: str) -> None:
    for before in ([[Text("Look."), NATIVE]], [[Text("Look.")], [NATIVE]]):
        rescue = Rescue(TOOLS)
        read: list[list[Fragment]] = [*before, *([Text(piece)] for piece in behind), [Finish("tool_calls")]]
        out = [*chain.from_iterable(map(rescue.feed, read)), *rescue.finish()]
        assert said_in(Text, out) == f"Look.{left}"
        assert calls_of(out) == [("Bash", {"command": "ls"})]


def qwen(end: str) -> str:
    return f"<tool_call>\n<function=Bash>\n<parameter=command>\npwd\n{end}</function>\n</tool_call>"


ARGUMENT = "</arg_key><arg_value>pwd</arg_value></tool_call>"


@pytest.mark.parametrize(
    "raw",
    [
        # sglang #27336, ollama #16841, claude-code #83088
        *map(qwen, ("</parameter/>\n", "</parameter1>\n", "</parameter\n", "</parameter_function>\n", "</command>\n")),
        qwen("</parameter>\n</parameter>\n"),
        '<invoke name="Bash">\n<parameter name="command">pwd</command>\n</invoke>',
        '<invoke name="Bash">\n<parameter name="command">pwd</parameter>\n</parameter>\n</invoke>',
        # GLM: vllm #47190, sigit #95
        f"<tool_call>Bashcommand{ARGUMENT}",
        f"<tool_call>Bash command{ARGUMENT}",
        f"<tool_call>Bash\ncommand{ARGUMENT}",
        f"<tool_call>Bash<tool_call>command{ARGUMENT}",
        # Kimi-K2 #26
        '<|tool_call_begin|>Bash:1<|tool_call_argument_begin|>"{\\"command\\": \\"pwd\\"}"<|tool_call_end|>',
        # a bracket too many
        '<tool_call>\n{"name": "Bash", "arguments": {"command": "pwd"}}}\n</tool_call>',
    ],
)
@pytest.mark.parametrize("channel", [Text, Reasoning])
def test_a_slip_in_the_frame_is_no_part_of_the_call(raw: str, channel: Any) -> None:
    for pieces in ([raw], [*raw], *([raw[a:b] for a, b in pairwise([0, i, len(raw)])] for i in range(1, len(raw)))):
        out = rescue(channel, *pieces)
        assert calls_of(out) == [("Bash", {"command": "pwd"})]
        assert not said_in(channel, out)


@pytest.mark.parametrize("thought", ["<think>I will.</think>\n\n", "<think>\n\n</think>\n\n", "I will.\n</think>\n\n"])
@pytest.mark.parametrize("call", ['{"name": "Bash", "arguments": {"command": "pwd"}}', '[Bash(command="pwd")]'])
def test_an_answer_behind_a_thought_may_be_nothing_but_a_call(thought: str, call: str) -> None:
    for pieces in ([thought + call], [*thought, *call], [thought, call]):
        assert calls_of(rescue(Text, *pieces)) == [("Bash", {"command": "pwd"})]
    beside = f"{thought}{call} is what I would say."
    assert not calls_of(rescue(Text, beside))


QUOTED = json.dumps({"name": "Bash", "arguments": {"command": RM}})


@pytest.mark.parametrize(
    "text",
    [
        f'The model wrote "<tool_call>{QUOTED}</tool_call>" as text.',
        f"The model wrote “<tool_call>{QUOTED}</tool_call>” as text.",
        f"Vypsal „<tool_call>{QUOTED}</tool_call>“ jako text.",
        f"It leaked (<tool_call>{QUOTED}</tool_call>) again.",
        f"<pre>\n<tool_call>{QUOTED}</tool_call>\n</pre>",
        f"<code>{INNER['qwen']}</code>",
        f"<!-- {INNER['kimi']} -->",
        f"| model | form |\n|---|---|\n| qwen | <tool_call>{QUOTED}</tool_call> |\n",
    ],
)
def test_a_call_between_quotation_marks_is_quoted(text: str) -> None:
    for pieces in ([text], [*text], *([text[:i], text[i:]] for i in range(1, len(text)))):
        out = rescue(Text, *pieces)
        assert not calls_of(out)
        assert said_in(Text, out) == text
