"""Valid arguments are never altered; of others, what comes out is what came in, or an object that fits."""

import json
import time
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.rescue.arguments import ArgumentsStream
from neuroflow_proxy.rescue.lenient_json import Missing, Unreadable, rewrite
from neuroflow_proxy.rescue.schema import fits
from tests.leaks.tools import TOOLS

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=20), values, max_size=5)
layouts = st.sampled_from([{}, {"indent": 2}, {"ensure_ascii": False}, {"separators": (",", ":")}, {"indent": "\t"}])
places = st.lists(st.integers(0, 300), max_size=10)
scraps = st.lists(
    st.sampled_from(
        [
            *'{}[]:,"\\ \n',
            "'",
            '"a"',
            '"command"',
            '{"command": "ls"',
            '"ls"',
            "true",
            "True",
            "nul",
            "12",
            "-",
            "1.5e3",
            "//x",
            "```",
            "\\u00e9",
            "</｜DSML｜parameter",
            "</arg_value>",
        ]
    ),
    max_size=20,
).map("".join)
schemas = st.sampled_from([None, {"type": "object"}, *TOOLS.values()])


def cut(text: str, where: list[int]) -> list[str]:
    return [text[a:b] for a, b in pairwise([0, *sorted(min(place, len(text)) for place in where), len(text)])]


@given(value=objects, layout=layouts, where=places, schema=schemas, cut_off=st.booleans())
def test_valid_arguments_are_never_altered(
    value: Any, layout: dict[str, Any], where: list[int], schema: Any, cut_off: bool
) -> None:
    text = json.dumps(value, **layout)
    for pieces in ([text], list(text), cut(text, where)):
        stream = ArgumentsStream(schema)
        sent = "".join(map(stream.feed, pieces))
        assert sent == text if value else text.startswith(sent)  # behind {} the arguments may follow
        assert stream.is_complete
        assert sent + stream.finish(cut_off=cut_off) == text
        assert not stream.repaired


@given(value=objects, layout=layouts, where=places, length=st.integers(0, 200))
def test_what_was_cut_off_arrives_as_far_as_it_came(
    value: Any, layout: dict[str, Any], where: list[int], length: int
) -> None:
    text = json.dumps(value, **layout)[:length]
    stream = ArgumentsStream({"type": "object", "required": ["a"]})
    assert "".join(map(stream.feed, cut(text, where))) + stream.finish(cut_off=True) == text


@given(text=scraps | st.text(), where=places, schema=schemas)
def test_what_comes_out_is_what_came_in_or_an_object_that_fits(text: str, where: list[int], schema: Any) -> None:
    stream = ArgumentsStream(schema)
    sent = "".join(map(stream.feed, cut(text, where)))
    sent += stream.finish(cut_off=False)
    if stream.is_complete:
        value = json.loads(sent)
        assert isinstance(value, dict)
        assert not stream.repaired or fits(value, schema) or text.startswith(sent)
    else:
        assert sent == text


@given(text=scraps, where=places, schema=schemas, cut_off=st.booleans())
def test_where_arguments_are_cut_makes_no_difference(text: str, where: list[int], schema: Any, cut_off: bool) -> None:
    outcomes = set()
    for pieces in ([text], list(text), cut(text, where)):
        stream = ArgumentsStream(schema)
        sent = "".join(map(stream.feed, pieces)) + stream.finish(cut_off=cut_off)
        outcomes.add((sent, stream.is_complete, stream.repaired))
    assert len(outcomes) == 1


@given(value=st.dictionaries(st.text(min_size=1), st.none() | st.booleans() | st.integers() | st.text(), max_size=5))
def test_a_python_dict_is_read_as_what_it_is(value: dict[str, Any]) -> None:
    stream = ArgumentsStream({"type": "object"})
    printed = repr(value)
    if any(text.isprintable() and "'" not in text and '"' not in text for text in [*value, "x"]):
        sent = stream.feed(printed) + stream.finish(cut_off=False)
        if all(_is_plain(text) for pair in value.items() for text in pair if isinstance(text, str)):
            assert json.loads(sent) == value


def _is_plain(text: str) -> bool:
    return text.isprintable() and not set(text) & set("'\"\\")


@given(text=scraps | st.text())
def test_lenient_reading_gives_json_or_says_that_it_cannot(text: str) -> None:
    for missing in Missing:
        try:
            rewritten, end = rewrite(text, missing=missing)
        except Unreadable:
            continue
        json.loads(rewritten, strict=True)
        assert 0 < end <= len(text)


@given(value=objects, layout=layouts)
def test_lenient_reading_copies_what_is_valid(value: Any, layout: dict[str, Any]) -> None:
    text = json.dumps(value, **layout)
    assert rewrite(text) == (text, len(text))


def test_a_megabyte_of_arguments_in_small_pieces_takes_time_in_proportion() -> None:
    def time_for(piece: str, count: int) -> float:
        stream = ArgumentsStream({"type": "object"})
        stream.feed('{"a": "')
        started = time.process_time()
        for _ in range(count):
            stream.feed(piece)
        stream.finish(cut_off=False)
        return time.process_time() - started

    for piece in ("word ", "\\", '"', '", "', "\n", " "):
        assert time_for(piece, 30_000) < 40 * max(time_for(piece, 3_000), 0.005)
