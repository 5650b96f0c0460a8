"""What remains of a format's frame behind a rescued call: dropped there, and only there.

Elsewhere the same marks are text; an answer about chat templates is full of them.
"""

import re
from typing import Any

from .control_tokens import CALL_BEGINS, GAPS, MISTRAL, SECTIONS
from .markup import CLOSES_A_CALL, WRAPPERS
from .source import Source, Steps
from .spans import Span
from .tags import PREFIX, closing, peek_tag, take

_CALL_ENDS = (
    *("<|tool_call_end|>", "<|tool_calls_section_end|>", "<|tool_call_section_end|>"),
    *(f"<{bar}tool{gap}{what}{gap}end{bar}>" for bar in "｜|" for gap in GAPS for what in ("call", "calls")),
)
_MARKS = (
    *_CALL_ENDS,
    *("<｜end▁of▁sentence｜>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|endoftext|>", "<|end_of_msg|>", "</s>"),
    *("<|call|>", "<|end|>", "<|return|>", "[/TOOL_CALLS]", "<|/tool_call|>", "<|END_ACTION|>", "<|action_end|>"),
    *("<|tools_suffix|>", "<|python_end|>", "<tool_call|>", "<end_function_call>", "<turn|>", "<end_of_turn>"),
    *("<|observation|>", "<|user|>", "<SPECIAL_12>"),
)
_HARMONY_ROLES = tuple(f"{word}<|channel|>" for word in ("commentary", "analysis", "final", "assistant"))


_OPENING_MARK = (
    rf"(?:{'|'.join(map(re.escape, (*SECTIONS, *CALL_BEGINS, MISTRAL)))}"
    rf"|<\s?{PREFIX}(?:{'|'.join(sorted(WRAPPERS))})(?:>|\Z))"
)
_OPENING = re.compile(rf"(?:\s|{_OPENING_MARK})+")
_OPENING_AT_END = re.compile(rf"(?:\A|\n)\s*(?:{_OPENING_MARK}\s*)+\Z")
_ENDS_A_CALL = re.compile(
    rf"(?:{closing('tool_call', 'tool_calls', 'function_calls', 'invoke', 'function', 'tools').pattern}"
    rf"|{'|'.join(map(re.escape, _CALL_ENDS))})\s*\Z"
)
_STRAY = (">", "}", "]")  # the end of what a parser did not take whole: only with a mark behind it


def is_opening(text: str) -> bool:
    """Whether nothing stands here but what opens a call: a parser's residue, where a native call follows."""
    return _OPENING.fullmatch(text) is not None


def ends_in_opening(text: str) -> bool:
    """Whether what opens a call stands at the text's end, on lines of its own: the call itself never came."""
    return _OPENING_AT_END.search(text) is not None


def ends_a_call(text: str) -> bool:
    """Whether a text, in which no call was found, ends as calls do: the model has made one that nobody can read."""
    return _ENDS_A_CALL.search(text) is not None


def leftovers(source: Source) -> Steps[str]:
    """Take the frame's marks and the white space between them; returns white space that belongs to what follows."""
    while True:
        gap = yield from source.space()
        if (yield from _takes_mark(source)):
            continue
        if (yield from source.accept(*_HARMONY_ROLES)):
            source.unread("<|channel|>")
            return ""
        stray = yield from source.accept(*_STRAY)
        if not stray:
            return gap if (yield from source.peek()) else ""
        space = yield from source.space()
        if not (yield from _takes_mark(source)):
            source.unread(stray + space)
            return gap


def _takes_mark(source: Source) -> Steps[bool]:
    """Take one mark of the frame, if one stands here."""
    tag = yield from peek_tag(source)
    if tag is not None and tag.closes and (tag.name in CLOSES_A_CALL or tag.is_dsml):
        take(source, tag)
        return True
    return bool((yield from source.accept(*_MARKS)))


def unless_quoted(source: Source, grammar: Steps[Any], ends: tuple[str, ...]) -> Steps[tuple[Any, str] | None]:
    """Take what stands behind the beginning of a quotation, and the frame behind that: what was found, and the white
    space that belongs to what follows. None where one of `ends` stands behind it: somebody is quoted.
    """
    items = yield from grammar
    if any(isinstance(item, Span) for item in items):
        return items, ""
    gap = yield from leftovers(source)
    if (yield from source.accept(*ends)):
        return None
    return items, gap
