"""The JSON of an answer that was to be JSON, where the provider has not held the model to it.

Models put it between three backticks or between words. What begins like JSON passes as it comes; all else is held to
its end, and of that only the JSON which the schema accepts is passed on. If there is none, the text stays what it was:
it may say why.
"""

import json
from typing import Any

from ..rescue.lenient_json import Unreadable, rewrite
from ..rescue.schema import fits
from ..wire.codec import loads

MAX_TRIES = 20
"""So many opening braces are tried: a text with more that lead nowhere is no form."""

_decoder = json.JSONDecoder()


class FormText:
    """The text of one answer, which is to fulfil `schema`."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._held = ""
        self._is_passing = False

    def feed(self, text: str) -> str:
        """The part of the text that can be passed on."""
        if self._is_passing:
            return text
        self._held += text
        if not self._held.lstrip().startswith("{"):
            return ""
        self._is_passing = True
        return self._release()

    def finish(self) -> tuple[str, bool]:
        """What was held, and whether it is no more than the JSON that was in it."""
        text = self._release()
        form = _form_in(text, self._schema)
        return (text, False) if form is None else (form, True)

    def _release(self) -> str:
        text, self._held = self._held, ""
        return text


def _form_in(text: str, schema: Any) -> str | None:
    """The first object in the text that the schema accepts, as JSON."""
    position = -1
    for _ in range(MAX_TRIES):
        position = text.find("{", position + 1)
        if position < 0:
            return None
        try:
            form, end = _object_at(text, position)
        except Unreadable:
            continue
        if fits(loads(form), schema):
            return form
        position = end - 1
    return None


def _object_at(text: str, start: int) -> tuple[str, int]:
    """The JSON of the object that begins at `start`, and where it ends: as it stands there, or mended."""
    try:
        _, end = _decoder.raw_decode(text, start)
        loads(text[start:end])
    except (ValueError, RecursionError):
        return rewrite(text, start)
    return text[start:end], end
