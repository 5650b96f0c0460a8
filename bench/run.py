"""A run: everything started, everything measured in turns, the medians."""

import asyncio
import contextlib
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path

import uvloop

from . import starting
from .load import NotServed
from .measures import MEASURES, ONCE, Bench, Figures, warm_up
from .running import Subject, running
from .subjects import UPSTREAM
from .table import DIRECT, OURS, Results, with_added


def measure(
    subjects: Sequence[Subject], names: Sequence[str], *, rounds: int, seconds: float, starts_on: Path | None = None
) -> Results:
    """All figures of all subjects: the median over rounds in which each is measured in turn.

    `starts_on` is the Python for set-up's own times; without it no start is measured. What a peer cannot do is told,
    and not asked of it again; what the proxy or the upstream cannot do raises `NotServed`.
    """
    collected: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    beyond_them: set[tuple[str, str]] = set()

    def note(name: str, figures: Figures) -> None:
        for key, value in figures.items():
            collected[name][key].append(value)

    def attempt(measured: str, name: str, take: Callable[[], Coroutine[None, None, Figures]]) -> None:
        if (measured, name) in beyond_them:
            return
        try:
            note(name, ask(take()))
        except (NotServed, OSError) as error:
            if name in (DIRECT, OURS):
                raise
            beyond_them.add((measured, name))
            _say(f"{name} cannot do this: {error!r}")

    with contextlib.ExitStack() as stack:
        ask = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop)).run
        top = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        upstream = stack.enter_context(running(UPSTREAM, 0, top / UPSTREAM.name))
        bench = Bench(upstream.port, seconds)
        everyone = [upstream]
        everyone += [stack.enter_context(running(each, upstream.port, top / each.name)) for each in subjects]
        for each in everyone:
            ask(warm_up(bench, each))
        for turn in range(1, rounds + 1):
            for measured in names:
                if measured in ONCE and turn > 1:
                    continue
                _say(f"round {turn} of {rounds}: {measured}")
                for each in everyone:
                    attempt(measured, each.name, partial(MEASURES[measured], bench, each))
            if starts_on:
                _say(f"round {turn} of {rounds}: starts")
                for subject in subjects:
                    folder = top / f"{subject.name}-{turn}"
                    attempt("start", subject.name, partial(starting.start, subject, upstream.port, folder))
                note(OURS, starting.set_up(starts_on, upstream.port, top / f"set-up-{turn}"))
    medians = {
        name: {key: statistics.median(values) for key, values in figures.items()} for name, figures in collected.items()
    }
    return with_added(medians)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
