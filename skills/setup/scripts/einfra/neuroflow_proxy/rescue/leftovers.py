"""What remains of a format's frame behind a rescued call: dropped there, and only there.

Elsewhere the same marks are text; an answer about chat templates is full of them.
"""

from .control_tokens import GAPS
from .markup import CLOSES_A_CALL
from .source import Source, Steps
from .tags import peek_tag, take

_MARKS = (
    *("<|tool_call_end|>", "<|tool_calls_section_end|>", "<|tool_call_section_end|>"),
    *(f"<{bar}tool{gap}{what}{gap}end{bar}>" for bar in "｜|" for gap in GAPS for what in ("call", "calls")),
    *("<｜end▁of▁sentence｜>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|endoftext|>", "<|end_of_msg|>", "</s>"),
    *("<|call|>", "<|end|>", "<|return|>", "[/TOOL_CALLS]", "<|/tool_call|>", "<|END_ACTION|>", "<|action_end|>"),
    *("<|tools_suffix|>", "<|python_end|>", "<tool_call|>", "<end_function_call>", "<turn|>", "<end_of_turn>"),
    *("<|observation|>", "<|user|>", "<SPECIAL_12>"),
)
_HARMONY_ROLES = tuple(f"{word}<|channel|>" for word in ("commentary", "analysis", "final", "assistant"))


def leftovers(source: Source) -> Steps[str]:
    """Take the frame's marks and the white space between them; returns white space that belongs to what follows."""
    while True:
        gap = yield from source.space()
        tag = yield from peek_tag(source)
        if tag is not None and tag.closes and tag.name in CLOSES_A_CALL:
            take(source, tag)
        elif (yield from source.accept(*_HARMONY_ROLES)):
            source.unread("<|channel|>")
            return ""
        elif not (yield from source.accept(*_MARKS)):
            return gap if (yield from source.peek()) else ""
