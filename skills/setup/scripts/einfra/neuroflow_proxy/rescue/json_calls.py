"""Calls that are written as JSON objects, `{"name": …, "arguments": {…}}`, one or several, and as Python expressions.

Read where a grammar expects them; what stands around them (tags, control tokens) is the grammar's own matter.
"""

import re
from collections.abc import Sequence

from .lenient_json import UNQUOTED_KEY, Missing, Unreadable, read_object
from .schema import ARGUMENT_KEYS, Value, required
from .source import CutOff, Refuted, Source, Steps
from .toolbox import Call, Toolbox

Item = Call | str
"""A call that was found, or text that is to stay text."""

_NAME_KEYS = ("name", "tool_name", "function_name", "function", "tool")
_OF_DECLARATIONS = frozenset(("description", "input_schema", "inputSchema"))
# The head of a key; anything else behind a brace is no JSON object, and is seen at once.
_OBJECT_HEAD = re.compile(rf"""\{{\s*(?:["'}}]|{UNQUOTED_KEY}\s*[:=])""")
_HEAD_LENGTH = 80
_NAME_FIRST = re.compile(r"""\{\s*["'](?:name|tool_name|function_name|tool)["']\s*:\s*["']([^"'\\\n]*)["']""")
_PART_OF_NAME_FIRST = re.compile(r"""\{\s*(?:["']\w*(?:["']\s*(?::\s*(?:["'][^"'\\\n]*)?)?)?)?""")
_NAME_LENGTH = 200
_OUTSIDE = re.compile(r"""["'()\[\]{}<]""")
_LINE_END = re.compile(r"\n|</")
_PYTHON_NAME = re.compile(r"[^\w.-]")


def balanced(source: Source, *, parentheses: bool = False) -> Steps[tuple[str, bool]]:
    """Take one bracketed value; its text, and whether its last bracket came.

    A `<` outside of a string cannot stand in JSON: a tag begins, and the brackets that are open will not be closed.
    """
    taken: list[str] = []
    depth = 0
    quote = ""
    while True:
        text = source.text
        start = i = source.position
        while i < len(text):
            if quote:
                end = text.find(quote, i)
                if end < 0:
                    i = _before_backslashes(text, i)
                    break
                backslashes = end - _before_backslashes(text, i, end)
                i = end + 1
                if backslashes % 2 == 0:
                    quote = ""
                continue
            found = _OUTSIDE.search(text, i)
            if found is None:
                i = len(text)
                break
            i = found.end()
            character = found.group()
            if character in "\"'":
                quote = character
            elif character in "{[" or (character == "(" and parentheses):
                depth += 1
            elif character in "}]" or (character == ")" and parentheses):
                depth -= 1
                if depth <= 0:
                    source.position = i
                    return "".join([*taken, text[start:i]]), True
            elif character == "<":
                source.position = i - 1
                return "".join([*taken, text[start : i - 1]]), False
            else:
                source.position = i  # wherever the text was cut, who goes on does so from here
                raise Refuted
        taken.append(text[start:i])
        source.position = i
        if source.has_ended:
            source.position = len(text)
            if quote:
                raise CutOff
            return "".join(taken), False
        yield quote or "\"'{}[]()<"


def _before_backslashes(text: str, start: int, end: int | None = None) -> int:
    """Where the run of backslashes begins that ends at `end`."""
    end = len(text) if end is None else end
    while end > start and text[end - 1] == "\\":
        end -= 1
    return end


def object_text(source: Source) -> Steps[tuple[str, Missing]]:
    """Take a JSON object; its text, and how much of its end a reader may supply.

    Missing brackets may be supplied where something shows that the model was done with it: a tag, or the end of an
    answer that was not cut off.
    """
    while True:
        rest = source.text[source.position : source.position + _HEAD_LENGTH]
        if _OBJECT_HEAD.match(rest) or len(rest) == _HEAD_LENGTH or source.has_ended:
            break
        yield ""
    if not _OBJECT_HEAD.match(rest):
        raise CutOff if source.has_ended and len(rest) < _HEAD_LENGTH else Refuted
    text, is_closed = yield from balanced(source)
    if is_closed:
        return text, Missing.NOTHING
    if source.was_cut:
        raise CutOff
    return text, Missing.BRACKETS


def json_calls(source: Source, tools: Toolbox, grammar: str, *, in_lines: bool = False) -> Steps[list[Item]]:
    """Take objects, in an array or one after another. At least one must be a call.

    `in_lines`: each stands on a line of its own; a line that cannot be read is dropped if others can.
    """
    items: list[Item] = []
    in_array = bool((yield from source.accept("[")))
    while True:
        gap = yield from source.space()
        at = yield from source.peek()
        if at == "{":
            if not (items or in_array or in_lines):
                yield from _refute_undeclared(source, tools)
            start = gap if items and isinstance(items[-1], str) else ""
            try:
                text, missing = yield from object_text(source)
            except CutOff:
                raise
            except Refuted:
                if not in_lines:
                    raise
                yield from _skip_line(source)
                continue
            try:
                items.append(_call_of(read_object(text, missing=missing), tools, grammar) or start + text)
            except Unreadable as error:
                if not in_lines:
                    raise Refuted from error
        elif at and at in ",;" and items:
            source.position += 1
        elif in_array and at == "]":
            source.position += 1
            break
        elif in_array and (at or source.was_cut):
            raise Refuted
        else:
            source.unread(gap)
            break
    if not any(isinstance(item, Call) for item in items):
        raise CutOff if source.has_ended and not items else Refuted
    return items


def _refute_undeclared(source: Source, tools: Toolbox) -> Steps[None]:
    """An object whose name comes first is known early to be no call, and need not be held until it closes."""
    while True:
        ahead = source.text[source.position : source.position + _NAME_LENGTH]
        found = _NAME_FIRST.match(ahead)
        if found and tools.names.find(found[1]) is None:
            raise Refuted
        if found or source.has_ended or len(ahead) == _NAME_LENGTH or not _PART_OF_NAME_FIRST.fullmatch(ahead):
            return
        yield ""


def _skip_line(source: Source) -> Steps[None]:
    _, stop = yield from source.until(_LINE_END, 2)
    source.position -= len(stop)


def _call_of(said: Value, tools: Toolbox, grammar: str) -> Call | None:
    """The call that an object stands for; None if no declared tool is named. Raises `Unreadable`."""
    if not isinstance(said, dict):
        raise Unreadable("not an object")
    inner = said.get("function")
    if isinstance(inner, dict):  # {"type": "function", "function": {"name": …}}
        return _call_of(inner, tools, grammar)
    name = next((said[key] for key in _NAME_KEYS if isinstance(said.get(key), str)), None)
    if name is None and len(said) == 1:  # {"Read": {…}}
        (name, arguments), *_ = said.items()
        if not isinstance(arguments, dict):
            return None
    else:
        arguments = next((said[key] for key in ARGUMENT_KEYS if key in said), None)
    declared = tools.names.find(name) if name else None
    if declared is None or (arguments is None and required(tools.schema(declared))):
        return None
    if _declares(said, arguments, tools, declared):
        return None
    if isinstance(arguments, str):  # encoded twice
        return tools.call_with_text(declared, arguments, grammar)
    return tools.call(declared, arguments, grammar)


def _declares(said: dict[str, Value], arguments: Value, tools: Toolbox, name: str) -> bool:
    """Whether the object says what the tool is, as lists of tools do, and calls nothing."""
    if arguments is None:
        return not _OF_DECLARATIONS.isdisjoint(said)
    is_schema = isinstance(arguments, dict) and isinstance(arguments.get("properties"), dict) and "type" in arguments
    return is_schema and not tools.lists(name, "properties")


def python_calls(source: Source, tools: Toolbox, grammar: str, *, begun: Sequence[Item] = ()) -> Steps[list[Item]]:
    """Take `name(key=value, …)`, one or several, in a list or on lines of their own; `begun` were taken before."""
    items = [*begun]
    in_list = not begun and bool((yield from source.accept("[")))
    while True:
        yield from source.space()
        at = yield from source.peek()
        if items and at == ",":
            source.position += 1
        elif items and in_list and at == "]":
            source.position += 1
            return items
        elif at and (at.isalpha() or at == "_") and (in_list or tools.names.may_become(at)):
            items.append((yield from _python_call(source, tools, grammar)))
        elif items and not in_list:
            return items
        else:
            raise Refuted if at else CutOff


def _python_call(source: Source, tools: Toolbox, grammar: str) -> Steps[Call]:
    word = yield from source.word(_PYTHON_NAME, tools.names.longest)
    name = tools.names.find(word) or tools.names.find(word.removesuffix(".call"))
    if name is None or (yield from source.peek()) != "(":
        raise Refuted
    return (yield from python_arguments(source, tools, name, grammar))


def python_arguments(source: Source, tools: Toolbox, name: str, grammar: str) -> Steps[Call]:
    """Take `(key=value, …)`: read as an object whose colons are written `=`."""
    text, is_closed = yield from balanced(source, parentheses=True)
    if not is_closed:
        raise Refuted
    try:
        return tools.call(name, read_object("{" + text[1:-1] + "}"), grammar)
    except Unreadable as error:
        raise Refuted from error
