"""JSON as models write it: rewritten as the JSON that was meant, changing as little as possible.

What is valid is copied as it stands, white space included, so that the result continues whatever part of the text was
already passed on. Nothing is guessed that is not there: a key without a value, half a literal, a word without quotes
make the text `Unreadable`. How much of the end may be missing is the caller's decision (`Missing`).

Understood beyond JSON: trailing and missing commas, single quotes, triple quotes, unquoted keys, `=` for a colon,
Python's literals, raw control characters and quotes inside strings, escapes that JSON does not know, comments.
"""

import re
from enum import IntEnum

from ..wire.codec import InvalidJSON, dumps_text, loads
from .schema import Value

_MAX_DEPTH = 100


class Unreadable(ValueError):
    """The text is not close enough to JSON to tell what was meant."""


class Missing(IntEnum):
    """How much may be missing at the end of the text."""

    NOTHING = 0
    BRACKETS = 1


# Bounded, so that a text full of unclosed comments is not searched to its end again and again.
_SPACE = re.compile(r"[ \t\r\n]+|(?://|#)[^\n]{0,200}|/\*(?:[^*]|\*(?!/)){0,200}\*/")
_BLANK = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.])")
_WORD = re.compile(r"[^\W\d][\w$-]*")
UNQUOTED_KEY = r"-{0,2}[^\W\d][\w$.-]*"
"""Also `-n` and `user.name`, as tools call their parameters."""
_UNQUOTED_KEY = re.compile(UNQUOTED_KEY)
_LITERALS = {"true": "true", "false": "false", "null": "null", "True": "true", "False": "false", "None": "null"}
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
_PYTHON_ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})")
_CONTROL = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_STOPS = {quote: re.compile(rf'[\\"{quote}\x00-\x1f]') for quote in "\"'"}
_VALUE_START = r"""(?:["'\[{]|-?[0-9]|true\b|false\b|null\b|True\b|False\b|None\b)"""
_KEY = rf"""(?:"(?:[^"\\\n]|\\.){{0,300}}"|'(?:[^'\\\n]|\\.){{0,300}}'|{UNQUOTED_KEY})[ \t\r\n]*"""
_KEY_FOLLOWS = re.compile(rf"{_KEY}(?:[:=]|\Z)")  # an answer that was cut may end behind a key
_MEMBER_FOLLOWS = re.compile(rf"{_KEY}[:=][ \t\r\n]*{_VALUE_START}")
_ITEM_FOLLOWS = re.compile(_VALUE_START)
# After the last bracket: the end, or what an unparsed call has behind it.
_CLOSE_FOLLOWS = re.compile(r"[\]}][ \t\r\n]*(?:$|[\]},]|```|</|<[|｜])")


def rewrite(text: str, start: int = 0, *, missing: Missing = Missing.NOTHING) -> tuple[str, int]:
    """The JSON text of the one value that begins at `start`, and where in `text` it ends."""
    reader = _Reader(text, start, missing)
    reader.value(0)
    return "".join(reader.out), reader.position


def read_object(text: str, *, missing: Missing = Missing.NOTHING) -> dict[str, Value]:
    """The one object that the text is; strictly if it can be read so."""
    try:
        value = loads(text)
    except InvalidJSON:
        rewritten, end = rewrite(text, _BLANK.match(text).end(), missing=missing)  # type: ignore[union-attr]
        if text[end:].strip():
            raise Unreadable("something follows the value") from None
        try:
            value = loads(rewritten)
        except InvalidJSON as error:
            raise Unreadable(str(error)) from error
    if not isinstance(value, dict):
        raise Unreadable("not an object")
    return value


class _Reader:
    """Recursive descent over a text that is all there; writes to `out` while it reads."""

    def __init__(self, text: str, start: int, missing: Missing) -> None:
        self.text = text
        self.position = start
        self.out: list[str] = []
        self._missing = missing

    def value(self, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise Unreadable("nested too deeply")
        match self._peek():
            case "{":
                self._members("}", depth)
            case "[":
                self._members("]", depth)
            case '"' | "'":
                self._string(is_key=False, in_object=True)
            case _:
                self._scalar()

    def _members(self, close: str, depth: int) -> None:
        """An object or an array; a comma is written only once it is known that something follows it."""
        in_object = close == "}"
        self._copy(1)
        comma = ""
        is_first = True
        while True:
            before = len(self.out)
            self._space()
            at = self._peek()
            if at == close:
                self._copy(1)
                return
            if not at:
                if self._missing < Missing.BRACKETS:
                    raise Unreadable("cut off")
                self.out.append(close)
                return
            if at == ",":
                if comma or is_first:
                    raise Unreadable("a comma without a value")
                self.position += 1
                comma = "".join(self.out[before:]) + ","
                del self.out[before:]
                continue
            if not is_first and not comma:
                comma = ","
            if not is_first:
                self.out.insert(before, comma)
            comma, is_first = "", False
            if in_object:
                self._key()
                self._space()
                if self._peek() not in (":", "="):
                    raise Unreadable("a key without a value")
                self.position += 1
                self.out.append(":")
                self._space()
            if self._peek() in ('"', "'"):
                self._string(is_key=False, in_object=in_object)
            else:
                self.value(depth + 1)

    def _key(self) -> None:
        if self._peek() in ('"', "'"):
            self._string(is_key=True, in_object=True)
            return
        word = _UNQUOTED_KEY.match(self.text, self.position)
        if word is None:
            raise Unreadable("not a key")
        self.position = word.end()
        self.out.append(f'"{word.group()}"')

    def _scalar(self) -> None:
        number = _NUMBER.match(self.text, self.position)
        if number is not None:
            self._copy(number.end() - self.position)
            return
        word = _WORD.match(self.text, self.position)
        if word is None or word.group() not in _LITERALS:
            raise Unreadable("not a value")
        self.position = word.end()
        self.out.append(_LITERALS[word.group()])

    def _string(self, *, is_key: bool, in_object: bool) -> None:
        text = self.text
        quote = text[self.position]
        if text.startswith(quote * 3, self.position):
            self._triple_quoted(quote * 3)
            return
        self.out.append('"')
        i = self.position + 1
        stops = _STOPS[quote]
        while True:
            stop = stops.search(text, i)
            if stop is None:
                raise Unreadable("cut off in a string")
            self.out.append(text[i : stop.start()])
            i = stop.start()
            character = text[i]
            if character == quote and self._is_end(i, is_key=is_key, in_object=in_object):
                i += 1
                break
            if character == "\\":
                i = self._escape(i)
            else:
                self.out.append('\\"' if character == '"' else "'" if character == "'" else _escaped(character))
                i += 1
        self.out.append('"')
        self.position = i

    def _escape(self, i: int) -> int:
        """A backslash: known escapes stay, Python's `\\'` and `\\x41` are translated, others are meant literally."""
        text = self.text
        known = _ESCAPE.match(text, i)
        if known:
            self.out.append(known.group())
            return known.end()
        python = _PYTHON_ESCAPE.match(text, i)
        if python:
            self.out.append(f"\\u00{python.group(1)}")
            return python.end()
        following = text[i + 1 : i + 2]
        if following == "'":
            self.out.append("'")
            return i + 2
        self.out.append("\\\\")
        return i + 1

    def _triple_quoted(self, quotes: str) -> None:
        start = self.position + 3
        end = self.text.find(quotes, start)
        if end < 0:
            raise Unreadable("cut off in a string")
        self.out.append(dumps_text(self.text[start:end]))
        self.position = end + 3

    def _is_end(self, i: int, *, is_key: bool, in_object: bool) -> bool:
        """Whether the quote at `i` ends its string, or stands inside it unescaped: what follows it tells."""
        text = self.text
        after = self._after_space(i + 1)
        following = text[after : after + 1]
        if is_key:
            return following in (":", "=")
        if not following:
            return True
        if following == ",":
            rest = self._after_space(after + 1)
            has_next = (_KEY_FOLLOWS if in_object else _ITEM_FOLLOWS).match(text, rest) is not None
            return has_next or text[rest : rest + 1] in ("", "}", "]")
        if following in "}]":
            return _CLOSE_FOLLOWS.match(text, after) is not None
        return in_object and _MEMBER_FOLLOWS.match(text, after) is not None  # a comma was forgotten

    def _after_space(self, i: int) -> int:
        while space := _SPACE.match(self.text, i):
            i = space.end()
        return i

    def _peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def _copy(self, count: int) -> None:
        self.out.append(self.text[self.position : self.position + count])
        self.position += count

    def _space(self) -> None:
        """White space is kept, comments are dropped."""
        while space := _SPACE.match(self.text, self.position):
            if space.group()[0] in " \t\r\n":
                self.out.append(space.group())
            self.position = space.end()


def _escaped(character: str) -> str:
    return _CONTROL.get(character) or f"\\u{ord(character):04x}"
