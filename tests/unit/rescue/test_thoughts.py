"""Thoughts between tags in the text become reasoning; mentions of the tags do not."""

import pytest

from neuroflow_proxy.fragments import Finish, Fragment, Reasoning, Text, ToolCall
from neuroflow_proxy.rescue.harvest import Channel
from neuroflow_proxy.rescue.outgoing import MAX_OPENING
from neuroflow_proxy.rescue.stage import Rescue

FENCE = "```"


def run(*fragments: Fragment, opens_in_thought: bool = False) -> list[Fragment]:
    """Each fragment in a read of its own."""
    stage = Rescue({"Bash": {"type": "object"}}, opens_in_thought=opens_in_thought)
    out: list[Fragment] = []
    for fragment in fragments:
        out += stage.feed([fragment])
    return out + stage.feed([Finish("stop")]) + stage.finish()


def said(fragments: list[Fragment]) -> tuple[str, str]:
    """The reasoning and the text."""
    return (
        "".join(fragment.text for fragment in fragments if isinstance(fragment, Reasoning)),
        "".join(fragment.text for fragment in fragments if isinstance(fragment, Text)),
    )


@pytest.mark.parametrize(
    ("opens", "closes"),
    [
        ("<think>", "</think>"),
        ("<thinking>", "</thinking>"),
        ("<reasoning>", "</reasoning>"),
        ("<thought>", "</thought>"),
        ("<seed:think>", "</seed:think>"),
        ("[THINK]", "[/THINK]"),
        ("◁think▷", "◁/think▷"),
        ("<|channel>thought\n", "<channel|>"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
        ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ],
)
def test_a_thought_in_tags_becomes_reasoning_wherever_it_is_cut(opens: str, closes: str) -> None:
    raw = f"\n{opens}Hmm, a < b.{closes}\n\nIt is so."
    for place in range(len(raw) + 1):
        reasoning, text = said(run(Text(raw[:place]), Text(raw[place:])))
        assert reasoning == "Hmm, a < b."
        assert text.strip() == "It is so."
    assert said(run(*map(Text, raw)))[0] == "Hmm, a < b."


def test_a_thought_is_passed_on_while_it_is_thought() -> None:
    stage = Rescue({})
    assert stage.feed([Text("<think>First")]) == [Reasoning("First")]
    assert stage.feed([Text(", then")]) == [Reasoning(", then")]
    assert stage.feed([Text("</think>Now")]) == [Text("Now")]
    assert stage.counts["think"] == 1


def test_a_thought_that_does_not_end_stays_a_thought() -> None:
    assert said(run(Text("<think>\nand then"))) == ("\nand then", "")


def test_an_empty_thought_leaves_nothing_behind() -> None:
    assert run(Text("<think>"), Text("</think>\n\nHi")) == [Text("Hi"), Finish("stop")]


def test_line_ends_behind_a_thought_are_not_text_but_indentation_is() -> None:
    assert said(run(Text("<think>x</think>"), Text("\n\r\n"), Text("\n    code")))[1] == "    code"


@pytest.mark.parametrize(
    "text",
    [
        "Models write <think> before and </think> after a thought.",
        "Hi.\n<think>late</think>\nBye.",
        "It ends with `</think>`, so look for it.",
        f"{FENCE}\n<think>\nx\n</think>\n{FENCE}\n",
        "`<think>` opens it.",
        'Split at "</think>" first.',
        "The tag (</think>) closes it.",
        "First a word, then </thinking> or [/THINK].",
        "> <think>\n> quoted </think> here",
        "# About <thinking>\n",
    ],
)
def test_a_mention_of_the_tags_passes_unchanged(text: str) -> None:
    assert said(run(Text(text))) == ("", text)
    assert said(run(*map(Text, text))) == ("", text)


def test_with_reasoning_in_its_own_field_tags_in_the_text_are_text() -> None:
    assert said(run(Reasoning("hm"), Text("<think> is a tag"))) == ("hm", "<think> is a tag")
    assert said(run(Reasoning("hm"), Text("So <think>x</think> y"))) == ("hm", "So <think>x</think> y")


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_thought_that_came_in_its_own_field_too_is_said_once(size: int) -> None:
    raw = "<think>\nWhich city?\nBrno.\n</think>\n\nBrno."
    pieces = [Text(raw[i : i + size]) for i in range(0, len(raw), size)]
    assert said(run(Reasoning("Which city?\nBrno."), *pieces)) == ("Which city?\nBrno.", "Brno.")


def test_a_closing_tag_in_front_of_the_text_is_dropped_after_native_reasoning() -> None:
    assert said(run(Reasoning("hm"), Text("\n</think>\n\nHi"))) == ("hm", "\n\n\nHi")


@pytest.mark.parametrize("between", ["\n</think>\n\n", "</think>", " </think>\n", "\n</think> "])
def test_all_before_a_lone_closing_tag_was_a_thought(between: str) -> None:
    reasoning, text = said(run(Text(f"I should greet.{between}Hello, then.")))
    assert reasoning.strip() == "I should greet."
    assert text.strip() == "Hello, then."


def test_of_a_lone_closing_tag_behind_passed_on_text_only_the_tag_is_dropped() -> None:
    assert said(run(Text("I should greet."), Text("\n</think>\nHello"))) == ("", "I should greet.\n\nHello")


def test_a_second_lone_closing_tag_is_text() -> None:
    assert said(run(Text("a\n</think>\nb\n</think>\nc"))) == ("a\n", "b\n</think>\nc")


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_template_that_opens_the_thought_gives_reasoning(size: int) -> None:
    raw = "The user greets me. <b>\n</think>\n\nHello."
    pieces = [Text(raw[i : i + size]) for i in range(0, len(raw), size)]
    assert said(run(*pieces, opens_in_thought=True)) == ("The user greets me. <b>\n", "Hello.")


def test_a_held_beginning_is_text_if_no_closing_tag_comes() -> None:
    assert said(run(Text("Hello "), Text("there."), opens_in_thought=True)) == ("", "Hello there.")


def test_a_beginning_is_not_held_for_ever() -> None:
    stage = Rescue({}, opens_in_thought=True)
    assert stage.feed([Text("x" * MAX_OPENING)]) == []
    assert stage.feed([Text("y")]) == [Text("x" * MAX_OPENING + "y")]
    assert stage.feed([Text("z")]) == [Text("z")]


@pytest.mark.parametrize("other", [Reasoning("hm"), ToolCall(0, "a", "Bash", "{}")])
def test_a_beginning_is_not_held_when_the_provider_parses_the_answer(other: Fragment) -> None:
    stage = Rescue({}, opens_in_thought=True)
    assert stage.feed([Text("Hello")]) == []
    assert Text("Hello") in stage.feed([other])
    assert stage.feed([Text("!")]) == [Text("!")]


def test_an_opening_tag_releases_a_held_beginning() -> None:
    stage = Rescue({}, opens_in_thought=True)
    assert stage.feed([Text("\n<think>hm")]) == [Text("\n"), Reasoning("hm")]


def test_the_messages_of_gpt_oss_go_to_their_channels() -> None:
    raw = (
        "<|channel|>analysis<|message|>Sums.<|end|><|start|>assistant<|channel|>commentary<|message|>Let me see.<|end|>"
        "<|start|>assistant<|channel|>final<|message|>It is 4.<|return|>"
    )
    for pieces in ([raw], list(raw)):
        assert said(run(*map(Text, pieces))) == ("Sums.", "Let me see.\nIt is 4.")


def test_the_sections_of_kimi_k3_go_to_their_channels() -> None:
    raw = "Sums.<|close|>think<|sep|><|open|>response<|sep|>It is 4.<|close|>response<|sep|><|close|>message<|sep|>"
    assert said(run(*map(Text, raw), opens_in_thought=True)) == ("Sums.", "It is 4.")


@pytest.mark.parametrize("field", [Reasoning, Text])
@pytest.mark.parametrize("close", ["<|close|>think<|sep|>", "<|close|>think", ""])
def test_an_answer_of_kimi_k3_behind_a_thought_that_was_closed_badly_is_said(field: Channel, close: str) -> None:
    opening = "" if close or field is Reasoning else "<|open|>think<|sep|>"
    raw = f"{opening}Sums.{close}<|open|>response<|sep|>It is 4.<|close|>response<|sep|><|close|>message<|sep|>"
    for pieces in ([raw], list(raw)):
        assert said(run(*[field(piece) for piece in pieces], opens_in_thought=True)) == ("Sums.", "It is 4.")


@pytest.mark.parametrize("text", ["It is 4.", "<|open|>response<|sep|>It is 4.", "It is 4.<|close|>response<|sep|>"])
@pytest.mark.parametrize(
    "end", ["<|close|>message<|sep|>", "<|close|>message<|sep|><|end_of_msg|>", "<|close|>message"]
)
def test_the_end_of_a_message_of_kimi_k3_is_no_text(text: str, end: str) -> None:
    for pieces in ([text + end], list(text + end)):
        assert said(run(Reasoning("Sums."), *map(Text, pieces))) == ("Sums.", "It is 4.")


@pytest.mark.parametrize(
    "text",
    [
        "K3 ends a turn with `<|close|>message<|sep|>` and closes <|close|>think in between.",
        f"{FENCE}\n<|open|>response<|sep|>Hi<|close|>response<|sep|><|close|>message<|sep|>\n{FENCE}\n",
        "The mark <|close|>message<|sep|> ends it, and <|end_of_msg|> the turn.",
    ],
)
def test_a_mention_of_the_sections_of_kimi_k3_passes_unchanged(text: str) -> None:
    for pieces in ([text], list(text)):
        assert said(run(Reasoning("hm"), *map(Text, pieces))) == ("hm", text)
        assert said(run(*map(Reasoning, pieces))) == (text, "")


def test_a_call_inside_an_open_thought_is_rescued() -> None:
    raw = '<think>I call it.\n<tool_call>{"name": "Bash", "arguments": {}}</tool_call>\n</think>\n'
    out = run(*map(Text, raw))
    assert said(out) == ("I call it.\n", "")
    assert [fragment.name for fragment in out if isinstance(fragment, ToolCall)] == ["Bash"]
