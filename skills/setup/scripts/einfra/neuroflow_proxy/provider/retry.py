"""Whether and when to ask the provider again, and what need not be asked again. Decides; waits for nothing itself.

How it is used, before the first byte has gone to the client and never after:

    except UpstreamError as error:
        delay_s = next_delay(attempt, error, elapsed_s, jitter=random())
        if delay_s is None:
            refused.remember(body, error)
            raise
        await sleep(delay_s)  # outside the admission slot; pings go on

Claude Code has a ladder of its own (11 requests in 3 minutes), so only what is likely to pass within seconds is tried
here: it is a shared service, and two ladders multiply.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

from ..errors import Kind, UpstreamError
from .faults import LONGEST_RETRY_AFTER_S

MAX_ATTEMPTS = 3
PATIENCE_S = 120.0
"""Counted from the first attempt. Claude Code gives up on a stream of pings after 600 s, and the answer itself needs
most of that."""

_FIRST_WAIT_S = {
    Kind.UNREACHABLE: 0.5,
    Kind.BROKEN_ANSWER: 0.5,
    Kind.OVERLOADED: 1.0,
    Kind.TIMEOUT: 1.0,
    Kind.RATE_LIMIT: 2.0,
}
"""The kinds that may pass, with the wait after the first failure where the provider names none. It doubles."""

_PERMANENT = frozenset({Kind.INVALID_REQUEST, Kind.CONTEXT_TOO_LONG, Kind.TOO_LARGE})


def next_delay(attempt: int, error: UpstreamError, elapsed_s: float, *, jitter: float) -> float | None:
    """Seconds to wait before the next attempt, or None to give up and tell the client.

    `attempt` counts the attempts made so far, from 1; `elapsed_s` runs from the start of the first; `jitter` is a
    random number from 0 to 1 that spreads those who failed together; it never shortens what the provider asked for.
    """
    first_wait_s = _FIRST_WAIT_S.get(error.kind)
    if first_wait_s is None or error.should_retry is False or attempt >= MAX_ATTEMPTS:
        return None
    asked_s = error.retry_after_s or 0.0
    if asked_s > LONGEST_RETRY_AFTER_S:  # handed on instead: waiting through it would leave the client in the dark
        return None
    backoff_s = first_wait_s * 2 ** (attempt - 1)
    delay_s = max(asked_s, backoff_s) + jitter * backoff_s / 2
    return delay_s if elapsed_s + delay_s <= PATIENCE_S else None


class RefusedBodies:
    """Remembers for a few seconds which bodies were refused for what they are, so that each is sent only once.

    Claude Code answers a 400 with up to eight requests in quick succession. They differ in fields that we do not pass
    on, so to the provider they would be the same. One memory for each provider: the model stands in the body, the
    provider does not.
    """

    def __init__(
        self, *, ttl_s: float = 15.0, capacity: int = 128, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ttl_s = ttl_s
        self._capacity = capacity
        self._clock = clock
        self._errors: OrderedDict[bytes, tuple[float, UpstreamError]] = OrderedDict()

    def remember(self, body: bytes, error: UpstreamError) -> None:
        """Keep the refusal if asking again cannot help."""
        if error.kind not in _PERMANENT:
            return
        key = digest(body)
        self._errors[key] = (self._clock(), _without_traceback(error))
        self._errors.move_to_end(key)
        if len(self._errors) > self._capacity:
            self._errors.popitem(last=False)

    def find(self, body: bytes) -> UpstreamError | None:
        """The refusal of this very body, if it is fresh; raise it instead of sending."""
        if not self._errors:
            return None
        key = digest(body)
        refused_at, error = self._errors.get(key, (0.0, None))
        if error is None:
            return None
        if self._clock() - refused_at > self._ttl_s:
            del self._errors[key]
            return None
        return _without_traceback(error)

    def __len__(self) -> int:
        return len(self._errors)


def _without_traceback(error: UpstreamError) -> UpstreamError:
    """A copy of the error: a traceback grows with each raise, and its frames keep the conversation in memory."""
    same = type(error).__new__(type(error), *error.args)
    same.__dict__.update(error.__dict__)
    return same


def digest(body: bytes) -> bytes:
    """A short hash by which a body is recognized."""
    return blake2b(body, digest_size=16).digest()
