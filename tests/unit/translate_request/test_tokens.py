"""Estimates: near enough, and fast."""

import time
from pathlib import Path

import pytest

from neuroflow_proxy.errors import RequestError
from neuroflow_proxy.models.profiles import GENERIC
from neuroflow_proxy.translate.request import to_chat_request
from neuroflow_proxy.translate.tokens import estimate_input_tokens
from tests.conversations import JSON, image, pdf, request, tool_result, user

ENGLISH = (
    "The quick brown fox jumps over the lazy dog. Functional imaging shows which areas of the cortex take part in a "
    "task, and the measured data are preprocessed before a model is fitted for every participant. "
)
CZECH = (
    "Výzkum mozku je jedním z nejrychleji se rozvíjejících oborů současné vědy. Prosím, otevři soubor s výsledky, "
    "zkontroluj, zda v něm nechybějí hodnoty, a připrav přehlednou tabulku s průměry a směrodatnými odchylkami. "
)
CODE = '''def mean(values: list[float]) -> float:
    """The arithmetic mean; 0.0 of nothing."""
    if not values:
        return 0.0
    return sum(values) / len(values)


'''
# Counted with the tokenizer of gpt-oss (o200k), repeated so that no rounding matters.
COUNTED = [("English", ENGLISH, 40), ("Czech", CZECH, 78), ("code", CODE, 45)]


@pytest.mark.parametrize(("text", "tokens"), [case[1:] for case in COUNTED], ids=[case[0] for case in COUNTED])
@pytest.mark.parametrize("times", [5, 50])
def test_an_estimate_is_near_what_was_counted(text: str, tokens: int, times: int) -> None:
    estimate = estimate_input_tokens({"messages": [], "system": text * times})
    assert 0.9 <= estimate / (tokens * times) <= 1.15


def test_what_a_model_really_counted_calibrates_the_estimate() -> None:
    body = request(user(ENGLISH * 20))
    assert estimate_input_tokens(body, factor=1.25) == pytest.approx(1.25 * estimate_input_tokens(body), rel=0.01)


def test_pictures_and_documents_count_by_themselves_and_not_by_their_base64() -> None:
    plain = estimate_input_tokens(request(user("hi")))
    assert 1_000 < estimate_input_tokens(request(user(image("A" * 3_000_000)))) - plain < 2_000
    assert 1_000 < estimate_input_tokens(request(user(pdf("A" * 100_000)))) - plain < 10_000


def test_a_conversation_and_its_translation_are_about_the_same() -> None:
    body = request(user(ENGLISH * 30))
    made = to_chat_request(body, model="m", profile=GENERIC, directive=False).body
    assert estimate_input_tokens(made) == pytest.approx(estimate_input_tokens(body), rel=0.05)


@pytest.mark.parametrize("body", [{}, {"messages": 1}, {"messages": [None, 3]}, {"tools": {}}, {"system": True}])
def test_what_cannot_be_read_counts_nothing(body: JSON) -> None:
    assert estimate_input_tokens(body) == 1


def test_tools_that_nest_beyond_measure_are_refused_by_name() -> None:
    deep: JSON = {}
    for _ in range(200_000):  # which is too deep for every Python
        deep = {"x": deep}
    with pytest.raises(RequestError, match=r"^tools: nested too deeply$"):
        estimate_input_tokens({"tools": [deep]})


def test_a_megabyte_is_counted_in_no_time() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    results = [tool_result(f"toolu_{i}", source) for i in range(1_000_000 // len(source))]
    body = request(user(*results))
    best = min(_seconds(body) for _ in range(5))
    assert best < 0.05, "5 ms on an idle machine; ten times that is allowed to a busy one"


def _seconds(body: JSON) -> float:
    start = time.perf_counter()
    estimate_input_tokens(body)
    return time.perf_counter() - start
