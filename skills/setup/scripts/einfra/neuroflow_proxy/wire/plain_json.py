"""JSON with the standard library alone: for files, which are few and small, and read by commands that people wait for.

To load a faster codec takes longer than all that `status` does. What travels goes through `codec.py`.
"""

import json
from typing import Any


class InvalidJSON(ValueError):
    """The text is not JSON, or nests too deeply to be read."""


def loads(data: bytes | str) -> Any:
    """Parse JSON text. Raises `InvalidJSON`; NaN and Infinity are not JSON."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        return _decode(text)
    except RecursionError as error:
        raise InvalidJSON("nested too deeply") from error
    except UnicodeDecodeError as error:
        raise InvalidJSON(f"not UTF-8 (byte {error.start})") from error
    except ValueError as error:
        raise InvalidJSON(str(error)) from error


def dumps(value: Any) -> bytes:
    """Format as compact UTF-8 JSON, keys in the order in which they were inserted."""
    try:
        return dumps_strictly(value)
    except UnicodeEncodeError:  # an unpaired surrogate: only its escape can stand in UTF-8
        return _encode_as_ascii(value).encode()


def dumps_strictly(value: Any) -> bytes:
    """Like `dumps`, but raises `UnicodeEncodeError` where a string holds an unpaired surrogate."""
    return _encode(value).encode()


def _refuse_constant(name: str) -> Any:
    raise InvalidJSON(f"{name} is not JSON")


# Made once: `json.loads` and `json.dumps` make a new one for each text, which takes longer than to read a chunk.
_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_encode_as_ascii = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
