"""Chunks that are known by the bytes around their text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.fragments import Reasoning, Text
from neuroflow_proxy.translate.frame import Frame
from neuroflow_proxy.translate.reader import ChunkReader
from tests.chunks import chunk, sse


def frame_of(data: bytes) -> Frame | None:
    reader = ChunkReader()
    piece = reader.plain_piece(data)
    return None if piece is None else Frame.around(data, piece, reader.plain_piece)


def events(*texts: str, field: str = "content") -> bytes:
    return sse(*(chunk({field: text}) for text in texts), done=False)


def frame(field: str = "content") -> Frame:
    found = frame_of(events("first", field=field)[len("data: ") : -2])
    assert found is not None
    return found


@given(st.lists(st.text(), min_size=1, max_size=5), st.booleans())
def test_any_texts_are_read_as_json_would_read_them(texts: list[str], as_ascii: bool) -> None:
    bodies = [json.dumps(chunk({"content": text}), ensure_ascii=as_ascii) for text in texts]
    data = "".join(f"data: {body}\n\n" for body in bodies).encode("utf-8", "surrogatepass")
    whole = "".join(texts)
    has_half_a_character = any("\ud800" <= character <= "\udfff" for character in whole)
    assert frame().text_in(data) in ((whole, None) if has_half_a_character else (whole,))


@pytest.mark.parametrize(
    ("field", "kind"), [("content", Text), ("reasoning_content", Reasoning), ("reasoning", Reasoning)]
)
def test_the_kind_of_the_first_is_the_kind_of_all(field: str, kind: type) -> None:
    assert frame(field).kind is kind
    assert frame(field).text_in(events(" and", " more", field=field)) == " and more"


@pytest.mark.parametrize(
    "data",
    [
        events("a") + sse(chunk({"content": "b"}, "stop"), done=False),
        events("a", "b")[:-1],
        events("a")[1:],
        events("a").replace(b"\n", b"\r\n"),
        events("a").replace(b'"a"', b'"a","content":"b"'),
        events("a").replace(b'"a"', b'"a\tb"'),
        events("a").replace(b'"a"', b'"a\\"'),
        events("a").replace(b'"a"', b'"\xff"'),
        events("a").replace(b'"a"', b"null"),
        events("a").replace(b'"c1"', b'"c2"'),
        sse(chunk({"content": "a"}), done=True),
    ],
)
def test_whatever_is_not_exactly_so_is_left_to_the_reader(data: bytes) -> None:
    assert frame().text_in(data) is None


@pytest.mark.parametrize(
    "made",
    [
        {"delta": {"content": "same", "reasoning_content": None}, "id": "same"},
        {"delta": {"content": "content"}},
    ],
)
def test_a_text_that_stands_twice_in_its_chunk_makes_no_frame(made: dict[str, object]) -> None:
    data = json.dumps({"id": made.get("id", "c1"), "choices": [{"index": 0, "delta": made["delta"]}]}).encode()
    assert frame_of(data) is None


def test_a_text_that_only_looks_as_if_it_stood_there_makes_no_frame() -> None:
    data = rb'{"note":"x","choices":[{"index":0,"delta":{"content":"\u0078"}}]}'
    assert frame_of(data) is None
