"""JSON, with and without the accelerator."""

from typing import Any, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.wire import codec, plain_json

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_both_codecs_write_the_same_value(value: object) -> None:
    assert codec.loads(codec.dumps(value)) == value
    assert plain_json.loads(codec.dumps(value)) == value
    assert codec.loads(plain_json.dumps(value)) == value


@pytest.mark.parametrize("bad", [b"", b"{", b"NaN", b'{"a":Infinity}', b"[" * 100_000, b"\xff", b'{"a":1} x'])
def test_what_is_not_json_is_said_to_be_invalid(bad: bytes) -> None:
    for loads in (codec.loads, plain_json.loads):
        with pytest.raises(codec.InvalidJSON):
            loads(bad)


def test_whoever_wants_no_unpaired_surrogates_hears_of_them() -> None:
    assert codec.dumps_strictly({"a": "xě😀"}) == codec.dumps({"a": "xě😀"})
    for value in ({"a": ["x\ud800"]}, {"\udc00": 1}):
        with pytest.raises(UnicodeEncodeError):
            codec.dumps_strictly(value)


def test_unpaired_surrogates_survive_both_ways() -> None:
    assert codec.loads(codec.dumps({"a": "x\ud800ě"})) == {"a": "x\ud800ě"}
    assert codec.loads('{"a": "x\ud800ě"}') == {"a": "x\ud800ě"}
    with pytest.raises(codec.InvalidJSON):
        codec.loads("{\ud800")


def test_a_number_that_is_none_is_never_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        plain_json.dumps(float("nan"))


class Inner(TypedDict, total=False):
    name: Any


class Outer(TypedDict, total=False):
    items: list[Inner]
    more: Any


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (b'{"items": [{"name": 1, "other": 2}], "else": 3}', {"items": [{"name": 1}]}),
        (b'{"more": {"kept": ["whole"]}}', {"more": {"kept": ["whole"]}}),
        (b"{}", {}),
        (b'{"items": [null]}', None),
        (b'{"items": {}}', None),
        (b"[]", None),
        (b'{"items": [', None),
        (b"\xff", None),
    ],
)
@pytest.mark.parametrize("with_msgspec", [True, False])
def test_part_of_a_text_is_read_alike_with_and_without_msgspec(
    text: bytes, part: object, with_msgspec: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_msgspec:
        monkeypatch.setattr(codec, "msgspec", None)
    assert codec.partial_reader(Outer)(text) == part
