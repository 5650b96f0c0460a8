"""The shapes of error bodies."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.provider.error_body import LONGEST_MESSAGE, read_error, read_error_body, shorten
from neuroflow_proxy.wire.redaction import redact


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "No such thing", "type": "invalid_request_error", "param": None, "code": None}},
        {"error": "No such thing"},
        {"object": "error", "message": "No such thing", "type": "BadRequestError", "param": None, "code": 400},
        {"type": "error", "error": {"type": "invalid_request_error", "message": "No such thing"}},
        {"detail": "No such thing"},
        {"detail": {"error": "No such thing"}},
        {"detail": {"error": {"message": "No such thing"}}},
        {"errors": [{"code": "bad", "message": "No such thing"}]},
        {"title": "Bad Request", "status": 400, "detail": "No such thing"},
        {"code": "Some code", "error": "No such thing"},
        {"code": "1210", "message": "No such thing"},
        {"base_resp": {"status_code": 2013, "status_msg": "No such thing"}},
        {"error": {"code": 400, "message": "Provider returned error", "metadata": {"raw": "No such thing"}}},
        {"error": {"message": "Provider error", "metadata": {"raw": '{"error": {"message": "No such thing"}}'}}},
        {"error": {"message": 'litellm.BadRequestError: OpenAIException - {"error": {"message": "No such thing"}}'}},
        {"error": {"message": "litellm.X: b'{\"error\":{\"message\":\"No such thing\"}}'. Received Model Group=a"}},
        {"error": {"message": "No such thing. Received Model Group=kimi\nAvailable Model Group Fallbacks=None"}},
        {"error": {"message": "No such thing\n\nLiteLLM: model group 'kimi' failed with the error above. No."}},
        {"error": {"code": "400", "message": "Param Incorrect", "param": "No such thing"}},
        {"title": "No such thing"},
        {"error_description": "No such thing"},
        {"code": 400, "msg": "No such thing"},
        {"choices": [None, {"index": 0, "error": {"message": "No such thing"}}]},
        {"message": "No such thing", "detail": " \n"},
        [{"error": {"message": "No such thing"}}],
        "No such thing",
    ],
)  # fmt: skip
def test_the_innermost_words_are_found_in_every_shape(body: Any) -> None:
    assert read_error_body(json.dumps(body).encode()).message == "No such thing"


def test_plain_text_is_its_own_words() -> None:
    assert read_error_body(b"upstream connect error\nor disconnect").message == "upstream connect error or disconnect"


def test_a_web_page_is_reduced_to_its_title() -> None:
    body = b"<html>\r\n<head><title>502 Bad\n Gateway</title></head><body><h1>nginx</h1></body></html>"
    read = read_error_body(body)
    assert (read.message, read.is_page) == ("502 Bad Gateway", True)


def test_a_web_page_without_a_title_gives_its_heading_without_tags() -> None:
    assert read_error_body(b"<!DOCTYPE html><body><h1>It <b>broke</b> &amp; fell</h1>").message == "It broke & fell"


def test_an_empty_body_says_nothing() -> None:
    read = read_error_body(b"")
    assert (read.message, read.text, read.status) == ("", "", None)


def test_an_error_that_came_as_an_event_is_read_like_a_body() -> None:
    read = read_error_body(b'data: {"error": {"message": "Too busy", "code": 503}}\n\ndata: [DONE]\n\n')
    assert (read.message, read.status) == ("Too busy", 503)


def test_an_event_that_was_not_ended_is_read_as_well() -> None:
    assert read_error_body(b'event: error\ndata: {"error": {"message": "Too busy"}}').message == "Too busy"


@pytest.mark.parametrize(
    "error",
    [
        {"code": 429},
        {"code": "429"},
        {"status_code": 429},
        {"raw_status_code": "429"},
        {"status": 429},
        {"error": {"http_code": "429"}},
    ],
)
def test_the_status_in_a_body_is_found(error: Any) -> None:
    assert read_error(error).status == 429


def test_an_error_code_that_is_no_http_status_is_not_taken_for_one() -> None:
    assert read_error({"error": {"code": "1302", "message": "slow"}}).status is None


@pytest.mark.parametrize(("code", "status"), [(399, None), (400, 400), (599, 599), (600, None), ("", None)])
def test_only_statuses_of_failures_are_taken_from_a_body(code: Any, status: int | None) -> None:
    assert read_error({"message": "No", "code": code}).status == status


@pytest.mark.parametrize("nothing", ["", "None", None, [], {}, 1.5])
def test_a_label_that_says_nothing_is_none(nothing: Any) -> None:
    read = read_error({"error": {"message": "No", "code": nothing, "type": nothing, "param": nothing}})
    assert (read.text, read.params) == ("No", ())


def test_the_path_of_a_field_is_the_same_in_every_notation() -> None:
    for param in ("messages[1].content", "messages.1.content"):
        assert read_error({"message": "No", "param": param}).params == ("messages.1.content",)


@pytest.mark.parametrize(
    "words", ["unexpected { at line 1", "unexpected " + '{"a":' * 5_000, '{"error": "unfinished'], ids=len
)
def test_words_that_look_like_json_are_words(words: str) -> None:
    assert read_error({"error": {"message": words}}).message == shorten(words)
    assert read_error_body(words.encode()).message == shorten(words)


def test_fastapi_complaints_give_path_and_words_and_never_the_input() -> None:
    complaint = {
        "type": "extra_forbidden",
        "loc": ["body", "messages", 1, "name"],
        "msg": "Extra inputs are not permitted",
        "input": "my secret plan",
    }
    for body in ({"detail": [complaint]}, {"error": {"message": str([{**complaint, "loc": tuple(complaint["loc"])}])}}):
        read = read_error(body)
        assert read.message == "messages.1.name: Extra inputs are not permitted"
        assert read.params == ("messages.1.name",)
        assert "plan" not in read.text


@pytest.mark.parametrize(
    "words",
    [
        "Incorrect API key provided: sk-abc123DEF456. You can find it on your page",
        "Received API Key = sk-...8aSP",
        "key sk-proj-abc123DEF456 is bad",
        "Authorization: Bearer abc123DEF456 refused",
        "token eyJhbGciOiJIUzI1NiJ9.eyJabc123DEF456.x is for people",
        "hash 00112233445566778899aabbccddeeffabc123DEF456",
        "invalid token: abc123DEF456",
    ],
)
def test_secrets_are_left_out(words: str) -> None:
    shown = read_error({"error": {"message": words}}).message
    assert "[…]" in shown
    for secret in ("abc123", "8aSP", "DEF456", "00112233"):
        assert secret not in shown


@pytest.mark.parametrize(
    "key", ["ghp_" + "abcdefghijklmnop1234", "glpat-abcdefgh12345678", "AKIA" + "ABCDEFGHIJKLMNOP"]
)
def test_what_a_log_does_not_show_a_message_does_not_show_either(key: str) -> None:
    assert key not in redact(f"Invalid {key}.")
    assert key not in shorten(f"Invalid {key}.")


def test_addresses_and_numbers_are_no_secrets() -> None:
    words = "You can find your API key at https://platform.example/keys; max_tokens: 32000 is too many"
    assert shorten(words) == words


def test_long_words_are_cut_where_it_can_be_seen() -> None:
    just_fitting = "x" * LONGEST_MESSAGE
    assert shorten(just_fitting) == just_fitting
    assert shorten(just_fitting + "x") == "x" * (LONGEST_MESSAGE - 1) + "…"
    assert shorten("say " * 300) == "say " * 74 + "say…"


@given(st.text(max_size=2000))
def test_words_fit_on_one_line_whatever_they_are(words: str) -> None:
    shown = shorten(words)
    assert len(shown) <= LONGEST_MESSAGE
    assert "\n" not in shown


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "detail", "loc", "msg", "code", "type", "param", "metadata", "choices"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_at_all_can_be_read(error: Any) -> None:
    assert read_error_body(json.dumps(error).encode()).message == read_error(error).message


@given(st.binary(max_size=300))
def test_any_bytes_at_all_can_be_read(body: bytes) -> None:
    assert len(read_error_body(body).message) <= LONGEST_MESSAGE


def test_a_body_nested_without_end_is_read_to_a_depth() -> None:
    body: Any = "deep"
    for _ in range(200):
        body = {"error": body}
    assert read_error(body).message == ""
