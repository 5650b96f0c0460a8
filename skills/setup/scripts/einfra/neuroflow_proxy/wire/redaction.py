"""Secrets taken out of texts, and out of bodies before anybody keeps them. Pure.

Two kinds are known: values that the caller names, and whatever has the shape of a key. In a stream a secret may come in
pieces, one event after the other; so what the events say in one place is read as one text. What holds no secret keeps
its bytes.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

from .codec import InvalidJSON, dumps_text, loads

REDACTED = "[…]"
SHORTEST_SECRET = 8
"""A shorter "key" (`ollama`, `dummy`) is no secret, and taking it out would tear other words apart."""

_PREFIXES = (
    *("sk", "pk", "ak", "rk", "gsk", "hf", "nvapi", "xai", "pplx", "gho", "ghp", "ghs", "ghu"),
    *("github_pat", "glpat", "npm", "xoxa", "xoxb", "xoxp", "xoxs"),
)

# None of them can match a quote or half an escape: what is taken out of JSON text leaves JSON text behind.
_SHAPES = (
    r"(?<=[Bb]earer )(?=[\w.~+/=-]*\d)[\w.~+/=-]{8,}",
    rf"\b(?:{'|'.join(_PREFIXES)})[-_](?=[\w-]*\d)[\w-]{{12,}}",
    r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\\[nr]|[\w+/=\s:,.-])*",
)
# Each shape holds one of these. To look for them takes a tenth of the time of the search, in a line of the log.
_SIGNS = ("earer ", *(f"{prefix}{sign}" for prefix in _PREFIXES for sign in "-_"), "eyJ", "AKIA", "-----BEGIN ")


def redact(text: str, secrets: Collection[str] = ()) -> str:
    """The text with `REDACTED` for each of the `secrets` and for all that looks like a key."""
    named = tuple(secrets)
    for sign in _signs(named):
        if sign in text:
            return _pattern(named).sub(REDACTED, text)
    return text


def redact_body(body: bytes, secrets: Collection[str] = ()) -> bytes:
    """A request or an answer without secrets: JSON, a stream of events, or any text. What was JSON stays JSON."""
    pattern = _pattern(tuple(secrets))
    text = pattern.sub(REDACTED, body.decode("utf-8", "surrogateescape"))
    parts = [text] if _parsed(text) else _lines(text)
    documents = {number: value for number, part in enumerate(parts) if (value := _parsed(_payload(part)))}
    for number in _redact_in_place(documents, pattern):
        payload = _payload(parts[number])
        parts[number] = parts[number].replace(payload, dumps_text(documents[number][0]), 1)
    return "".join(parts).encode("utf-8", "surrogateescape")


@lru_cache(maxsize=8)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join([*map(re.escape, _long_enough(secrets)), *_SHAPES]))


@lru_cache(maxsize=8)
def _signs(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """Texts of which one stands in everything that `_pattern` finds."""
    return (*_SIGNS, *_long_enough(secrets))


def _long_enough(secrets: tuple[str, ...]) -> list[str]:
    """The secrets that are some, the longest first."""
    return sorted((secret for secret in secrets if len(secret) >= SHORTEST_SECRET), key=len, reverse=True)


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\r\n]*[\r\n]+|[^\r\n]+", text)


def _payload(line: str) -> str:
    """What stands in a line of a stream; of any other text, the text."""
    return line.removeprefix("data:").strip()


def _parsed(text: str) -> list[Any] | None:
    """The JSON value, in a list in which it can be replaced; None if there is none with anything in it."""
    try:
        value = loads(text.encode("utf-8", "surrogateescape"))
    except InvalidJSON:
        return None
    return [value] if isinstance(value, dict | list | str) else None


def _redact_in_place(documents: dict[int, list[Any]], pattern: re.Pattern[str]) -> set[int]:
    """Take the secrets out of the strings of the documents. Returns the numbers of those that were changed."""
    places: dict[tuple[Any, ...], list[tuple[int, Any, Any]]] = defaultdict(list)
    for number, document in documents.items():
        for path, holder, key in _strings(document):
            places[path].append((number, holder, key))
    changed = set()
    for pieces in places.values():
        whole = "".join(holder[key] for _, holder, key in pieces)
        spans = [match.span() for match in pattern.finditer(whole)]
        start = 0
        for number, holder, key in pieces if spans else ():
            piece = holder[key]
            cut = _without(piece, [(a - start, b - start) for a, b in spans])
            start += len(piece)
            if cut != piece:
                holder[key] = cut
                changed.add(number)
    return changed


def _without(piece: str, spans: list[tuple[int, int]]) -> str:
    """The piece without the spans. `REDACTED` stands where one begins; the rest of it may lie in later pieces."""
    kept, end = [], 0
    for a, b in spans:
        if b <= 0 or a >= len(piece):
            continue
        kept += [piece[end : max(a, 0)], REDACTED if a >= 0 else ""]
        end = min(b, len(piece))
    return "".join([*kept, piece[end:]])


def _strings(document: list[Any]) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    """Every string with where it stands: its path, and the container and key to reach it.

    Elements that carry an `index`, as choices and tool calls do, are known by it, and others by their place.
    """
    todo: list[tuple[tuple[Any, ...], Any]] = [((), document)]
    while todo:
        path, holder = todo.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            name = value.get("index", key) if isinstance(value, dict) and isinstance(holder, list) else key
            here = (*path, str(name))
            if isinstance(value, str):
                yield here, holder, key
            elif isinstance(value, dict | list):
                todo.append((here, value))
