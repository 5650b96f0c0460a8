"""Whether to ask again."""

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.errors import Kind, UpstreamError
from neuroflow_proxy.provider.faults import LONGEST_RETRY_AFTER_S, TooManyOutputTokens
from neuroflow_proxy.provider.retry import MAX_ATTEMPTS, PATIENCE_S, RefusedBodies, next_delay

PASSING = [Kind.UNREACHABLE, Kind.BROKEN_ANSWER, Kind.OVERLOADED, Kind.TIMEOUT, Kind.RATE_LIMIT]


def failure(kind: Kind, *, retry_after_s: float | None = None, should_retry: bool | None = None) -> UpstreamError:
    return UpstreamError("It failed.", kind=kind, retry_after_s=retry_after_s, should_retry=should_retry)


@pytest.mark.parametrize("kind", PASSING)
def test_what_may_pass_is_tried_again_a_few_times(kind: Kind) -> None:
    delays = [next_delay(attempt, failure(kind), 0, jitter=0) for attempt in range(1, MAX_ATTEMPTS + 1)]
    *waits, last = delays
    assert last is None
    assert waits[0]
    assert waits == [waits[0] * 2**number for number in range(MAX_ATTEMPTS - 1)], "each wait is twice the one before"


@pytest.mark.parametrize("kind", sorted(set(Kind) - set(PASSING)))
def test_what_will_not_pass_is_not_tried_again(kind: Kind) -> None:
    assert next_delay(1, failure(kind), 0, jitter=0) is None


def test_a_quota_that_waiting_cannot_cure_is_not_tried_again() -> None:
    assert next_delay(1, failure(Kind.RATE_LIMIT, should_retry=False), 0, jitter=0) is None


def test_a_wait_that_is_too_long_is_handed_on() -> None:
    assert next_delay(1, failure(Kind.RATE_LIMIT, retry_after_s=LONGEST_RETRY_AFTER_S + 1), 0, jitter=0) is None


@given(st.floats(0, LONGEST_RETRY_AFTER_S), st.floats(0, 1), st.integers(1, MAX_ATTEMPTS - 1))
def test_we_never_come_back_earlier_than_we_were_asked_to(asked_s: float, jitter: float, attempt: int) -> None:
    delay_s = next_delay(attempt, failure(Kind.RATE_LIMIT, retry_after_s=asked_s), 0, jitter=jitter)
    assert delay_s is not None
    assert delay_s >= asked_s


@pytest.mark.parametrize("asked_s", [None, 30.0])
def test_those_who_failed_together_come_back_one_after_another(asked_s: float | None) -> None:
    error = failure(Kind.RATE_LIMIT, retry_after_s=asked_s)
    delays = [next_delay(1, error, 0, jitter=jitter) or 0 for jitter in (0, 0.5, 1)]
    assert delays == sorted(set(delays))


def test_what_would_be_tried_after_the_end_of_our_patience_is_told_at_once() -> None:
    error = failure(Kind.RATE_LIMIT, retry_after_s=30)
    assert next_delay(1, error, PATIENCE_S - 30, jitter=0) == 30
    assert next_delay(1, error, PATIENCE_S - 29, jitter=0) is None


@given(st.sampled_from(PASSING), st.floats(0, 1000), st.floats(0, 1), st.integers(1, 10))
def test_patience_has_an_end(kind: Kind, elapsed_s: float, jitter: float, attempt: int) -> None:
    delay_s = next_delay(attempt, failure(kind), elapsed_s, jitter=jitter)
    assert delay_s is None or elapsed_s + delay_s <= PATIENCE_S


def test_a_silence_of_ten_minutes_is_not_waited_through_twice() -> None:
    assert next_delay(1, failure(Kind.TIMEOUT), 620, jitter=0) is None


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_refused_body_is_answered_from_memory_for_a_while() -> None:
    clock = Clock()
    refused = RefusedBodies(ttl_s=10, clock=clock)
    error = failure(Kind.INVALID_REQUEST)
    refused.remember(b"body", error)
    found = refused.find(b"body")
    assert found is not None
    assert (found.message, found.kind) == (error.message, error.kind)
    assert refused.find(b"another body") is None
    clock.now += 10.5
    assert refused.find(b"body") is None
    assert len(refused) == 0


@pytest.mark.parametrize("kind", PASSING)
def test_a_failure_that_may_pass_is_not_remembered(kind: Kind) -> None:
    refused = RefusedBodies()
    refused.remember(b"body", failure(kind))
    assert refused.find(b"body") is None


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    refused = RefusedBodies(capacity=3)
    for number in range(5):
        refused.remember(str(number).encode(), failure(Kind.INVALID_REQUEST))
    assert len(refused) == 3
    assert [number for number in range(5) if refused.find(str(number).encode())] == [2, 3, 4]


def test_the_memory_does_not_keep_the_conversation_alive() -> None:
    class Conversation:
        pass

    def ask(refused: RefusedBodies) -> weakref.ref[Conversation]:
        conversation = Conversation()
        error = refused.find(b"body") or failure(Kind.INVALID_REQUEST)
        try:
            try:
                raise error
            except UpstreamError as raised:
                refused.remember(b"body", raised)
                raise
        except UpstreamError:
            del error
        return weakref.ref(conversation)

    refused = RefusedBodies()
    conversations = [ask(refused), ask(refused)]
    gc.collect()
    assert [conversation() for conversation in conversations] == [None, None]
    assert refused.find(b"body") is not None


def test_what_is_found_is_the_error_with_all_that_it_knows() -> None:
    refused = RefusedBodies()
    refused.remember(b"body", TooManyOutputTokens("Too many.", kind=Kind.INVALID_REQUEST, limit=10))
    found = refused.find(b"body")
    assert isinstance(found, TooManyOutputTokens)
    assert (str(found), found.limit, found.kind) == ("Too many.", 10, Kind.INVALID_REQUEST)
