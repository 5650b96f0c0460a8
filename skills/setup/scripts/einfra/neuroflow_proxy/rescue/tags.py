"""Tags in which models write tool calls, read alike however they are spelled.

    <invoke name="Read">  <antml:invoke>  <｜DSML｜invoke>  <||DSML|| invoke>    -> invoke
    <function=Read>  <parameter=path>                                            -> function, parameter, with a value
    ]<]minimax[>[<path>                                                          -> path
    <|open|>call tool="Read" index="1"<|sep|>  <|close|>call<|sep|>              -> call

DeepSeek's DSML is seen with full-width, double and ASCII bars, doubled, with white space around them, with typographic
quotes, and with a `>` left out at the end of a line (sglang #40236, vllm #53227, opencode #24566, GenericAgent #804,
flocks #687).
"""

import re
from functools import lru_cache
from typing import NamedTuple

from .source import Source, Steps

MINIMAX_MARK = "]<]minimax[>["
NAMESPACES = ("antml:", "minimax:", "seed:", "steptml:", "atem:", "longcat_")
"""What families put before the names of the same tags: Anthropic, MiniMax, Seed, Step 3, Muse, LongCat."""
DSML = r"[｜‖|]{1,2}\s?DSML\s?[｜‖|]{1,2}\s?"
PREFIX = rf"(?:{DSML}|{'|'.join(NAMESPACES)})?"
_TAG = re.compile(
    rf"""
    (?:\]<\]minimax\[>\[\s?)*
    (?:
        <(?P<closes>/?)\s?{PREFIX}(?P<name>[^\W\d][\w-]*)
        (?:\s*=\s*(?P<value>"[^"<>\n]*"|'[^'<>\n]*'|[^\s<>"'][^<>\n]*?))?
        (?P<attributes>(?:\s+[\w-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[“”][^“”<>]*[“”]|[^\s"'<>“”/]+))*)
        (?:\s*(?P<is_empty>/?)>|(?=[ \t]*\n\s*<))
      |
        <\|(?P<xtml>open|close)\|>(?P<xtml_name>\w+)(?P<xtml_attributes>(?:\s+\w+="[^"]*")*)\s*<\|sep\|>
    )""",
    re.VERBOSE,
)
_PART_OF_TAG = re.compile(r"</?\s?(?:[｜‖|]{1,2}\s?(?:D|DS|DSM|DSML[^<>]*)?|[^\W\d][\w:-]*(?:[\s=/][^<>]*)?)?")
_ATTRIBUTE = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|[“”]([^“”]*)[“”]|([^\s"'“”]+))""")
_LONGEST_TAG = 400


class Tag(NamedTuple):
    """One tag. `value` is what stands behind the name in `<function=Read>`."""

    name: str
    closes: bool
    is_empty: bool
    value: str
    attributes: dict[str, str]
    text: str

    def attribute(self, *names: str) -> str:
        return next((self.attributes[name] for name in names if name in self.attributes), "")

    @property
    def is_dsml(self) -> bool:
        """DeepSeek marks its own tags so, and nobody else any."""
        return "DSML" in self.text.partition(self.name)[0]


def peek_tag(source: Source) -> Steps[Tag | None]:
    """The tag that stands here, not taken; None if none does."""
    while True:
        rest = source.text[source.position : source.position + _LONGEST_TAG]
        found = _TAG.match(rest)
        if found:
            return _tag(found)
        if source.has_ended or not _may_become_tag(rest):
            return None
        yield ">" if "<" in rest else ""


def take(source: Source, tag: Tag) -> None:
    source.position += len(tag.text)


@lru_cache(maxsize=64)
def closing(*names: str) -> re.Pattern[str]:
    """Matches the closing tag of any of these names, in any spelling, with the mark before it."""
    either = "|".join(map(re.escape, names))
    return re.compile(
        rf"(?:\]<\]minimax\[>\[\s?){{0,2}}</\s?{PREFIX}(?:{either})\s?>|<\|close\|>(?:{either})\s?<\|sep\|>"
    )


@lru_cache(maxsize=64)
def misspelt_closing(*names: str) -> re.Pattern[str]:
    """Like `closing`, and what models write in its place: `</parameter/>`, `</parameter1>`, `</parameter_function>`, or
    half of it in front of the next tag (sglang #27336, llama.cpp #28612)."""
    either = "|".join(map(re.escape, names))
    return re.compile(
        rf"{closing(*names).pattern}|</\s?{PREFIX}(?:{either})(?:(?!s\s?>)[\w/]{{1,16}}>|(?:\s?[｜|])?(?=\s{{0,8}}<))"
    )


LONGEST_CLOSING = 128
# The beginning of a call and its end, as they stand in a value: a file about tool calls has whole ones.
INNER_CALL = re.compile(
    rf"(?P<opens><\s?{PREFIX}(?:function\s?=|(?:function|invoke)\s+name\s?=)[^<>\n]{{1,200}}>\s{{0,40}}"
    rf"(?=<\s?{PREFIX}param))|</\s?{PREFIX}(?:function|invoke)\s?>"
)
INNER_GLM_CALL = re.compile(r"(?P<opens><tool_call>\s{0,8}[\w.:-]{1,100}\s{0,8}(?=<arg_key>))|</tool_call>")


class Nesting:
    """How many calls that began inside of a value are still open there."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self._tail = ""
        self._depth = 0

    def add(self, text: str) -> int:
        """Go on with the value; returns how many are open at its end."""
        seen = len(self._tail)
        text = self._tail + text
        for found in self._pattern.finditer(text):
            if found["opens"]:
                self._depth += found.end() >= seen  # what must follow it is not in the match
            elif found.end() > seen:
                self._depth = max(0, self._depth - 1)
        self._tail = text[-LONGEST_CLOSING * 2 :]
        return self._depth

    def opens_before(self, following: str) -> bool:
        """Whether a call has begun right before what follows now: the first that stands in it."""
        found = self._pattern.finditer(self._tail + following)
        return any(opening["opens"] and opening.end() >= len(self._tail) for opening in found)


def _may_become_tag(rest: str) -> bool:
    while rest.startswith(MINIMAX_MARK):
        rest = rest[len(MINIMAX_MARK) :].lstrip()
    if not rest or MINIMAX_MARK.startswith(rest):
        return True
    if not rest.startswith("<") or len(rest) >= _LONGEST_TAG - len(MINIMAX_MARK):
        return False
    if any(rest.startswith(mark) or mark.startswith(rest) for mark in ("<|open|>", "<|close|>")):
        return "<|sep|>" not in rest
    return _PART_OF_TAG.fullmatch(rest) is not None


def _tag(found: re.Match[str]) -> Tag:
    if found["xtml"]:
        return Tag(
            name=found["xtml_name"],
            closes=found["xtml"] == "close",
            is_empty=False,
            value="",
            attributes=_attributes(found["xtml_attributes"].replace("&quot;", "'").replace("&amp;", "&")),
            text=found.group(),
        )
    return Tag(
        name=found["name"],
        closes=bool(found["closes"]),
        is_empty=bool(found["is_empty"]),
        value=(found["value"] or "").strip("\"'"),
        attributes=_attributes(found["attributes"]),
        text=found.group(),
    )


def _attributes(text: str) -> dict[str, str]:
    return {name: "".join(values) for name, *values in _ATTRIBUTE.findall(text)}
