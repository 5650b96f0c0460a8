"""Structured output: the JSON of an answer that was to be JSON, whether or not the provider has enforced that.

Models put it between three backticks or between words, and say something behind it. The text is held to its end, and of
it only the JSON that the schema accepts is passed on. If there is none the model is asked once more; and if there is
none then either, the text stays what it was: it may say why.
"""

import json
from typing import Any, NamedTuple

from ..rescue.lenient_json import Unreadable, rewrite
from ..rescue.schema import fits
from ..wire.codec import InvalidJSON, loads
from ..wire.messages_api import JSON

AGAIN = (
    "That was not JSON as it was asked for. Answer with the JSON alone, valid against the schema: no words around"
    " it, no backticks."
)

MAX_TRIES = 20
"""How many opening braces are tried: after so many that begin no such JSON, the text is taken as it is."""

_decoder = json.JSONDecoder()


class Form(NamedTuple):
    """The result: `text` is JSON that the schema accepts if `is_met`, else all that was said."""

    text: str
    is_met: bool


class FormText:
    """Collects the text of one answer that is to be JSON of a schema."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._pieces: list[str] = []

    def feed(self, text: str) -> None:
        self._pieces.append(text)

    def read(self) -> Form:
        """What there is so far: the whole text if it is JSON that the schema accepts, or the JSON that is in it."""
        text = "".join(self._pieces)
        if self._is_met_by(text):
            return Form(text, True)
        form = _form_in(text, self._schema)
        return Form(text, False) if form is None else Form(form, True)

    def _is_met_by(self, text: str) -> bool:
        try:
            return fits(loads(text), self._schema)
        except InvalidJSON:
            return False


def asked_again(body: JSON, said: str) -> JSON:
    """The Messages request to make after an answer in which there was no such JSON."""
    messages = [*body["messages"], *([{"role": "assistant", "content": said}] if said.strip() else [])]
    return {**body, "messages": [*messages, {"role": "user", "content": AGAIN}]}


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
