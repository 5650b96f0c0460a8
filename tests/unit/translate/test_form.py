"""The JSON of an answer that was to be JSON, found among what models put around it."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.translate.form import MAX_TRIES, FormText

SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["title"],
    "additionalProperties": False,
}
FORM = '{"title": "A {b} ```c```", "n": 3}'


def read(*pieces: str, schema: Any = SCHEMA) -> str:
    text = FormText(schema)
    for piece in pieces:
        text.feed(piece)
    return text.read().text


@pytest.mark.parametrize(
    "said",
    [
        f"```json\n{FORM}\n```",
        f"```\n{FORM}\n```\n",
        f"Here it is:\n\n```json\n{FORM}\n```\n\nI hope that {{helps}}.",
        f"I was given {{}} and {{'other': 1}}; so: {FORM}",
    ],
)
def test_what_stands_around_the_json_is_left_out(said: str) -> None:
    assert read(said) == FORM


def test_json_that_is_nearly_json_is_mended() -> None:
    assert json.loads(read("It is {'title': 'a', n: 3,}.")) == {"title": "a", "n": 3}


@pytest.mark.parametrize(
    "said", ["", "I cannot do that.", 'No: {"name": "b"}', 'It is {"title": "cut o', "{} " * (MAX_TRIES + 1) + FORM]
)
def test_a_text_without_such_json_stays_as_it_was(said: str) -> None:
    text = FormText(SCHEMA)
    text.feed("So: ")
    text.feed(said)
    assert text.read() == (f"So: {said}", False)


@pytest.mark.parametrize("said", [FORM, f"\n {FORM}\n", '{"n":1,"title":"\\u00e9"}'])
def test_what_is_the_json_asked_for_stays_byte_for_byte(said: str) -> None:
    assert read(said) == said


def test_what_stands_behind_the_json_is_left_out_too() -> None:
    assert read(f"{FORM}\n\nI hope that helps.") == FORM


def test_a_form_need_not_be_an_object() -> None:
    assert read("[1, 2]", schema={"type": "array", "items": {"type": "integer"}}) == "[1, 2]"


@given(
    before=st.text(st.characters(exclude_characters="{"), max_size=20),
    after=st.text(max_size=20),
    title=st.text(max_size=20),
    cuts=st.lists(st.integers(0, 100), max_size=5),
)
def test_it_does_not_matter_how_the_text_is_cut(before: str, after: str, title: str, cuts: list[int]) -> None:
    form = json.dumps({"title": title})
    said = f"{before}{form}{after}"
    bounds = sorted({0, *(min(cut, len(said)) for cut in cuts), len(said)})
    pieces = [said[start:end] for start, end in pairwise(bounds)]
    whole = read(said)
    assert read(*pieces) == whole
    assert whole == (said if not (before + after).strip(" \t\r\n") else form)
