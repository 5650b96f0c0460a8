"""The marks at which rescue stops and looks: one table for all grammars, and the search for them in arriving text."""

import re
from collections.abc import Callable, Iterable, Sequence

from . import control_tokens
from .json_calls import Item
from .markup import markup
from .source import Source, Steps
from .spans import BY_OPENING, CLOSINGS, Span
from .tags import MINIMAX_MARK, NAMESPACES
from .toolbox import Toolbox

Grammar = Callable[[Source, Toolbox], Steps[Sequence[Item | Span]]]

_MARKUP = (
    *("<tool_calls>", "<function_call>", "<tools>", "<tool>", "<TOOLCALL>"),
    *(f"<{space}{name}" for space in ("", *NAMESPACES) for name in ("tool_call>", "function_calls>", "invoke")),
    *("<function=", "<function name=", "<function>", "<function_call name=", "<tool_call name=", "<tool name="),
    *(MINIMAX_MARK, "<|open|>tools", "<|open|>call"),
    *(
        f"<{gap}{bars}{inner}DSML"
        for bars in ("｜", "｜｜", "‖", "‖‖", "|", "||")
        for gap in ("", " ")
        for inner in ("", " ")
    ),
)
GRAMMARS: dict[str, Grammar] = {
    **dict.fromkeys(_MARKUP, markup),
    **dict.fromkeys((*control_tokens.SECTIONS, *control_tokens.CALL_BEGINS), control_tokens.sections),
    **dict.fromkeys(control_tokens.WRAPPED, control_tokens.wrapped),
    **dict.fromkeys(control_tokens.PYTHON_TAGS, control_tokens.llama),
    control_tokens.MISTRAL: control_tokens.mistral,
    control_tokens.PHI: control_tokens.phi,
    **dict.fromkeys(control_tokens.HARMONY, control_tokens.harmony),
    **dict.fromkeys(control_tokens.GEMMA, control_tokens.gemma),
}
"""Opening mark -> the grammar that reads on from it."""


class Marks:
    """Finds the earliest of some marks in a text that arrives in pieces."""

    def __init__(self, marks: Iterable[str]) -> None:
        known = frozenset(marks)
        self._pattern = re.compile(_any_of(known))
        self._beginnings = frozenset(mark[:length] for mark in known for length in range(1, len(mark)))
        self._first = re.compile(f"[{re.escape(''.join(sorted({mark[0] for mark in known})))}]")
        self._longest = max(map(len, known))

    def search(self, text: str, start: int) -> re.Match[str] | None:
        return self._pattern.search(text, start)

    def has_none(self, text: str) -> bool:
        """Whether no mark stands or begins in the text: true of most pieces, and cheap."""
        return self._first.search(text) is None

    def is_beginning(self, text: str, start: int = 0) -> bool:
        """Whether the whole text from `start` on is the beginning of a mark."""
        return len(text) - start < self._longest and text[start:] in self._beginnings

    def beginning(self, text: str, start: int) -> int:
        """Where the beginning of a mark starts that the text ends with; its length if there is none."""
        i = max(start, len(text) - self._longest + 1)
        while found := self._first.search(text, i):
            i = found.start()
            if text[i:] in self._beginnings:
                return i
            i += 1
        return len(text)


def _any_of(words: frozenset[str]) -> str:
    """A pattern for the longest of the words, branching by character: many times faster than one branch for each."""
    branches = [
        re.escape(first) + _any_of(frozenset(word[1:] for word in words if word.startswith(first)))
        for first in sorted({word[0] for word in words if word})
    ]
    if not branches:
        return ""
    pattern = branches[0] if len(branches) == 1 and "" not in words else f"(?:{'|'.join(branches)})"
    return f"{pattern}?" if "" in words else pattern


ALL = Marks((*GRAMMARS, *BY_OPENING, *CLOSINGS))
WITHOUT_TOOLS = Marks((*control_tokens.HARMONY, *BY_OPENING, *CLOSINGS))
