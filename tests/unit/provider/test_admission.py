"""Who may ask now. The loop is driven by hand, so that every order of events can be had."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from neuroflow_proxy.errors import Kind, UpstreamError
from neuroflow_proxy.provider.admission import TURNS_IN_A_ROW, Admission, Priority, Ticket, Waiting, told_limit

TURN, BACKGROUND = Priority


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class World:
    """An event loop that runs only when told to, with requests that hold their slot until told to leave."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.loop = asyncio.new_event_loop()
        self.admitted: list[str] = []
        self.tickets: dict[str, Ticket] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.doors: dict[str, asyncio.Event] = {}

    def settle(self) -> None:
        async def passes() -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        self.loop.run_until_complete(passes())

    def ask(self, name: str, priority: Priority = TURN, body: bytes = b"") -> None:
        self.doors[name] = asyncio.Event()
        self.tasks[name] = self.loop.create_task(self._request(name, priority, body))

    async def _request(self, name: str, priority: Priority, body: bytes) -> None:
        async with self.admission.slot(priority, body) as ticket:
            self.admitted.append(name)
            self.tickets[name] = ticket
            await self.doors[name].wait()

    def leave(self, name: str) -> None:
        self.doors[name].set()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        self.run(_gather(self.tasks.values()))
        self.loop.close()


async def _gather(tasks: Any) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def world(limit: int = 2, **options: Any) -> Iterator[World]:
    made = World(Admission(limit, **options))
    try:
        yield made
    finally:
        made.close()


def test_no_more_run_at_once_than_are_allowed() -> None:
    with world(limit=2) as here:
        for name in "abcd":
            here.ask(name)
        here.settle()
        assert here.admitted == ["a", "b"]
        here.leave("a")
        here.settle()
        assert here.admitted == ["a", "b", "c"]


def test_the_users_turn_goes_before_background_work_that_came_earlier() -> None:
    with world(limit=1) as here:
        here.ask("running")
        for name in ("agent1", "agent2"):
            here.ask(name, BACKGROUND)
        here.ask("turn")
        here.settle()
        for name in ("running", "turn", "agent1"):
            here.leave(name)
            here.settle()
        assert here.admitted == ["running", "turn", "agent1", "agent2"]


def test_background_work_is_let_in_after_some_turns_in_a_row() -> None:
    with world(limit=1) as here:
        here.ask("0")
        here.ask("agent", BACKGROUND)
        for number in range(1, 20):
            here.ask(str(number))
        here.settle()
        for _ in range(20):
            here.leave(here.admitted[-1])
            here.settle()
        assert here.admitted.index("agent") == TURNS_IN_A_ROW + 1


def test_a_cancelled_wait_leaves_the_queue_at_once_and_loses_no_slot() -> None:
    with world(limit=1) as here:
        for name in "abc":
            here.ask(name)
        here.settle()
        here.tasks["b"].cancel()
        here.settle()
        assert [waiting.position for waiting in here.admission.snapshot().waiting] == [1]
        here.leave("a")
        here.settle()
        assert here.admitted == ["a", "c"]


@pytest.mark.parametrize("cancelled_first", [False, True])
def test_who_is_cancelled_in_the_moment_of_being_let_in_hands_the_slot_on(cancelled_first: bool) -> None:
    async def scene(here: World) -> None:
        async with here.admission.slot(TURN):
            here.ask("b")
            here.ask("c")
            await asyncio.sleep(0)
            if cancelled_first:
                here.tasks["b"].cancel()
        # b has not run since: it has been given the slot, or was passed by.
        here.tasks["b"].cancel()

    with world(limit=1) as here:
        here.run(scene(here))
        here.settle()
        assert here.admitted == ["c"]
        assert here.admission.snapshot().running == 1


@pytest.mark.parametrize(("after_s", "then"), [(40, ["again", "behind"]), (80, ["behind", "again"])])
def test_who_left_and_soon_asks_the_same_again_takes_their_place_again(after_s: int, then: list[str]) -> None:
    """Else who waits longer than a client has patience would wait for ever, and others be served twice meanwhile."""
    clock = Clock()
    with world(limit=1, clock=clock) as here:
        for name in ("running", "patient", "behind"):
            here.ask(name, body=name.encode())
            here.settle()
            clock.now += 1
        clock.now += 600
        here.tasks["patient"].cancel()
        here.settle()
        clock.now += after_s
        here.ask("again", body=b"patient")
        here.settle()
        for name in ("running", *then):
            here.leave(name)
            here.settle()
        assert here.admitted == ["running", *then]
        assert here.tickets["again"] == Ticket(TURN, 1 + then.index("again"), 0.0)


def test_who_is_cut_off_while_being_served_and_asks_again_comes_before_those_who_came_later() -> None:
    clock = Clock()
    with world(limit=1, clock=clock) as here:
        for name in ("served", "next", "last"):
            here.ask(name, body=name.encode())
            here.settle()
            clock.now += 1
        here.tasks["served"].cancel()
        here.settle()
        here.ask("again", body=b"served")
        here.settle()
        here.leave("next")
        here.settle()
        assert here.admitted == ["served", "next", "again"]


def test_a_request_that_fails_frees_its_slot() -> None:
    async def fail(admission: Admission) -> None:
        async with admission.slot(TURN):
            raise ConnectionError

    with world(limit=1) as here:
        for _ in range(3):
            with pytest.raises(ConnectionError):
                here.run(fail(here.admission))
        assert here.admission.snapshot().running == 0


def test_a_raised_limit_lets_in_at_once_and_a_lowered_one_disturbs_nobody() -> None:
    with world(limit=1) as here:
        for name in "abcdef":
            here.ask(name)
        here.settle()
        here.admission.limit = 4
        here.settle()
        assert here.admitted == ["a", "b", "c", "d"]
        here.admission.limit = 2
        here.leave("a")
        here.leave("b")
        here.settle()
        assert here.admitted == ["a", "b", "c", "d"]
        here.leave("c")
        here.settle()
        assert here.admitted == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Admission(limit)


def test_a_full_queue_says_when_to_come_back_from_what_was_measured() -> None:
    clock = Clock()
    with world(limit=2, queue_limit=1, clock=clock) as here:
        for name in "ab":  # each takes 20 s, two at a time: one is done every 10 s
            here.ask(name)
        here.settle()
        clock.now += 20
        here.leave("a")
        here.leave("b")
        here.settle()
        for name in "cdef":
            here.ask(name)
        here.settle()
        refusal = here.tasks["f"].exception()
        assert isinstance(refusal, UpstreamError)
        assert (refusal.kind, refusal.retry_after_s) == (Kind.RATE_LIMIT, 10)
        assert here.admission.snapshot().running == 2


def test_a_full_queue_never_sends_claude_code_away_for_good() -> None:
    clock = Clock()
    with world(limit=1, queue_limit=0, clock=clock) as here:
        here.ask("a")
        here.settle()
        clock.now += 500
        here.leave("a")
        here.settle()
        here.ask("b")
        here.ask("c")
        here.settle()
        refusal = here.tasks["c"].exception()
        assert isinstance(refusal, UpstreamError)
        assert refusal.retry_after_s == 60  # told more, it would give up


@pytest.mark.parametrize(("held_s", "told_s"), [(None, 30), (0.1, 1)])
def test_a_full_queue_says_when_to_come_back_however_little_was_measured(held_s: float | None, told_s: float) -> None:
    clock = Clock()
    with world(limit=1, queue_limit=0, clock=clock) as here:
        if held_s is not None:
            here.ask("earlier")
            here.settle()
            clock.now += held_s
            here.leave("earlier")
        here.settle()
        here.ask("a")
        here.ask("b")
        here.settle()
        refusal = here.tasks["b"].exception()
        assert isinstance(refusal, UpstreamError)
        assert refusal.retry_after_s == told_s


def test_a_snapshot_tells_who_waits_where_and_how_long() -> None:
    clock = Clock()
    with world(limit=1, clock=clock) as here:
        here.ask("a")
        here.ask("agent", BACKGROUND)
        here.settle()
        clock.now += 5
        here.ask("turn")
        here.settle()
        clock.now += 2
        snapshot = here.admission.snapshot()
        assert (snapshot.limit, snapshot.running) == (1, 1)
        assert snapshot.waiting == (Waiting(1, TURN, 2.0), Waiting(2, BACKGROUND, 7.0))
        here.leave("a")
        here.settle()
        assert here.tickets["a"] == Ticket(TURN, 0, 0.0)
        assert here.tickets["turn"] == Ticket(TURN, 1, 2.0)


@pytest.mark.parametrize(("value", "limit"), [("1", 1), (" 4 ", 4), ("0", None), ("-1", None), ("many", None)])
def test_the_limit_that_a_provider_names_is_read(value: str, limit: int | None) -> None:
    assert told_limit({"x-rate-limit-max-concurrent": value}) == limit
    assert told_limit({}) is None


class Schedules(RuleBasedStateMachine):
    """Any order of coming, going, being cancelled and changing the limit."""

    @initialize(limit=st.integers(1, 4))
    def open(self, limit: int) -> None:
        self.world = World(Admission(limit, queue_limit=10_000))
        self.asked: dict[str, Priority] = {}
        self.gone: set[str] = set()
        self.highest_allowed = limit

    def of(self, *, running: bool) -> list[str]:
        return [name for name in self.asked if name not in self.gone and (name in self.world.admitted) == running]

    @rule(priority=st.sampled_from(Priority), count=st.integers(1, 4))
    def come(self, priority: Priority, count: int) -> None:
        for _ in range(count):
            name = str(len(self.asked))
            self.asked[name] = priority
            self.world.ask(name, priority)

    @precondition(lambda self: self.of(running=True))
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.of(running=True)))
        self.gone.add(name)
        self.world.leave(name)

    @precondition(lambda self: len(self.gone) < len(self.asked))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.of(running=True) + self.of(running=False)))
        self.gone.add(name)
        self.world.tasks[name].cancel()

    @rule()
    def one_step(self) -> None:
        """Let only a part happen, so that the next event falls into the middle of it."""
        self.world.run(asyncio.sleep(0))

    @rule(limit=st.integers(1, 5))
    def change_limit(self, limit: int) -> None:
        self.world.settle()
        self.highest_allowed = max(limit, self.world.admission.snapshot().running)
        self.world.admission.limit = limit

    @invariant()
    def never_too_many(self) -> None:
        if hasattr(self, "world"):
            assert self.world.admission.snapshot().running <= self.highest_allowed

    @rule()
    def all_is_as_it_should_be(self) -> None:
        self.world.settle()
        snapshot = self.world.admission.snapshot()
        assert snapshot.running == len(self.of(running=True))
        assert len(snapshot.waiting) == len(self.of(running=False))
        if snapshot.waiting:
            assert snapshot.running >= snapshot.limit  # no slot lies idle
        for priority in Priority:
            admitted = [int(name) for name in self.world.admitted if self.asked[name] is priority]
            waiting = [int(name) for name in self.of(running=False) if self.asked[name] is priority]
            assert not admitted or not waiting or max(admitted) < min(waiting)  # first in, first out

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()
            while running := self.of(running=True):
                self.go_all(running)
            assert not self.of(running=False)  # everybody who stayed was let in
            assert self.world.admission.snapshot().running == 0
            self.world.close()

    def go_all(self, names: list[str]) -> None:
        for name in names:
            self.gone.add(name)
            self.world.leave(name)
        self.world.settle()


TestSchedules = Schedules.TestCase
TestSchedules.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],  # explaining takes minutes here
)
