"""A value that MiniMax M3 writes as elements in elements, each tag behind the family's mark.

    ]<]minimax[>[<todos>]<]minimax[>[<item>]<]minimax[>[<id>1]<]minimax[>[</id>]<]minimax[>[</item>]<]minimax[>[</todos>

Here `todos` is `[{"id": "1"}]`: the elements of an array are all called `item`, and in an object a name that comes
again is a list. So vLLM and SGLang read them.
"""

import re
from dataclasses import dataclass, field

from .schema import Value, from_text, option_of, properties
from .source import Refuted
from .tags import MINIMAX_MARK

_TAG = re.compile(rf"{re.escape(MINIMAX_MARK)}\s?<(/?)([^<>\s/]+)>")
_ITEM = "item"
_MAX_DEPTH = 64


@dataclass(slots=True)
class _Element:
    name: str
    text: str = ""
    children: list["_Element"] = field(default_factory=list)


def value_of(text: str, schema: Value) -> Value:
    """What stands between a parameter's tags; refuted where its elements are not whole."""
    first, *rest = _TAG.split(text)
    stack = [_Element("", first)]
    for closes, name, behind in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        if closes:
            if stack.pop().name != name or not stack:
                raise Refuted
        else:
            element = _Element(name)
            stack[-1].children.append(element)
            stack.append(element)
        if len(stack) > _MAX_DEPTH:
            raise Refuted
        stack[-1].text += behind
    if len(stack) != 1 or MINIMAX_MARK in _TAG.sub("", text):
        raise Refuted
    return _meant(stack[0], schema)


def _meant(element: _Element, schema: Value) -> Value:
    array, found = option_of(schema, "array"), option_of(schema, "object")
    children = element.children
    if not children:
        if element.text.strip() or not schema or option_of(schema, "string"):
            return from_text(element.text, schema)
        return [] if array else {} if found else from_text(element.text, schema)
    if element.text.strip():
        raise Refuted  # words between elements: what they stand for is not known
    if all(child.name == _ITEM for child in children) and (array or not found):
        return [_meant(child, (array or {}).get("items")) for child in children]
    known = properties(found)
    said: dict[str, list[Value]] = {}
    for child in children:
        said.setdefault(child.name, []).append(_meant(child, known.get(child.name)))
    return {name: values[0] if len(values) == 1 else values for name, values in said.items()}
