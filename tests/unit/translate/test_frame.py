"""Chunks that are known by the bytes around their text."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.fragments import Fragment, Reasoning, Text, ToolCall
from neuroflow_proxy.translate.frame import Frame
from neuroflow_proxy.translate.reader import ChunkReader
from neuroflow_proxy.translate.response import ResponseStream
from tests.chunks import call, chunk, sse
from tests.streams import context


def frame_of(data: bytes) -> Frame | None:
    reader = ChunkReader()
    pieces = reader.plain_pieces(data)
    return Frame.around(data, pieces[0], reader.plain_pieces) if pieces else None


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


def test_a_piece_of_arguments_has_a_frame_and_the_beginning_of_its_call_has_none() -> None:
    reader = ChunkReader()
    begins = json.dumps(chunk(call(0, "call_1", "Tool", ""))).encode()
    (begun,) = reader.read(begins)
    assert isinstance(begun, ToolCall)
    assert Frame.around(begins, begun, reader.plain_pieces) is None
    goes_on = json.dumps(chunk(call(0, None, None, "more"))).encode()
    (piece,) = reader.read(goes_on)
    assert isinstance(piece, ToolCall)
    found = Frame.around(goes_on, piece, reader.plain_pieces)
    assert found is not None
    text = found.text_in(sse(chunk(call(0, None, None, '{"a": "č')), done=False))
    assert text == '{"a": "č'
    assert found.piece_of(text) == ToolCall(begun.slot, "", "", text)


def test_what_follows_a_frame_is_heard_as_arguments_of_the_same_call() -> None:
    """Some servers number every call 0: a name makes a new call if the arguments before it are whole."""
    stream = ResponseStream(context("Tool"))
    for piece in (call(0, None, "Tool", ""), *(call(0, None, None, part) for part in ('{"a', '": 1', "}"))):
        stream.feed(sse(chunk(piece), done=False))
    stream.feed(sse(chunk(call(0, None, "Tool", "{}")), chunk({}, "tool_calls")))
    stream.finish()
    assert stream.has_client_calls
    assert stream.progress[0] == 1


@pytest.mark.parametrize("size", [200, 1000, 4096])
def test_events_that_a_read_has_cut_are_known_by_their_frame_too(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read, reads = ChunkReader.read, []

    def counted(reader: ChunkReader, data: bytes) -> Sequence[Fragment]:
        reads.append(data)
        return read(reader, data)

    monkeypatch.setattr(ChunkReader, "read", counted)
    texts = [f"word {number} " for number in range(2000)]
    data = events(*texts)
    stream = ResponseStream(context())
    said = [event for place in range(0, len(data), size) for event in stream.feed(data[place : place + size])]
    assert "".join(event["delta"]["text"] for event in said if event["type"] == "content_block_delta") == "".join(texts)
    assert len(reads) <= 1 + size / (len(data) / len(texts)), "those of the first read, and none after it"


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
