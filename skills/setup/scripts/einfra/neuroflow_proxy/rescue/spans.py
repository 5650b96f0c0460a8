"""Stretches of text that belong to one channel: a thought between its tags, a message of a framed format.

`<think>` and its like count only where nothing visible was said before: later they are a mention. A closing tag whose
opening tag stood in the prompt (the template wrote it) is told from a mention by what stands around it.
"""

from typing import NamedTuple


class Span(NamedTuple):
    """From an opening to one of its closing marks. `is_framed`: its format frames the rest of the answer as well."""

    opens: str
    closes: tuple[str, ...]
    is_thought: bool = True
    is_framed: bool = False


def _section_ends(*names: str) -> tuple[str, ...]:
    """How Kimi K3 closes these sections of an answer; also without the token at the end (sglang #32567)."""
    return tuple(f"<|close|>{name}{end}" for name in names for end in ("<|sep|>", ""))


THOUGHTS = (
    Span("<think>", ("</think>",)),
    Span("<thinking>", ("</thinking>",)),
    Span("<thought>", ("</thought>",)),
    Span("<reasoning>", ("</reasoning>",)),  # recording bedrock-openai.gpt-oss-20b-1-0-text-json
    Span("<seed:think>", ("</seed:think>",)),
    Span("[THINK]", ("[/THINK]",)),
    Span("◁think▷", ("◁/think▷",)),
    Span("<|START_THINKING|>", ("<|END_THINKING|>",)),
    Span("<|channel>thought\n", ("<channel|>",)),
    Span("<|open|>think<|sep|>", _section_ends("think", "message"), is_framed=True),
)
RESPONSES = (
    Span("<|open|>response<|sep|>", _section_ends("response", "message"), is_thought=False, is_framed=True),
    Span("<|START_RESPONSE|>", ("<|END_RESPONSE|>",), is_thought=False, is_framed=True),
)
HARMONY_ENDS = ("<|end|>", "<|return|>")

BY_OPENING = {span.opens: span for span in (*THOUGHTS, *RESPONSES)}
# Closing marks that are seen without the opening one: templates of these families write that into the prompt, or the
# server has taken it (vllm #51412).
ORPHANS = {
    "</think>": True,
    "</seed:think>": True,
    "[/THINK]": True,
    "◁/think▷": True,
    **dict.fromkeys(_section_ends("think"), True),
    **dict.fromkeys((*_section_ends("response", "message"), "<|end_of_msg|>"), False),
}
"""Closing mark -> whether what stood before it was a thought."""
CLOSINGS = frozenset(mark for span in (*THOUGHTS, *RESPONSES) for mark in span.closes) | {*HARMONY_ENDS, *ORPHANS}
