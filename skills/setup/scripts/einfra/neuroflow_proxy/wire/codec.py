"""JSON, with the fastest codec that is installed; the only module that knows which one that is.

msgspec is used where it is there and does exactly what the standard library does, only faster. What it refuses and
the standard library can carry (unpaired surrogates, which models do produce) goes through the standard library.
"""

from collections.abc import Callable
from typing import Any, get_args, get_origin

from . import plain_json
from .plain_json import InvalidJSON

__all__ = ["InvalidJSON", "dumps", "dumps_strictly", "dumps_text", "loads", "partial_reader"]

try:
    import msgspec
except ImportError:
    msgspec = None  # type: ignore[assignment]
else:
    _decode = msgspec.json.Decoder().decode
    _encode = msgspec.json.Encoder().encode


def loads(data: bytes | str) -> Any:
    """Parse JSON text. Raises `InvalidJSON`; NaN and Infinity are not JSON."""
    if msgspec is not None:
        try:
            return _decode(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError):  # a string may hold unpaired surrogates
            pass  # the standard library reads a little more, and words the complaint
    return plain_json.loads(data)


def partial_reader(shape: Any) -> Callable[[bytes], Any]:
    """A function that reads of a JSON text only what the TypedDict `shape` names; msgspec halves the time of `loads`.

    It returns None where a named value has another type than the one named, and where the text is not JSON. `shape` may
    hold lists, other TypedDicts and `Any`.
    """
    if msgspec is None:
        return _plain_partial_reader(shape)
    decode = msgspec.json.Decoder(shape).decode

    def read(data: bytes) -> Any:
        try:
            return decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    return read


def _plain_partial_reader(shape: Any) -> Callable[[bytes], Any]:
    part = _part_of(shape)

    def read(data: bytes) -> Any:
        try:
            return part(plain_json.loads(data))
        except (InvalidJSON, TypeError):
            return None

    return read


def _part_of(shape: Any) -> Callable[[Any], Any]:
    """A function that returns what `shape` names of a value. It raises `TypeError` where one is of another type."""
    if get_origin(shape) is list:
        of_item = _part_of(get_args(shape)[0])

        def of_list(value: Any) -> Any:
            if not isinstance(value, list):
                raise TypeError("not a list")
            return [of_item(item) for item in value]

        return of_list
    kinds = {name: None if kind is Any else _part_of(kind) for name, kind in shape.__annotations__.items()}

    def of_object(value: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError("not an object")
        return {name: (of(value[name]) if of else value[name]) for name, of in kinds.items() if name in value}

    return of_object


def dumps(value: Any) -> bytes:
    """Format as compact UTF-8 JSON, keys in the order in which they were inserted."""
    if msgspec is not None:
        try:
            return _encode(value)
        except (UnicodeEncodeError, TypeError, RecursionError):
            pass  # the standard library writes what msgspec cannot, or says why it cannot either
    return plain_json.dumps(value)


def dumps_strictly(value: Any) -> bytes:
    """Like `dumps`, but raises `UnicodeEncodeError` where a string holds an unpaired surrogate."""
    if msgspec is not None:
        try:
            return _encode(value)
        except (TypeError, RecursionError):
            pass  # as above
    return plain_json.dumps_strictly(value)


def dumps_text(value: Any) -> str:
    """Like `dumps`, as text."""
    return dumps(value).decode()
