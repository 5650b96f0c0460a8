"""Server-sent events on bytes."""

import json
from itertools import combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.wire import sse
from neuroflow_proxy.wire.sse import Event, EventTooLong, SSEDecoder, encode_event


def decode(*pieces: bytes) -> list[Event]:
    decoder = SSEDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.finish()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_kind_of_line_end_ends_a_line(end: str) -> None:
    body = f": a comment{end}event: e{end}data: one{end}data: two{end}{end}data:x{end}{end}".encode()
    assert decode(body) == [("e", b"one\ntwo"), ("", b"x")]


def test_a_byte_order_mark_is_skipped_even_when_it_is_cut() -> None:
    assert decode(b"\xef", b"\xbb", b"\xbfdata: x\n\n") == [("", b"x")]


def test_an_unfinished_last_event_is_handed_out_at_the_end() -> None:
    assert decode(b"data: x") == [("", b"x")]


def test_a_missing_blank_line_between_two_json_events_does_not_join_them() -> None:
    assert [data for _, data in decode(b'data: {"a":1}\ndata: {"b":2}\ndata: [DONE]\n')] == [
        b'{"a":1}',
        b'{"b":2}',
        b"[DONE]",
    ]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_only_lf_cr_and_crlf_end_a_line(separator: str) -> None:
    text = f"před{separator}po"
    assert decode(f"data: {text}\n\n".encode()) == [("", text.encode())]


def test_an_endless_line_is_refused_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    decoder = SSEDecoder()
    for _ in range(10):
        decoder.feed(b"x" * 10)
    with pytest.raises(EventTooLong):
        decoder.feed(b"x")


lines = st.lists(
    st.tuples(st.sampled_from(["data: ", "data:", ": ", "event: ", "id: "]), st.text().map(lambda s: s.strip("\r\n")))
    .filter(lambda pair: "\n" not in pair[1] and "\r" not in pair[1])
    .map("".join)
    | st.just("")
)


@given(lines, st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_where_the_bytes_are_cut_makes_no_difference(rows: list[str], end: str, data: st.DataObject) -> None:
    body = "".join(row + end for row in rows).encode("utf-8", "surrogatepass")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert decode(*pieces) == decode(body)


def test_an_event_that_is_not_like_the_others_is_the_same_however_it_is_cut() -> None:
    """Events of one line, as nearly all are, have a short way of their own."""
    body = b"data: a\n\ndata: b\ndata: c\n\nevent: error\ndata: d\n\n: ping\n\ndata: e\n\n"
    events = [("", b"a"), ("", b"b\nc"), ("error", b"d"), ("", b"e")]
    for end, begin in combinations_with_replacement(range(len(body)), 2):
        assert decode(body[:end], body[end:begin], body[begin:]) == events


@given(st.dictionaries(st.text(), st.text()))
def test_what_is_encoded_decodes_to_the_same(value: dict[str, str]) -> None:
    ((name, data),) = decode(encode_event("name", value))
    assert name == "name"
    assert json.loads(data) == value
