"""Keys are taken out of bodies, wherever they stand and however they are cut; all else keeps its bytes."""

import json
from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.wire.redaction import REDACTED, redact, redact_body
from tests.chunks import call, chunk, sse
from tests.strategies import cut

SECRET = 'the "secret"\\of-4711'
SHAPES = [
    "sk-" + "abc123DEF456ghi789",
    "Bearer " + "abcdef1234567890",
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0.c2ln",
    "gho_" + "a1b2c3d4e5f6g7h8",
    "AKIA" + "ABCDEFGHIJKLMNO1",
    "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1\n-----END RSA PRIVATE KEY-----",
]
texts = st.text(st.characters(codec="utf-8"), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in [key, *strings(item)]]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("key", SHAPES)
def test_what_looks_like_a_key_is_taken_out(key: str) -> None:
    said = redact(f"take {key} and go")
    assert key.rsplit(maxsplit=1)[-1] not in said
    assert said.startswith("take ")
    for body in (json.dumps({"a": [f"x {key} y"]}), json.dumps({"a": json.dumps({"b": key})}), f"plain {key}"):
        kept = redact_body(body.encode()).decode()
        assert REDACTED in kept
        assert key.removeprefix("Bearer ") not in kept
        if body.startswith("{"):
            json.loads(kept)


@pytest.mark.parametrize(
    "text", ["task-force-of-nations1", "a bearer of the good news", "risk-based-approach-number-1", "sk-", "ask-1"]
)
def test_words_that_are_no_keys_stay(text: str) -> None:
    assert redact(text) == text


def test_a_short_placeholder_of_a_key_is_no_secret() -> None:
    assert redact("ollama runs", ["ollama"]) == "ollama runs"


def test_a_key_without_the_shape_of_one_is_known_by_name() -> None:
    assert redact("Bearer opaque key: kuruvinka", ["kuruvinka", "ollama"]) == f"Bearer opaque key: {REDACTED}"
    assert redact("key: kuruvink", ["kuruvink"]) == f"key: {REDACTED}"


def test_of_two_secrets_that_begin_alike_nothing_is_left() -> None:
    for secrets in (["kuruvinka", "kuruvinka-of-old"], ["kuruvinka-of-old", "kuruvinka"]):
        assert redact("kuruvinka-of-old kuruvinka", secrets) == f"{REDACTED} {REDACTED}"


@given(values)
def test_what_holds_no_secret_keeps_its_bytes(value: Any) -> None:
    for body in (json.dumps(value, indent=1), f"data: {json.dumps(value)}\r\n\r\n: ping\n\ndata: [DONE]\n\n"):
        assert redact_body(body.encode(), [SECRET]) == body.encode()


@given(st.binary(max_size=200))
def test_any_bytes_are_taken(body: bytes) -> None:
    redact_body(body, [SECRET])


@given(values, values)
def test_a_secret_in_any_place_of_json_is_taken_out_and_json_stays(before: Any, after: Any) -> None:
    value = [before, f"x{SECRET}y", {"deep": {"key": SECRET}}, after]
    for body in (json.dumps(value), json.dumps(value, ensure_ascii=False), json.dumps(value, indent=1)):
        kept = json.loads(redact_body(body.encode(), [SECRET]))
        assert not [text for text in strings(kept) if SECRET in text]
        assert kept[0] == before
        assert kept[3] == after


@given(cut(f"Your key is {SECRET}, keep it."), cut("What else is there to say of it, I wonder?"), st.booleans())
def test_a_secret_that_a_stream_tells_in_pieces_is_taken_out(told: list[str], other: list[str], turns: bool) -> None:
    """Of two calls at once, in whatever order: each is a text of its own."""
    chunks = []
    for a, b in zip_longest(told, other, fillvalue=""):
        pieces = [*call(1, None, None, a)["tool_calls"], *call(0, None, None, b)["tool_calls"]]
        chunks.append(chunk({"tool_calls": pieces[::-1] if turns and len(chunks) % 2 else pieces}))
    arguments = ["", ""]
    for line in redact_body(sse(*chunks, done=False), [SECRET]).decode().split("\n\n")[:-1]:
        for piece in json.loads(line.removeprefix("data: "))["choices"][0]["delta"]["tool_calls"]:
            arguments[piece["index"]] += piece["function"]["arguments"]
    assert arguments == ["".join(other), "".join(told).replace(SECRET, REDACTED)]
