"""Reading the client's JSON: every complaint is a `RequestError` that names the field, in the Messages API's manner.

A path is the dotted way to a value, as the Messages API writes it: `messages.3.content.0.type`. It is put together only
when there is something to complain of.
"""

from collections.abc import Iterable
from math import inf
from typing import Any

from ..errors import RequestError
from ..wire.codec import dumps, dumps_strictly

Path = str | tuple["Path", str | int]
"""Spelt out, or the path of what holds the value and the value's own key or index there."""

_NAMES: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    type(None): "null",
}


def complaint(path: Path, expected: str, value: object) -> RequestError:
    """The error that says what stands at `path` and what should; never the value, which is the user's."""
    return refusal(path, f"Input should be {expected}, not {_NAMES.get(type(value), 'a foreign value')}")


def missing(path: Path) -> RequestError:
    return refusal(path, "Field required")


def refusal(path: Path, words: str) -> RequestError:
    """The error that says what is wrong with the value at `path`."""
    return RequestError(f"{_spelt(path)}: {words}")


def note(ignored: dict[str, int], names: Iterable[str]) -> None:
    """Count names that nobody here knows."""
    for name in map(encodable, names):
        ignored[name] = ignored.get(name, 0) + 1


def an_object(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise complaint(path, "an object", value)
    return value


def an_array(value: Any, path: Path) -> list[Any]:
    if not isinstance(value, list):
        raise complaint(path, "an array", value)
    return value


def encodable(text: str) -> str:
    """The text without unpaired surrogates, which models produce, JSON can carry, and no tokenizer takes."""
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


def encodable_dumps(value: Any) -> tuple[Any, bytes]:
    """The value as `encodable_json` has it, and its JSON. Whoever writes it meets the surrogates: to look is free."""
    try:
        return value, dumps_strictly(value)
    except UnicodeEncodeError:
        value = encodable_json(value)
        return value, dumps(value)


def a_string(container: dict[str, Any], key: str, path: Path) -> str:
    """The string `container[key]`, which must be there; `path` is the container's, "" the body's."""
    value = container.get(key)
    if isinstance(value, str):
        return value
    raise complaint(_at(path, key), "a string", value) if key in container else missing(_at(path, key))


def a_flag(container: dict[str, Any], key: str, path: Path) -> bool:
    """The boolean `container[key]`; False where it is absent or null."""
    value = container.get(key)
    if value is None or isinstance(value, bool):
        return value or False
    raise complaint(_at(path, key), "a boolean", value)


def optional_string(container: dict[str, Any], key: str, path: Path) -> str | None:
    """The string `container[key]`, or None where it is absent or null."""
    return None if container.get(key) is None else a_string(container, key, path)


def optional_object(container: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    """The object `container[key]`, or an empty one where it is absent or null."""
    value = container.get(key)
    return {} if value is None else an_object(value, _at(path, key))


def optional_number(container: dict[str, Any], key: str, path: Path) -> float | None:
    """The finite number `container[key]`, or None where it is absent or null."""
    value = container.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -inf < value < inf:
        raise complaint(_at(path, key), "a finite number", value)
    return value


def optional_integer(container: dict[str, Any], key: str, path: Path, *, least: int) -> int | None:
    """The integer `container[key]`, or None where it is absent or null."""
    value = container.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise complaint(_at(path, key), "an integer", value)
    if value < least:
        raise refusal(_at(path, key), f"Input should be greater than or equal to {least}")
    return value


def strings(value: Any, path: Path) -> list[str]:
    """An array of strings, or an empty one where it is null."""
    if value is None:
        return []
    for index, item in enumerate(an_array(value, path)):
        if not isinstance(item, str):
            raise complaint((path, index), "a string", item)
    return [encodable(item) for item in value]


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects in an array; for a look at what is read in earnest, and complained of, elsewhere."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


MAX_DEPTH = 100
"""The deepest nesting that is taken in JSON of the client's own making: arguments of tools, schemas."""
_CONTAINERS = (dict, list)


def is_too_deep(value: Any) -> bool:
    """True of JSON that nests deeper than `MAX_DEPTH`; found without recursion, so that no depth can hurt."""
    layer: list[Any] = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(MAX_DEPTH - 1):
        if not layer:
            return False
        layer = [child for item in layer for child in _children(item) if isinstance(child, _CONTAINERS)]
    return any(layer)  # what these hold lies too deep


def refuse_depth(value: Any, path: Path) -> None:
    """Refuse JSON that nests too deeply."""
    if is_too_deep(value):
        raise refusal(path, f"nested more than {MAX_DEPTH} levels deep")


def _at(path: Path, key: str) -> Path:
    return (path, key) if path else key


def _spelt(path: Path) -> str:
    keys: list[str] = []
    while isinstance(path, tuple):
        path, key = path
        keys.append(str(key))
    return ".".join([path, *reversed(keys)])


def _children(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value
