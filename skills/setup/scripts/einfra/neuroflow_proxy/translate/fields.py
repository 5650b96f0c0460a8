"""Reading the client's JSON: every complaint is a `RequestError` that names the field, in the Messages API's manner.

A path is the dotted way to a value, as the Messages API writes it: `messages.3.content.0.type`.
"""

from collections.abc import Iterable
from math import inf
from typing import Any

from ..errors import RequestError

_NAMES: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    type(None): "null",
}


def complaint(path: str, expected: str, value: object) -> RequestError:
    """The error that says what stands at `path` and what should; never the value, which is the user's."""
    return RequestError(f"{path}: Input should be {expected}, not {_NAMES.get(type(value), 'a foreign value')}")


def missing(path: str) -> RequestError:
    return RequestError(f"{path}: Field required")


def an_object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise complaint(path, "an object", value)
    return value


def an_array(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise complaint(path, "an array", value)
    return value


def encodable(text: str) -> str:
    """The text without unpaired surrogates, which models produce, JSON can carry, and no tokenizer takes."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def encodable_json(value: Any) -> Any:
    """A JSON value, of which nesting is limited, without unpaired surrogates."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, list):
        return [encodable_json(item) for item in value]
    if isinstance(value, dict):
        return {encodable(key): encodable_json(item) for key, item in value.items()}
    return value


def a_string(container: dict[str, Any], key: str, path: str) -> str:
    """The string `container[key]`, which must be there; `path` is the container's, "" the body's."""
    value = container.get(key)
    if isinstance(value, str):
        return value if value.isascii() else encodable(value)
    raise complaint(_at(path, key), "a string", value) if key in container else missing(_at(path, key))


def optional_string(container: dict[str, Any], key: str, path: str) -> str | None:
    """The string `container[key]`, or None where it is absent or null."""
    return None if container.get(key) is None else a_string(container, key, path)


def optional_object(container: dict[str, Any], key: str, path: str) -> dict[str, Any]:
    """The object `container[key]`, or an empty one where it is absent or null."""
    value = container.get(key)
    return {} if value is None else an_object(value, _at(path, key))


def optional_number(container: dict[str, Any], key: str, path: str) -> float | None:
    """The finite number `container[key]`, or None where it is absent or null."""
    value = container.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -inf < value < inf:
        raise complaint(_at(path, key), "a finite number", value)
    return value


def optional_integer(container: dict[str, Any], key: str, path: str, *, least: int) -> int | None:
    """The integer `container[key]`, or None where it is absent or null."""
    value = container.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise complaint(_at(path, key), "an integer", value)
    if value < least:
        raise RequestError(f"{_at(path, key)}: Input should be greater than or equal to {least}")
    return value


def strings(value: Any, path: str) -> list[str]:
    """An array of strings, or an empty one where it is null."""
    if value is None:
        return []
    for index, item in enumerate(an_array(value, path)):
        if not isinstance(item, str):
            raise complaint(f"{path}.{index}", "a string", item)
    return [encodable(item) for item in value]


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects in an array; for a look at what is read in earnest, and complained of, elsewhere."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


MAX_DEPTH = 100
"""The deepest nesting that is taken in JSON of the client's own making: arguments of tools, schemas."""


def is_too_deep(value: Any) -> bool:
    """True of JSON that nests deeper than `MAX_DEPTH`; found without recursion, so that no depth can hurt."""
    layer: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        layer = [child for item in layer for child in _children(item)]
        if not layer:
            return False
    return True


def refuse_depth(value: Any, path: str) -> None:
    """Refuse JSON that nests too deeply."""
    if is_too_deep(value):
        raise RequestError(f"{path}: nested more than {MAX_DEPTH} levels deep")


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
