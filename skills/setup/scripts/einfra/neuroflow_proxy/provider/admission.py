"""Who may ask the provider now: at most so many at once, the user's own turn first, first in first out.

e-INFRA runs two requests of a key at once and lets the others wait unseen for up to ten minutes, without a byte. We let
them wait here instead, where the client can be sent pings, the wait can be shown, a cancelled request leaves at once,
and the user's turn need not wait behind its own subagents.

A client that has waited too long for its taste leaves and asks the same again: Claude Code after ten minutes of nothing
but pings. It then takes its place again, or those at the end of a long queue would never be let in.

One `Admission` for each (base URL, key). Everything happens in one event loop; there is nothing to close.

    async with admission.slot(Priority.TURN, body) as ticket:
        ...  # ask; the slot is free again when the block is left, in whatever way
    if (limit := told_limit(headers)) is not None:
        admission.limit = limit
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from ..errors import Kind, UpstreamError
from .faults import LONGEST_RETRY_AFTER_S
from .retry import digest

DEFAULT_LIMIT = 2
DEFAULT_QUEUE_LIMIT = 64
TURNS_IN_A_ROW = 8
"""How many turns may overtake waiting background requests before one of these is let in: none waits for ever."""

KEPT_S = 60.0
"""For how long a client that left may come back to its place; Claude Code waits half a minute at most."""

_UNKNOWN_WAIT_S = 30.0  # what e-INFRA's own queue says when it is full
_MEASURED = 32


class Priority(IntEnum):
    """Who is waiting. The lower goes first."""

    TURN = 0
    """The user's own conversation."""
    BACKGROUND = 1
    """Subagents, titles, summaries, safety checks: what runs beside it."""


class Ticket(NamedTuple):
    """What one request went through until it was let in."""

    priority: Priority
    position: int
    """Its place in the queue when it came, from 1; 0 if it did not have to wait."""
    waited_s: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """One who waits, as `status` shows it."""

    position: int
    priority: Priority
    waited_s: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How things stand at this moment."""

    limit: int
    running: int
    waiting: tuple[Waiting, ...]


class Admission:
    """Lets requests through, `limit` at once. Not for use from several threads."""

    def __init__(
        self,
        limit: int = DEFAULT_LIMIT,
        *,
        queue_limit: int = DEFAULT_QUEUE_LIMIT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = _at_least_one(limit)
        self._queue_limit = queue_limit
        self.clock = clock
        self._running = 0
        # Who waits, with the time at which they came. Dicts, for order, and because who is cancelled leaves from the
        # middle.
        self._queues: dict[Priority, dict[asyncio.Future[None], float]] = {priority: {} for priority in Priority}
        # By what they asked for: when they left, and when they had come.
        self._left: dict[bytes, tuple[float, float]] = {}
        self._turns_in_a_row = 0
        self._service_s: deque[float] = deque(maxlen=_MEASURED)

    @property
    def limit(self) -> int:
        """How many may run at once. May be changed at any time; those who run are not disturbed."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        if limit != self._limit:
            self._limit = _at_least_one(limit)
            self._admit_waiting()

    def slot(self, priority: Priority, body: bytes = b"") -> "Slot":
        """A slot, to be waited for and held for the time of an `async with` block, which is given a `Ticket`.

        `body` is what is asked for, by which those are known again who have left and come back.

        Raises `UpstreamError` (RATE_LIMIT, with a `retry_after_s` from measured times) at once if the queue is full.
        A wait that is cancelled holds nobody up.
        """
        return Slot(self, priority, body)

    def snapshot(self) -> Snapshot:
        """How many run, and who waits, turns before background and each in the order in which they came."""
        now = self.clock()
        waiting = [(priority, asked_at) for priority, queue in self._queues.items() for asked_at in queue.values()]
        return Snapshot(
            self._limit,
            self._running,
            tuple(
                Waiting(position, priority, now - asked_at)
                for position, (priority, asked_at) in enumerate(waiting, start=1)
            ),
        )

    def since(self, body: bytes) -> float:
        """When the wait for `body` began: now, or earlier, if a client has left and come back."""
        now = self.clock()
        left_at, asked_at = self._left.pop(digest(body), (now, now)) if self._left else (now, now)
        return asked_at if now - left_at <= KEPT_S else now

    def keep(self, body: bytes, asked_at: float) -> None:
        """Remember since when `body` was waited for: its client leaves, and may come back."""
        now = self.clock()
        self._left = {key: times for key, times in self._left.items() if now - times[0] <= KEPT_S}
        if body and len(self._left) < self._queue_limit:
            self._left[digest(body)] = now, asked_at

    async def enter(self, priority: Priority, asked_at: float) -> int:
        """Take a slot, now or later, to be given back by `leave`; the return value is the place in the queue."""
        if self._running < self._limit:
            self._running += 1
            return 0
        if self._count() >= self._queue_limit:
            raise self._full()
        queue = self._queues[priority]
        admitted = asyncio.get_running_loop().create_future()
        behind = [(other, came_at) for other, came_at in queue.items() if came_at > asked_at]
        queue[admitted] = asked_at
        for other, came_at in behind:
            del queue[other]
            queue[other] = came_at
        position = self._count(up_to=priority) - len(behind)
        try:
            await admitted
        except asyncio.CancelledError:
            queue.pop(admitted, None)
            if not admitted.cancelled():  # let in and cancelled in the same moment: the slot goes to the next
                self._free()
            raise
        return position

    def leave(self, held_s: float) -> None:
        """Give back a slot that was held for so many seconds."""
        self._service_s.append(held_s)
        self._free()

    def _free(self) -> None:
        self._running -= 1
        self._admit_waiting()

    def _admit_waiting(self) -> None:
        while self._running < self._limit and (admitted := self._next()):
            if not admitted.cancelled():
                self._running += 1
                admitted.set_result(None)

    def _next(self) -> asyncio.Future[None] | None:
        """Take the first of the queue whose turn it is out of it."""
        turns, background = self._queues[Priority.TURN], self._queues[Priority.BACKGROUND]
        if turns and not (background and self._turns_in_a_row >= TURNS_IN_A_ROW):
            self._turns_in_a_row = self._turns_in_a_row + 1 if background else 0
            queue = turns
        else:
            self._turns_in_a_row = 0
            queue = background
        first = next(iter(queue), None)
        if first is not None:
            del queue[first]
        return first

    def _count(self, *, up_to: Priority = Priority.BACKGROUND) -> int:
        return sum(len(queue) for priority, queue in self._queues.items() if priority <= up_to)

    def _full(self) -> UpstreamError:
        """The refusal where the queue is full. In the time that one request takes, `limit` places become free."""
        wait_s = _UNKNOWN_WAIT_S
        if self._service_s:
            wait_s = sum(self._service_s) / len(self._service_s) / self._limit
        return UpstreamError(
            f"{self._count()} requests wait for the provider already, behind the {self._running} that it answers now.",
            kind=Kind.RATE_LIMIT,
            hint="Let fewer agents work at the same time.",
            retry_after_s=float(min(max(1, math.ceil(wait_s)), LONGEST_RETRY_AFTER_S)),
        )


class Slot:
    """A slot of one `Admission`, held while it is the context."""

    __slots__ = ("_admission", "_admitted_at", "_asked_at", "_body", "_priority")

    def __init__(self, admission: Admission, priority: Priority, body: bytes) -> None:
        self._admission = admission
        self._priority = priority
        self._body = body

    async def __aenter__(self) -> Ticket:
        came_at = self._admission.clock()
        self._asked_at = self._admission.since(self._body)
        try:
            position = await self._admission.enter(self._priority, self._asked_at)
        except asyncio.CancelledError:
            self._admission.keep(self._body, self._asked_at)
            raise
        self._admitted_at = self._admission.clock()
        return Ticket(self._priority, position, self._admitted_at - came_at)

    async def __aexit__(self, raised: type[BaseException] | None, *more: object) -> None:
        if raised is asyncio.CancelledError:
            self._admission.keep(self._body, self._asked_at)
        self._admission.leave(self._admission.clock() - self._admitted_at)


def told_limit(headers: Mapping[str, str]) -> int | None:
    """The number of requests at once that the provider's answer names, if it does."""
    value = headers.get("x-rate-limit-max-concurrent", "").strip()
    return int(value) if value.isdecimal() and int(value) > 0 else None


def _at_least_one(limit: int) -> int:
    if limit < 1:
        raise ValueError(f"at least one request must be allowed at once, not {limit}")
    return limit
