"""Every recorded error of a real provider becomes the kind that it is, and nothing of a key is shown."""

import json

import pytest

from neuroflow_proxy.errors import Kind, UpstreamError
from neuroflow_proxy.provider.faults import TooManyOutputTokens, classify, classify_stream_error
from neuroflow_proxy.wire.sse import SSEDecoder
from tests.recordings.cases import Case, load_cases

KINDS = {
    "auth": {Kind.AUTHENTICATION},
    "billing": {Kind.BILLING},
    "content_filter": {Kind.INVALID_REQUEST},
    "context_overflow": {Kind.CONTEXT_TOO_LONG},
    "invalid_request": {Kind.INVALID_REQUEST},
    "not_found": {Kind.NOT_FOUND},
    "permission": {Kind.PERMISSION},
    "rate_limit": {Kind.RATE_LIMIT},
    "server_error": {Kind.BROKEN_ANSWER, Kind.OVERLOADED, Kind.TIMEOUT, Kind.UNREACHABLE},
    "tool_use_failed": {Kind.BROKEN_ANSWER},  # the model wrote it; asked again it writes something else
}


def judge(case: Case) -> UpstreamError:
    if not case.is_stream:
        return classify(case.status, case.headers, case.body, provider="einfra", model="kimi-k2.5")
    decoder = SSEDecoder()
    events = [*decoder.feed(case.body), *decoder.finish()]
    errors = [json.loads(data)["error"] for _, data in events if b'"error"' in data]
    return classify_stream_error(errors[0], provider="einfra", model="kimi-k2.5")


@pytest.mark.parametrize("case", load_cases(kind="error"))
def test_an_error_is_told_as_the_kind_that_it_is(case: Case) -> None:
    error = judge(case)
    assert error.kind in KINDS[case.expect["kind"]]
    if case.expect.get("subkind") == "request_larger_than_quota":
        assert error.should_retry is False


@pytest.mark.parametrize("case", load_cases(kind="error"))
def test_an_error_says_something_and_shows_no_secret(case: Case) -> None:
    message = judge(case).full_message
    assert len(message) > 20
    assert len(message) < 900
    for secret in ("sk-...", "8aSP", "00000000000000000000000000000000000000", "<ak-"):
        assert secret not in message


@pytest.mark.parametrize("case", load_cases(kind="error"))
def test_an_overflow_is_told_in_the_words_on_which_claude_code_compacts(case: Case) -> None:
    error = judge(case)
    is_overflow = case.expect["kind"] == "context_overflow"
    assert error.full_message.startswith("prompt is too long") == is_overflow
    if isinstance(error, TooManyOutputTokens):
        fitting = error.fitting(0)
        assert fitting is not None
        assert error.window is not None
        assert error.input_tokens is not None
        assert error.input_tokens + fitting < error.window
