"""What a failure means, and what is said about it."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from neuroflow_proxy.errors import Kind, UpstreamError
from neuroflow_proxy.provider.faults import TooManyOutputTokens, classify, classify_stream_error

LOGIN_PAGE = b"<html><head><title>Sign in - Perun</title></head><body><form action='/login'></form></body></html>"


def judge(status: int, body: Any = b"", headers: dict[str, str] | None = None, **options: Any) -> UpstreamError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return classify(status, headers or {}, content, provider="einfra", model="kimi-k2.5", **options)


def said(words: str) -> dict[str, Any]:
    return {"error": {"message": words, "type": None, "param": None, "code": None}}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Kind.SETTINGS),
        (400, Kind.INVALID_REQUEST),
        (401, Kind.AUTHENTICATION),
        (402, Kind.BILLING),
        (403, Kind.PERMISSION),
        (404, Kind.NOT_FOUND),
        (405, Kind.NOT_FOUND),
        (408, Kind.TIMEOUT),
        (409, Kind.INVALID_REQUEST),
        (413, Kind.CONTEXT_TOO_LONG),
        (422, Kind.INVALID_REQUEST),
        (429, Kind.RATE_LIMIT),
        (500, Kind.BROKEN_ANSWER),
        (502, Kind.UNREACHABLE),
        (503, Kind.OVERLOADED),
        (504, Kind.TIMEOUT),
        (520, Kind.UNREACHABLE),
        (524, Kind.TIMEOUT),
        (529, Kind.OVERLOADED),
        (599, Kind.BROKEN_ANSWER),
    ],
)
@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"<html><head><title>Oops</title></head></html>", b"oops", said("oops"), {"detail": "oops"}],
    ids=["empty", "empty-object", "page", "text", "openai", "fastapi"],
)
def test_the_status_decides_where_the_words_say_nothing(status: int, kind: Kind, body: Any) -> None:
    error = judge(status, body)
    assert error.kind is kind
    assert "einfra" in error.message
    assert f"({status})" in error.message
    assert error.message.endswith(".")


@pytest.mark.parametrize(
    ("said_by_body", "shown"),
    [
        (said("No."), "einfra refused the request (400): No."),
        (said("Too busy"), "einfra refused the request (400): Too busy."),
        (said("Really?"), "einfra refused the request (400): Really?"),
        (said("请求失败。"), "einfra refused the request (400): 请求失败。"),
        (b"", "einfra refused the request (400)."),
    ],
)
def test_the_providers_words_end_as_a_sentence_does(said_by_body: Any, shown: str) -> None:
    assert judge(400, said_by_body).message == shown


def test_no_status_is_told_of_what_came_as_an_answer() -> None:
    assert judge(200, b"<html><title>Welcome</title></html>").message == (
        "A web page answered instead of einfra: Welcome."
    )


# The key


def test_a_refused_key_is_not_tried_for_three_minutes_and_says_where_keys_are_made() -> None:
    error = judge(401, said("Authentication Error, Invalid proxy server token passed"))
    assert (error.kind, error.should_retry) == (Kind.AUTHENTICATION, False)
    for help_needed in ("https://chat.ai.e-infra.cz", "Settings, Account, API keys", "JWT"):
        assert help_needed in error.hint


def test_a_litellm_that_keeps_no_keys_but_its_own_means_the_key() -> None:
    body = {"error": {"message": "No connected db.", "type": "no_db_connection", "param": None, "code": "400"}}
    assert judge(400, body).kind is Kind.AUTHENTICATION


@pytest.mark.parametrize(
    ("provider", "place"),
    [("openrouter", "https://openrouter.ai"), ("ollama", "this machine"), ("groq", "the provider's site")],
)
def test_a_refused_key_is_to_be_made_where_that_provider_makes_them(provider: str, place: str) -> None:
    hint = classify(401, {}, json.dumps(said("Invalid API key")).encode(), provider=provider, model="m").hint
    assert place in hint
    assert "e-infra" not in hint


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_refused_key_is_known_by_its_words_under_another_status(status: int) -> None:
    error = judge(status, said("Authentication Error, No api key passed in."))
    assert (error.kind, error.should_retry) == (Kind.AUTHENTICATION, False)


def test_a_good_key_without_a_right_to_the_model_is_not_called_a_bad_key() -> None:
    body = said(
        "API Key not allowed to access model. This token can only access models=['kimi']. Tried to access glm-5"
    )
    assert judge(401, body).kind is Kind.PERMISSION


def test_no_key_is_ever_shown() -> None:
    error = judge(401, said("Incorrect API key provided: sk-abc123def456. Find it at https://platform.example/keys."))
    assert "abc123" not in error.full_message


# Pages and redirects


@pytest.mark.parametrize("status", [200, 401])
def test_a_login_page_is_about_who_we_are(status: int) -> None:
    error = judge(status, LOGIN_PAGE, {"content-type": "text/html"})
    assert (error.kind, error.should_retry) == (Kind.AUTHENTICATION, False)
    assert "Sign in - Perun" in error.message


def test_a_redirect_to_a_login_page_shows_where_but_no_ticket() -> None:
    error = judge(302, b"", {"Location": "https://login.e-infra.cz/oidc/authorize?ticket=s3cr3t"})
    assert error.kind is Kind.AUTHENTICATION
    assert "https://login.e-infra.cz/oidc/authorize" in error.message
    assert "s3cr3t" not in error.full_message


def test_a_redirect_elsewhere_says_that_the_base_url_is_wrong() -> None:
    error = judge(308, b"", {"location": "https://new.example/v1/chat/completions"})
    assert (error.kind, error.should_retry) == (Kind.SETTINGS, False)
    assert "https://new.example/v1/chat/completions" in error.message
    assert "base URL" in error.hint


@pytest.mark.parametrize("body", [b"", b"<html><title>Welcome</title></html>", b"<!doctype html><p>hello", b'{"a":1}'])
def test_an_answer_that_is_none_is_broken(body: bytes) -> None:
    assert judge(200, body).kind is Kind.BROKEN_ANSWER


def test_an_error_under_200_is_the_error_that_its_body_names() -> None:
    assert judge(200, {"error": {"code": 429, "message": "slow down"}}).kind is Kind.RATE_LIMIT
    assert judge(200, {"error": {"type": "authentication_error", "message": "who?"}}).kind is Kind.AUTHENTICATION


def test_a_page_of_the_gateway_is_reduced_to_its_title() -> None:
    body = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><hr>nginx/1.25</body></html>"
    error = judge(502, body)
    assert error.message == "einfra cannot reach kimi-k2.5 (502): 502 Bad Gateway."


# Load


@pytest.mark.parametrize(
    ("queue", "asked_s", "words"),
    [
        ("full", 30, "Request queue is full. Maximum 10 requests allowed (running + queued). Please try again later."),
        ("timeout", 10, "Request timed out waiting in queue. Waited 600.1s. Maximum wait time is 600s."),
    ],
)
@pytest.mark.parametrize("shape", ["detail", "error"])
def test_einfras_queue_says_how_long_to_wait(queue: str, asked_s: int, words: str, shape: str) -> None:
    headers = {"Retry-After": str(asked_s), "X-Rate-Limit-Queue-Status": queue, "x-rate-limit-max-concurrent": "2"}
    error = judge(429, {"detail": words} if shape == "detail" else said(words), headers)
    assert (error.kind, error.retry_after_s, error.should_retry) == (Kind.RATE_LIMIT, asked_s, None)
    assert "queue" in error.message
    assert words in error.message


def test_a_model_at_capacity_may_have_some_later() -> None:
    error = judge(429, said("Model capacity reached"))
    assert (error.kind, error.should_retry) == (Kind.RATE_LIMIT, None)


@pytest.mark.parametrize("headers", [{"retry-after": "3600"}, {"Retry-After": "Sun, 22 Nov 2026 13:00:00 GMT"}])
def test_a_wait_of_an_hour_ends_the_turn_and_says_so(headers: dict[str, str]) -> None:
    error = judge(429, said("slow down"), headers, now=1_795_348_800.0)
    assert (error.retry_after_s, error.should_retry) == (3600, False)
    assert error.hint == "Wait 60 minutes."


@pytest.mark.parametrize(
    ("seconds", "told"), [(61, "61 seconds"), (119, "119 seconds"), (600, "10 minutes"), (10_800, "3 hours")]
)
def test_a_long_wait_is_told_as_people_say_it(seconds: int, told: str) -> None:
    assert judge(429, said("slow down"), {"retry-after": str(seconds)}).hint == f"Wait {told}."


@pytest.mark.parametrize(
    ("status", "asked_s"), [(429, 7), (503, 7), (529, 7), (502, 7), (400, None), (401, None), (500, None)]
)
def test_how_long_to_wait_is_passed_on_where_waiting_helps(status: int, asked_s: int | None) -> None:
    assert judge(status, b"", {"retry-after": "7"}).retry_after_s == asked_s


@pytest.mark.parametrize(
    "words",
    [
        "Rate limit reached for model on requests per day (RPD): Limit 200, Used 200, Requested 1.",
        "You've reached your usage limit for this billing cycle.",
        "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 10338",
    ],
)
def test_a_quota_that_waiting_does_not_cure_is_not_tried_again(words: str) -> None:
    error = judge(429, said(words))
    assert (error.kind, error.should_retry) == (Kind.RATE_LIMIT, False)
    assert error.hint


def test_the_providers_own_wish_not_to_be_asked_again_is_passed_on() -> None:
    assert judge(503, said("broken for good"), {"x-should-retry": "false"}).should_retry is False


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (429, "You exceeded your current quota, please check your plan and billing details.", Kind.BILLING),
        (400, "Budget has been exceeded! Current cost: 5.0, Max budget: 1.0", Kind.BILLING),
        (403, "Insufficient Balance", Kind.BILLING),
        (429, "Rate limit reached: Limit 3. Add a payment method at https://platform.example/billing", Kind.RATE_LIMIT),
        (400, "There are no healthy deployments for this model. Received Model Group=glm", Kind.OVERLOADED),
        (429, "No deployments available for selected model, Try again in 60 seconds.", Kind.OVERLOADED),
        (400, "/chat/completions: Invalid model name passed in model=kimi. Call `/v1/models` to view", Kind.NOT_FOUND),
        (500, "litellm.InternalServerError: OpenAIException - Connection error.", Kind.UNREACHABLE),
        (500, "litellm.Timeout: APITimeoutError - Request timed out.", Kind.TIMEOUT),
        (400, '"auto" tool choice requires --enable-auto-tool-choice to be set', Kind.INVALID_REQUEST),
        (404, "No endpoints found that support image input", Kind.INVALID_REQUEST),
        (404, "No endpoints found that support tool use", Kind.INVALID_REQUEST),
        (404, '{"detail":"Not Found"}', Kind.NOT_FOUND),
        (400, "For this model the parameter functions is deprecated", Kind.INVALID_REQUEST),
    ],
)
def test_words_go_before_the_status(status: int, words: str, kind: Kind) -> None:
    assert judge(status, said(words)).kind is kind


def test_an_unknown_model_is_named_with_what_to_do() -> None:
    error = judge(404, said("The model `kimi-k2.5` does not exist or you do not have access to it."))
    assert "kimi-k2.5" in error.message
    assert "/neuroflow:setup" in error.hint
    assert "scripts/setup" in error.hint, "not everybody has the plugin"


# The conversation does not fit


OVERFLOW = "The input (345516 tokens) is longer than the model's context length (262144 tokens)."
# What Claude Code 2.1.330 reads the two numbers with.
CLAUDE_CODE = re.compile(r"prompt is too long[^0-9]*(\d+)\s*tokens?\s*>\s*(\d+)", re.IGNORECASE)


@pytest.mark.parametrize("status", [400, 413, 422, 500, 502])
def test_an_overflow_has_exactly_the_words_on_which_claude_code_compacts(status: int) -> None:
    error = judge(status, said(OVERFLOW))
    assert error.kind is Kind.CONTEXT_TOO_LONG
    assert error.outcome.status == 400
    assert error.full_message == "prompt is too long: 345516 tokens > 262144 maximum"


@pytest.mark.parametrize("error", [said(OVERFLOW)["error"], said(OVERFLOW), {"detail": OVERFLOW}, OVERFLOW])
def test_an_overflow_in_a_stream_is_told_in_the_same_words(error: Any) -> None:
    told = classify_stream_error(error, provider="einfra", model="m")
    assert told.kind is Kind.CONTEXT_TOO_LONG
    assert told.full_message == "prompt is too long: 345516 tokens > 262144 maximum"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "No.", "code": "context_length_exceeded"}},
        {"error": {"message": "No.", "type": "exceed_context_size_error"}},
        {"error": {"message": "litellm.ContextWindowExceededError: no"}},
        {"error": {"code": "1261", "message": "no"}},
        {"detail": "exceeds the maximum allowed length"},
        {"error": {"message": "Range of input length should be [1, 983616]"}},
        {"error": {"code": "context_length_exceeded"}},
    ],
)
def test_an_overflow_without_numbers_still_makes_claude_code_compact(body: Any) -> None:
    error = judge(400, body)
    assert error.kind is Kind.CONTEXT_TOO_LONG
    assert error.message.startswith("prompt is too long")
    assert CLAUDE_CODE.search(error.message) is None  # no number is invented


def test_an_overflow_without_a_length_is_told_with_what_is_known() -> None:
    assert judge(400, said("Your prompt is too long")).message == (
        "prompt is too long for kimi-k2.5. einfra: Your prompt is too long."
    )
    assert judge(400, said("Prompt exceeds the context window of 8192 tokens")).message == (
        "prompt is too long for kimi-k2.5, whose window is 8192 tokens."
        " einfra: Prompt exceeds the context window of 8192 tokens."
    )


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, said("Too many input tokens in this minute, reduce the length of the messages"), Kind.RATE_LIMIT),
        (403, said("This key may send no prompt that exceeds the context window of 8192 tokens"), Kind.PERMISSION),
        (502, b"<html><title>Bad Gateway</title>context_length_exceeded</html>", Kind.UNREACHABLE),
    ],
)
def test_words_about_length_under_a_status_that_is_about_something_else(status: int, body: Any, kind: Kind) -> None:
    assert judge(status, body).kind is kind


@given(st.integers(2000, 2_000_000), st.integers(0, 100_000))
def test_the_length_that_is_told_is_always_more_than_the_window(window: int, more: int) -> None:
    words = f"The input ({window + more} tokens) is longer than the model's context length ({window} tokens)."
    found = CLAUDE_CODE.search(judge(400, said(words)).message)
    assert found is not None
    assert int(found[1]) == window + more
    assert int(found[1]) > int(found[2])


# max_tokens is too large


def too_many(words: str) -> TooManyOutputTokens:
    error = judge(400, said(words))
    assert isinstance(error, TooManyOutputTokens)
    return error


def test_max_tokens_is_made_to_fit_the_window() -> None:
    error = too_many(
        "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 32768"
        " tokens and your request has 17459 input tokens (32000 > 32768 - 17459)"
    )
    fitting = error.fitting(estimated_input_tokens=5)  # the provider has counted: the estimate does not matter
    assert fitting is not None
    assert 15000 < fitting < 32768 - 17459
    assert error.full_message == "prompt is too long: 49459 tokens > 32768 maximum"  # if that does not help either


def test_a_prompt_that_was_not_counted_to_its_end_is_estimated() -> None:
    error = too_many(
        "This model's maximum context length is 131072 tokens. However, you requested 32000 output tokens and your"
        " prompt contains at least 99073 input tokens, for a total of at least 131073 tokens."
    )
    assert error.input_tokens is None
    assert error.fitting(estimated_input_tokens=100_000) == 131072 - 115_000 - 64
    assert error.fitting(estimated_input_tokens=0) == 131072 - round(99072 * 1.15) - 64  # surely longer
    assert error.fitting(estimated_input_tokens=130_000) is None


def test_a_window_smaller_than_max_tokens_is_one_to_fit_into() -> None:
    error = too_many("max_tokens=32000 cannot be greater than max_model_len=max_total_tokens=16384.")
    assert error.fitting(estimated_input_tokens=10_000) == 16384 - 11_500 - 64
    assert error.fitting(estimated_input_tokens=16_000) is None


def test_a_limit_of_the_answer_is_kept_to_and_told_in_words_that_claude_code_knows() -> None:
    error = too_many("max_tokens is too large: 100000. This model supports at most 16384 completion tokens")
    assert error.fitting(estimated_input_tokens=1_000_000) == 16384
    assert error.kind is Kind.INVALID_REQUEST
    assert error.message == (
        "max_tokens: 100000 > 16384, which is the maximum allowed number of output tokens for this model"
    )


def test_a_limit_of_the_answer_is_told_though_nobody_says_what_was_asked_for() -> None:
    error = too_many("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]")
    assert error.message == (
        "max_tokens: what was asked for > 8192, which is the maximum allowed number of output tokens for this model"
    )


def test_a_smaller_answer_is_not_tried_where_nobody_knows_how_long_the_prompt_is() -> None:
    error = judge(400, said("The prompt is too long: context window 8192 tokens, requested 2000 output tokens"))
    assert (error.kind, isinstance(error, TooManyOutputTokens)) == (Kind.CONTEXT_TOO_LONG, False)


def test_a_window_with_no_room_for_an_answer_is_an_overflow() -> None:
    error = judge(
        400,
        said(
            "This model's maximum context length is 4096 tokens. However, you requested 5118 tokens (3118 in the"
            " messages, 2000 in the completion)."
        ),
    )
    assert not isinstance(error, TooManyOutputTokens)
    assert error.message == "prompt is too long: 5118 tokens > 4096 maximum"


@given(st.integers(4096, 2_000_000), st.integers(1, 2_000_000), st.integers(1, 200_000))
def test_what_fits_really_fits(window: int, prompt: int, asked: int) -> None:
    error = judge(
        400,
        said(
            f"Requested token count exceeds the model's maximum context length of {window} tokens. You requested a"
            f" total of {prompt + asked} tokens: {prompt} tokens from the input messages and {asked} tokens for the"
            " completion."
        ),
    )
    if isinstance(error, TooManyOutputTokens) and (fitting := error.fitting(prompt)) is not None:
        assert prompt + fitting < window
    else:
        assert error.kind is Kind.CONTEXT_TOO_LONG


# Streams


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "Provider disconnected", "code": "server_error"}, Kind.BROKEN_ANSWER),
        ({"message": "Overloaded", "type": "overloaded_error"}, Kind.OVERLOADED),
        ({"message": "slow", "type": "rate_limit_error"}, Kind.RATE_LIMIT),
        ({"object": "error", "message": "Some Error Occurred", "type": "BadRequestError"}, Kind.INVALID_REQUEST),
        ({"message": "bad gateway", "code": 502}, Kind.UNREACHABLE),
        ("it broke", Kind.BROKEN_ANSWER),
        (None, Kind.BROKEN_ANSWER),
        ({}, Kind.BROKEN_ANSWER),
    ],
)
def test_an_error_in_a_stream_is_judged_by_what_it_says(error: Any, kind: Kind) -> None:
    assert classify_stream_error(error, provider="einfra", model="m").kind is kind


def test_no_status_is_made_up_for_an_error_in_a_stream() -> None:
    error = classify_stream_error({"message": "it broke"}, provider="einfra", model="m")
    assert error.message == "einfra failed: it broke."


@given(st.integers(200, 599), st.binary(max_size=200), st.dictionaries(st.text(max_size=20), st.text(max_size=20)))
@example(302, b"", {"location": "https://[::1/login"})
def test_every_answer_at_all_means_something(status: int, body: bytes, headers: dict[str, str]) -> None:
    error = judge(status, body, headers)
    assert error.message
    assert error.outcome.status >= 400
