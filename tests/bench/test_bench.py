"""The benchmarks measure what they say, and tell when something has become slow."""

import json
from pathlib import Path

import pytest

pytest.importorskip("uvloop", reason="the load is made on uvloop")

from bench import table
from bench.bodies import BODY_SIZES, request_body
from bench.run import measure
from bench.subjects import OURS, UPSTREAM
from bench.upstream import CHAT, MESSAGES, WORDS

FAST = {"rate_32": 100.0, "requests_32": 10.0, "cpu_chunk_32": 2.0, "cpu_chunk_paced": 2.0, "cpu_request_8": 2.0}


def results(**ours: float) -> table.Results:
    direct = dict.fromkeys(table.RECORDED, 2.0) | FAST
    return {UPSTREAM.name: direct, OURS.name: {**direct, **ours}}


def test_a_ratio_that_is_twice_as_bad_is_told_and_one_that_is_a_little_worse_is_not() -> None:
    recorded = table.record(results())
    assert table.worse(results(cpu_chunk_32=3.9, rate_32=51.0), recorded) == []
    (told,) = table.worse(results(cpu_chunk_32=4.1), recorded)
    assert told.startswith("cpu_chunk_32 ")


def test_fewer_answers_a_second_are_worse_and_more_are_better() -> None:
    recorded = table.record(results())
    assert len(table.worse(results(rate_32=49.0), recorded)) == 1
    assert table.worse(results(rate_32=1000.0), recorded) == []


def test_what_the_proxy_adds_is_what_it_takes_beyond_the_upstream_itself() -> None:
    measured = {UPSTREAM.name: {"age_p50": 1.0}, OURS.name: {"age_p50": 3.5}}
    assert table.with_added(measured)[OURS.name]["added_p50"] == 2.5


def test_every_recorded_ratio_is_held() -> None:
    path = Path(table.__file__).with_name("record.json")
    assert json.loads(path.read_text("utf-8")).keys() == set(table.RECORDED)


def test_both_apis_say_the_same_words_in_whole_http_chunks() -> None:
    for wire in (CHAT, MESSAGES):
        for word in WORDS:
            assert json.dumps(word).encode() in wire.piece(word)
        assert wire.end.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("size", BODY_SIZES.values())
def test_a_body_has_about_the_size_that_it_says(size: int) -> None:
    assert len(request_body(size)) == pytest.approx(size, rel=0.1)


@pytest.mark.nightly
def test_a_short_run_measures_every_subject() -> None:
    figures = measure([OURS], ["small requests"], rounds=1, seconds=0.3, with_starts=False)
    assert figures[OURS.name]["requests_8"] > 0
    assert figures[OURS.name]["cpu_request_8"] > 0
