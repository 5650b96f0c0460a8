"""The arguments of one tool call on their way to the client: valid JSON at once and untouched, anything else repaired.

Valid, and yet repaired, is one thing: an object in which all stands one level too deep.

The text is checked while it arrives. What is certain is passed on; what the next character could still turn into
something else (a closing quote, a comma, a number, a tag that ends a parameter) waits for that character. From the
first character that is not JSON on, the rest is held until the call ends; then it is read leniently. The repaired text
must continue what was already passed on, be an object, and fit the tool's schema. If it does not, the rest goes out as
the model wrote it, and the client tells the model. Arguments that were cut off are never completed.
"""

import re
from typing import Literal

from ..wire.codec import InvalidJSON, dumps_text, loads
from .lenient_json import Missing, Unreadable, rewrite
from .schema import ARGUMENT_KEYS, Value, coerce, fits, required, unwrapped, wrappers

# Constrained decoding gone wrong writes white space without end; no more of it is kept in a row.
MAX_BLANKS = 500

_BLANKS = re.compile(r"[ \t\r\n]*")
# Not possessive, with which Python takes half of an escape up to 3.11.4 (gh-106052); so many escapes at once, because
# it remembers each.
_STRING_RUN = re.compile(r'[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*){0,1000}')
_PART_OF_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?")
_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")
_SCALAR_CHARACTERS = re.compile(r"[-+.0-9A-Za-z]{1,400}")
_PRELUDE = re.compile(r"\s*(?:(?:```\w*|<\|?[\w:]{1,40}\|?>|json\b)\s*)*")
# A key and its colon, in front of which only a brace can be missing: vLLM forgets it for Qwen (vllm #35266).
_MEMBER = re.compile(r'\s*"(?:[^"\\]|\\.){1,200}"\s*:')
_ANOTHER = re.compile(r"\s*(?=\{)")
_MEANS_NONE = ("", "null", "None")
_LONGEST_WRAPPER = max(map(len, ARGUMENT_KEYS))
# The tag that ends a parameter. Parsers that miss it take it for text, and then find no end of the string: DeepSeek's
# behind `2>&1`, where it also loses its `>` (vllm #45877, #53227), GLM's behind `<` (sglang #24147).
_VALUE_ENDS = ("</｜DSML｜parameter>", "</｜DSML｜ parameter>", "</arg_value>")
_VALUE_END = re.compile(r"(?:</｜DSML｜ ?parameter|</arg_value)>?[ \]}]{0,16}")
_LONGEST_VALUE_END = 40


# Where in the grammar the text stands. No enum: what is asked several times for each piece must not take 0.2 µs to look
# up, as members do in Python 3.11.
_Inside = Literal["FIRST_KEY", "NEXT_KEY", "KEY", "COLON", "VALUE", "FIRST_ITEM", "STRING", "AFTER_VALUE"]
_At = Literal["START", _Inside, "DONE", "BROKEN"]


class ArgumentsStream:
    """One tool call's arguments; `schema` is the tool's, None where it is not known."""

    def __init__(self, schema: Value) -> None:
        self._schema = schema
        self._wrappers = wrappers(schema)
        self._at: _At = "START"
        self._open: list[str] = []  # the brackets that are still open
        self._said: list[str] = []  # everything, as it came; needed until it is known to be whole
        self._sent_length = 0  # what was sent is the beginning of what was said
        self._held = ""  # came, but was not sent: it is read again when more is there
        self.repaired = False

    @property
    def is_complete(self) -> bool:
        """The arguments so far are a whole JSON object."""
        return self._is_over or (self._at == "FIRST_KEY" and self._held.strip() == "}")

    @property
    def _is_over(self) -> bool:
        return self._at == "DONE"

    def feed(self, piece: str) -> str:
        """Take a piece; return what may be passed on now."""
        if self._at == "DONE":
            self._drop(piece)
            return ""
        if len(self._held) > MAX_BLANKS and not piece.strip():
            return ""  # so much is only ever held of white space
        self._said.append(piece)
        if self._at == "BROKEN":
            return ""
        text = self._held + piece if self._held else piece
        end = self._scan(text)
        self._held = text[end:]
        self._sent_length += end
        if self._is_over:
            self._drop(self._held)
            self._held = ""
            self._said.clear()
        return text[:end]

    def finish(self, *, cut_off: bool) -> str:
        """The call is over; return the rest. `cut_off`: the answer was ended by a limit or by a fault."""
        if self._at == "DONE":
            return ""
        said = "".join(self._said)
        sent = said[: self._sent_length]
        repaired = None if cut_off else self._repair(said, sent)
        if repaired is None:
            return said[self._sent_length :]
        self._at = "DONE"
        self._said.clear()
        self.repaired = repaired != said
        return repaired[self._sent_length :]

    def _drop(self, surplus: str) -> None:
        """After the object: end markers, the same object again, or another one. The first stands."""
        if surplus.strip():
            self.repaired = True

    def _repair(self, said: str, sent: str) -> str | None:
        if said.strip() in _MEANS_NONE:
            return None if required(self._schema) else "{}"
        if self._at == "STRING" and _VALUE_END.fullmatch(self._held):
            said = f'{sent}"'
        blank = said[: len(said) - len(said.lstrip())] if sent else ""
        try:
            # Brackets that are missing can only be these; where a string or a number would have ended nobody knows,
            # and some gateways call an answer finished that broke off there.
            missing = Missing.NOTHING if said.rstrip()[-1:].isdigit() else Missing.BRACKETS
            start = len(blank) if sent else _PRELUDE.match(said).end()  # type: ignore[union-attr]
            rewritten = _read(said[start:], missing)
            value = loads(rewritten)
        except (Unreadable, InvalidJSON):
            return None
        if not isinstance(value, dict):
            return None
        candidates = [rewritten]
        meant = coerce(unwrapped(value, self._schema), self._schema)
        if meant != value:
            candidates.insert(0, dumps_text(meant))
        for candidate in candidates:
            if (blank + candidate).startswith(sent) and fits(loads(candidate), self._schema):
                return blank + candidate
        return None

    def _scan(self, text: str) -> int:
        """Follow the text as far as it goes; returns how far it is certain. State is kept for that place."""
        i = 0
        safe, at = 0, self._at
        while True:
            if at in ("STRING", "KEY"):
                start = i
                i = _STRING_RUN.match(text, i).end()  # type: ignore[union-attr]
                safe, self._at = i, at
                if i == len(text):
                    return safe if at == "KEY" else _before_value_end(text, start)
                if text[i] == '"':
                    at = "COLON" if at == "KEY" else "AFTER_VALUE"
                    i += 1
                elif i == start:
                    return safe if _PART_OF_ESCAPE.fullmatch(text, i) else self._break(safe)
                continue
            i = _BLANKS.match(text, i).end()  # type: ignore[union-attr]
            if i == len(text):
                return safe
            character = text[i]
            match at:
                case "START" if character == "{":
                    at = self._enter("{")
                case "FIRST_KEY" if (is_other := self._stands_for_another(text, i)) is not False:
                    return self._break(safe) if is_other else safe
                case "FIRST_KEY" | "NEXT_KEY" if character == '"':
                    at = "KEY"
                case "COLON" if character == ":":
                    at = "VALUE"
                case "VALUE" | "FIRST_ITEM" if character == '"':
                    at = "STRING"
                case "VALUE" | "FIRST_ITEM" if character in "{[":
                    at = self._enter(character)
                case "FIRST_KEY" | "AFTER_VALUE" if character == "}" and self._open[-1] == "{":
                    at = self._leave()
                case "FIRST_ITEM" | "AFTER_VALUE" if character == "]" and self._open[-1] == "[":
                    at = self._leave()
                case "AFTER_VALUE" if character == ",":
                    at = "NEXT_KEY" if self._open[-1] == "{" else "VALUE"
                    i += 1
                    continue  # not certain before the next key or item has begun
                case "VALUE" | "FIRST_ITEM":
                    run = _SCALAR_CHARACTERS.match(text, i)
                    if run and run.end() == len(text) and run.end() - i < 400:
                        return safe  # more of it may come
                    if run is None or not _SCALAR.fullmatch(text, i, run.end()):
                        return self._break(safe)
                    i = run.end()
                    at = "AFTER_VALUE"
                    continue
                case _:
                    return self._break(safe)
            i += 1
            safe, self._at = i, at
            if at == "DONE":
                return safe

    def _stands_for_another(self, text: str, i: int) -> bool | None:
        """Whether the arguments are not this object but another, in it or behind it: its first key, at `i`, is only a
        wrapper's; or it is empty, as some gateways begin every call. None if the text ends too early to tell."""
        if len(self._open) > 1 or text[i] not in '"}':
            return False
        if text[i] == "}":
            behind = text[i + 1 :].lstrip()[:1]
            return behind == "{" if behind else None
        name, is_closed, _ = text[i + 1 : i + 2 + _LONGEST_WRAPPER].partition('"')
        if is_closed:
            return name in self._wrappers
        return None if any(wrapper.startswith(name) for wrapper in self._wrappers) else False

    def _enter(self, bracket: str) -> _At:
        self._open.append(bracket)
        return "FIRST_KEY" if bracket == "{" else "FIRST_ITEM"

    def _leave(self) -> _At:
        self._open.pop()
        return "AFTER_VALUE" if self._open else "DONE"

    def _break(self, safe: int) -> int:
        self._at = "BROKEN"
        return safe


def _before_value_end(text: str, start: int) -> int:
    """How far a text that ends inside of a string is certain: up to what may turn out to be the end of that string."""
    at = text.rfind("<", max(start, len(text) - _LONGEST_VALUE_END))
    if at >= 0 and (_VALUE_END.fullmatch(text, at) or any(end.startswith(text[at:]) for end in _VALUE_ENDS)):
        return at
    return len(text)


def _begun_again(text: str) -> int:
    """Where the object begins that says all of the unfinished one before it again, and more (sglang #23071)."""
    first_key = text[: text.find(":") + 1]
    start = text.find(first_key, 1) if first_key else -1
    is_behind_value = start > 0 and text[:start].rstrip()[-1:] not in (":", ",", "[")
    return start if is_behind_value and text.startswith(text[:start], start) else 0


def _read(text: str, missing: Missing) -> str:
    """The JSON text of the object that is meant: the first that holds anything, unpacked if it was encoded twice."""
    if _MEMBER.match(text):
        text = "{" + text
    text = text[_begun_again(text) :]
    rewritten, end = rewrite(text, missing=missing)
    while loads(rewritten) == {} and (another := _ANOTHER.match(text, end)):
        rewritten, end = rewrite(text, another.end(), missing=missing)
    for _ in range(2):
        value = loads(rewritten)
        if not isinstance(value, str):
            break
        rewritten, _ = rewrite(value.strip(), missing=missing)
    return rewritten
