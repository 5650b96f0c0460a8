"""How long the provider wants us to wait."""

import pytest

from neuroflow_proxy.provider.retry_after import retry_after_s

AT_NOON = "Sun, 22 Nov 2026 12:00:00 GMT"
A_MINUTE_LATER = "Sun, 22 Nov 2026 12:01:00 GMT"
NOON = 1_795_348_800.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "30"}, 30),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "0", "retry-after": "1"}, 1),
        ({"retry-after": A_MINUTE_LATER, "date": AT_NOON}, 60),
        ({"retry-after": AT_NOON, "date": A_MINUTE_LATER}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "9" * 400}, None),
        ({}, None),
    ],
)
def test_headers_say_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def test_a_date_counts_from_our_clock_if_the_answer_has_none() -> None:
    assert retry_after_s({"retry-after": A_MINUTE_LATER}, now=NOON + 50) == 10
    assert retry_after_s({"retry-after": A_MINUTE_LATER}) is None


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Rate limit reached. Please try again in 6.5s. Visit", 6.5),
        ("Please try again in 7m12s.", 432),
        ("Please try again in 1h2m3s.", 3723),
        ("Please try again in 20ms.", 0.02),
        ("No deployments available for selected model, Try again in 60 seconds. Passed model=x", 60),
        ("request reached max organization concurrency: 1, please try again after 1 seconds", 1),
        ("retry after 2 minutes", 120),
        ("Please try again later", None),
        ("If you created it within the last 5 minutes, please wait a moment and try again.", None),
    ],
)
def test_words_say_it_where_no_header_does(words: str, seconds: float | None) -> None:
    assert retry_after_s({}, words) == seconds


def test_a_header_goes_before_words() -> None:
    assert retry_after_s({"retry-after": "3"}, "try again in 60 seconds") == 3
