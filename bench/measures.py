"""What is measured of a subject in one round. Every function returns named figures; times are those of the wall clock,
CPU that of the subject's own processes, told by the system.
"""

import asyncio
import gc
import json
import statistics
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from functools import cache

from .bodies import BODY_SIZES, conversation, messages_request
from .load import Answer, Connection, NotServed, connections, http_request, tell
from .running import Running
from .upstream import Say

Figures = dict[str, float]

PACE_PER_S = 100.0
PACED_STREAMS = 16
SHORT_CHUNKS, LONG_CHUNKS = 1_000, 50_000
BEARABLE_S = 20.0
EARLY_TURN, LATE_TURN = 20, 200
SMALL = messages_request(2_000)
BODIES = {name: messages_request(size) for name, size in BODY_SIZES.items()}
# A subject that is slow is asked for less, so that each gets about the same time.
_FIRST_TRY_CHUNKS = 100
_MOST_CHUNKS = 100_000


@dataclass(frozen=True)
class Bench:
    """How long to measure, and against which upstream."""

    upstream_port: int
    seconds: float

    async def say(self, say: Say) -> None:
        await tell(self.upstream_port, http_request("/say", json.dumps(asdict(say)).encode()))


Measure = Callable[[Bench, Running], Coroutine[None, None, Figures]]


async def saturated(bench: Bench, subject: Running, streams: int) -> Figures:
    """Chunks a second, and CPU a chunk, when every stream is read as fast as it comes."""
    async with connections(subject.port, streams) as opened:
        chunks, took_s = _FIRST_TRY_CHUNKS, 0.0
        while True:
            await bench.say(Say(chunks))
            cpu_s, began = subject.cpu_s(), time.perf_counter()
            await asyncio.gather(*(each.ask(SMALL) for each in opened))
            took_s, cpu_s = time.perf_counter() - began, subject.cpu_s() - cpu_s
            if took_s > bench.seconds / 2 or chunks >= _MOST_CHUNKS:
                break
            chunks = min(_MOST_CHUNKS, max(2 * chunks, int(chunks * bench.seconds / took_s)))
    return {f"rate_{streams}": streams * chunks / took_s, f"cpu_chunk_{streams}": 1e6 * cpu_s / streams / chunks}


async def paced(bench: Bench, subject: Running) -> Figures:
    """CPU a chunk, and how old chunks are on arrival, when streams come as models write."""
    await bench.say(Say(int(PACE_PER_S * max(bench.seconds, 1)), PACE_PER_S))
    async with connections(subject.port, PACED_STREAMS, stamped=True) as opened:
        cpu_s = subject.cpu_s()
        answers = await asyncio.gather(*(_after(i, each) for i, each in enumerate(opened)))
        cpu_s = subject.cpu_s() - cpu_s
    ages = sorted(age for answer in answers for age in answer.ages_s)
    return {
        "cpu_chunk_paced": 1e6 * cpu_s / len(ages),
        "age_p50": 1e3 * statistics.median(ages),
        "age_p99": 1e3 * ages[int(0.99 * len(ages))],
    }


async def _after(turn: int, connection: Connection) -> Answer:
    """Ask a little after the one before: people do not begin in the same moment."""
    await asyncio.sleep(turn / PACED_STREAMS / PACE_PER_S)
    return await connection.ask(SMALL)


async def first_text(bench: Bench, subject: Running) -> Figures:
    """Time to the first piece of text, and CPU, for bodies of three sizes, one request at a time."""
    await bench.say(Say(1))
    figures: Figures = {}
    async with connections(subject.port, 1) as (connection,):
        for name, request in BODIES.items():
            times: list[float] = []
            cpu_s, until = subject.cpu_s(), time.perf_counter() + bench.seconds / 2
            while len(times) < 5 or (time.perf_counter() < until and len(times) < 500):
                times.append((await connection.ask(request)).first_text_s)
            figures[f"cpu_request_{name}"] = 1e3 * (subject.cpu_s() - cpu_s) / len(times)
            figures[f"first_text_{name}"] = 1e3 * statistics.median(times)
    return figures


async def small_requests(bench: Bench, subject: Running) -> Figures:
    """Requests a second with 32 at once, and CPU a request with 8 at once."""
    await bench.say(Say(1))
    figures: Figures = {}
    for at_once in (8, 32):
        async with connections(subject.port, at_once) as opened:
            cpu_s, began = subject.cpu_s(), time.perf_counter()
            counts = await asyncio.gather(*(_ask_until(began + bench.seconds, each) for each in opened))
            took_s, cpu_s = time.perf_counter() - began, subject.cpu_s() - cpu_s
        figures[f"requests_{at_once}"] = sum(counts) / took_s
        figures[f"cpu_request_{at_once}"] = 1e3 * cpu_s / sum(counts)
    return figures


async def _ask_until(deadline: float, connection: Connection) -> int:
    count = 0
    while count == 0 or time.perf_counter() < deadline:
        await connection.ask(SMALL)
        count += 1
    return count


async def long_answers(bench: Bench, subject: Running) -> Figures:
    """What a chunk of a long answer costs, as a ratio to one of a short answer, one stream at a time.

    Raises `NotServed` for a subject that would take too long.
    """
    cpu_s, chunks = {SHORT_CHUNKS: 0.0, LONG_CHUNKS: 0.0}, 0
    async with connections(subject.port, 1) as (connection,):
        await bench.say(Say(SHORT_CHUNKS))
        would_take_s = (await connection.ask(SMALL)).total_s * LONG_CHUNKS / SHORT_CHUNKS
        if would_take_s > BEARABLE_S:
            raise NotServed(f"an answer of {LONG_CHUNKS:,} chunks would take {would_take_s:.0f} s")
        until = time.perf_counter() + 2 * bench.seconds
        while not chunks or time.perf_counter() < until:
            chunks += LONG_CHUNKS
            for length in cpu_s:  # in turns: how many chunks are read at once changes with what else the machine does
                await bench.say(Say(length))
                before_s = subject.cpu_s()
                for _ in range(LONG_CHUNKS // length):
                    await connection.ask(SMALL)
                cpu_s[length] += subject.cpu_s() - before_s
    figures = {f"cpu_chunk_of_{length}": 1e6 * spent_s / chunks for length, spent_s in cpu_s.items()}
    return figures | {"growth_answer": cpu_s[LONG_CHUNKS] / cpu_s[SHORT_CHUNKS]}


async def long_conversations(bench: Bench, subject: Running) -> Figures:
    """What a byte of a request costs late in a conversation, as a ratio to one of an early request."""
    await bench.say(Say(1))
    figures: Figures = {}
    async with connections(subject.port, 1) as (connection,):
        for turn in (EARLY_TURN, LATE_TURN):
            sent, cpu_s, until = 0, subject.cpu_s(), time.perf_counter() + bench.seconds
            while not sent or time.perf_counter() < until:
                for request in _turns_until(turn):
                    await connection.ask(request)
                    sent += len(request)
            figures[f"cpu_mb_turn_{turn}"] = 1e3 * (subject.cpu_s() - cpu_s) / (sent / 1e6)
    early, late = figures.values()
    return figures | {"growth_conversation": late / early}


@cache
def _turns_until(turn: int) -> list[bytes]:
    """The ten turns that end with this one: long enough for the clock of CPU, which ticks in hundredths of a second."""
    return conversation(range(turn - 10, turn))


async def memory(bench: Bench, subject: Running) -> Figures:
    """Resident memory at rest, and with streams open."""
    figures = {"memory_idle": subject.memory_mb()}
    for streams in (32, 128):
        async with connections(subject.port, streams) as opened:
            await bench.say(Say(20, 10.0))
            asking = asyncio.gather(*(each.ask(SMALL) for each in opened))
            await asyncio.sleep(1.2)
            figures[f"memory_{streams}"] = subject.memory_mb()
            await asking
    figures["memory_stream"] = 1e3 * (figures["memory_128"] - figures["memory_idle"]) / 128
    return figures


def _streams(count: int) -> Measure:
    async def measure(bench: Bench, subject: Running) -> Figures:
        return await saturated(bench, subject, count)

    return measure


MEASURES: dict[str, Measure] = {
    "memory": memory,  # first, before anything has grown
    "first text": first_text,
    "small requests": small_requests,
    "paced": paced,
    "long answers": long_answers,
    "long conversations": long_conversations,
    **{f"saturated, {count} streams": _streams(count) for count in (1, 8, 32, 128)},
}
ONCE = ("memory",)
"""Not again in later rounds, when what was asked before has left its traces."""
BRIEF = ("first text", "small requests", "paced", "saturated, 32 streams")


async def warm_up(bench: Bench, subject: Running) -> None:
    """Let a subject load what it loads with its first requests; waits until it answers at all."""
    await bench.say(Say(20))
    async with connections(subject.port, 4) as opened:
        for _ in range(5):
            await asyncio.gather(*(each.ask(SMALL) for each in opened))
    gc.collect()
