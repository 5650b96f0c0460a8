"""The benchmarks measure what they say, and tell when something has become slow."""

import json
import sys
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("uvloop", reason="the load is made on uvloop")

from bench import table
from bench.bodies import BODY_SIZES, conversation, request_body
from bench.interpreter import described
from bench.load import NotServed
from bench.measures import MEASURES, Bench, Figures
from bench.run import measure
from bench.running import Running, Subject
from bench.subjects import UPSTREAM, ours
from bench.table import DIRECT, OURS
from bench.upstream import CHAT, MESSAGES, WORDS

HERE = Path(sys.executable)

FAST = {"rate_32": 100.0, "requests_32": 10.0, "cpu_chunk_32": 2.0, "cpu_chunk_paced": 2.0, "cpu_request_8": 2.0}


def results(**measured: float) -> table.Results:
    direct = dict.fromkeys(table.RECORDED, 2.0) | FAST
    return {DIRECT: direct, OURS: {**direct, **measured}}


def line(key: str, ours: float, floor: float) -> list[str]:
    """The cells of the table's row for one figure, from the ratio on."""
    (row,) = (row for row in table.ROWS if row.key == key)
    lines = table.text({DIRECT: {}, OURS: {key: ours}, "floor": {key: floor}}, floor="floor").splitlines()
    (told,) = (line for line in lines if line.startswith(f"| {row.title} "))
    return [cell.strip() for cell in told.split("|")][-4:-1]


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
    measured = {DIRECT: {"age_p50": 1.0}, OURS: {"age_p50": 3.5}}
    assert table.with_added(measured)[OURS]["added_p50"] == 2.5


def test_a_goal_of_our_own_is_met_whatever_the_floor_takes() -> None:
    assert line("cpu_request_8", 0.4, floor=0.1) == ["4.00", "≤ 0.4 ms", "yes"]
    assert line("cpu_request_8", 0.5, floor=1.0) == ["0.50", "≤ 0.4 ms", "no"]


def test_a_goal_that_is_a_ratio_is_met_by_the_ratio() -> None:
    assert line("cpu_chunk_32", 8.0, floor=4.0) == ["2.00", "≤ 2 × floor", "yes"]
    assert line("cpu_chunk_32", 9.0, floor=4.0) == ["2.25", "≤ 2 × floor", "no"]


def test_a_goal_for_what_is_to_be_many_is_met_by_more() -> None:
    assert line("rate_32", 120_000.0, floor=1.0)[1:] == ["≥ 100,000", "yes"]
    assert line("rate_32", 99_000.0, floor=1.0)[1:] == ["≥ 100,000", "no"]


def test_nothing_is_said_of_a_ratio_to_a_floor_that_adds_nothing() -> None:
    assert line("added_p50", 0.1, floor=-0.01) == ["", "≤ 2 × floor", ""]


def test_every_goal_is_for_a_figure_that_is_told_once() -> None:
    keys = [row.key for row in table.ROWS]
    assert len(keys) == len(set(keys))
    assert len({row.title for row in table.ROWS}) == len(keys)


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


def test_each_turn_of_a_conversation_says_again_what_was_said_before() -> None:
    bodies = [json.loads(request.partition(b"\r\n\r\n")[2]) for request in conversation(range(3, 6))]
    assert len(bodies) == 3
    for before, after in pairwise(bodies):
        said = len(before["messages"])
        assert after["messages"][:said] == before["messages"]
        assert len(after["messages"]) == said + 2
        assert {**after, "messages": []} == {**before, "messages": []}


def test_an_interpreter_tells_its_version_and_its_speed() -> None:
    told = described(HERE)
    assert told.version == ".".join(map(str, sys.version_info[:3]))
    assert 1 < told.work_ms < 10_000


@pytest.fixture
def asked_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who was asked for the measure `hard`, which the upstream alone can do."""
    asked: list[str] = []

    async def hard(bench: Bench, subject: Running) -> Figures:
        asked.append(subject.name)
        if subject.name != DIRECT:
            raise NotServed("status 500")
        return {"figure": 1.0}

    monkeypatch.setitem(MEASURES, "hard", hard)
    return asked


def test_what_a_peer_cannot_do_does_not_end_the_run_and_is_not_asked_of_it_again(asked_of: list[str]) -> None:
    figures = measure([Subject("peer", UPSTREAM.plan)], ["hard"], rounds=2, seconds=0.1)
    assert figures == {DIRECT: {"figure": 1.0}}
    assert asked_of == [DIRECT, "peer", DIRECT]


def test_what_the_proxy_cannot_do_ends_the_run(asked_of: list[str]) -> None:
    with pytest.raises(NotServed, match="status 500"):
        measure([Subject(OURS, UPSTREAM.plan)], ["hard"], rounds=2, seconds=0.1)


@pytest.mark.nightly
def test_a_short_run_measures_every_subject() -> None:
    figures = measure([ours(HERE)], ["small requests"], rounds=1, seconds=0.3)
    assert figures[OURS]["requests_8"] > 0
    assert figures[OURS]["cpu_request_8"] > 0
