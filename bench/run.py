"""A run: everything started, everything measured in turns, the medians."""

import asyncio
import contextlib
import os
import platform
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import uvloop

from . import starting
from .measures import MEASURES, Bench, Figures, warm_up
from .subjects import OURS, UPSTREAM, Subject, running
from .table import Results, with_added


def measure(
    subjects: Sequence[Subject], names: Sequence[str], *, rounds: int, seconds: float, with_starts: bool
) -> Results:
    """All figures of all subjects: the median over rounds in which each is measured in turn."""
    collected: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def note(name: str, figures: Figures) -> None:
        for key, value in figures.items():
            collected[name][key].append(value)

    with contextlib.ExitStack() as stack:
        ask = stack.enter_context(_runner()).run
        top = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        upstream = stack.enter_context(running(UPSTREAM, 0, top / "upstream"))
        bench = Bench(upstream.port, seconds)
        everyone = [upstream]
        everyone += [stack.enter_context(running(each, upstream.port, top / each.name)) for each in subjects]
        for each in everyone:
            ask(warm_up(bench, each))
        for turn in range(1, rounds + 1):
            for name in names:
                _say(f"round {turn} of {rounds}: {name}")
                for each in everyone:
                    note(each.name, ask(MEASURES[name](bench, each)))
            if with_starts:
                _say(f"round {turn} of {rounds}: starts")
                for subject in subjects:
                    folder = top / f"{subject.name}-{turn}"
                    note(subject.name, ask(starting.start(subject, upstream.port, folder)))
                note(OURS.name, starting.set_up(upstream.port, top / f"set-up-{turn}"))
    medians = {
        name: {key: statistics.median(values) for key, values in figures.items()} for name, figures in collected.items()
    }
    return with_added(medians)


def machine() -> dict[str, str]:
    """On what it was measured."""
    libraries = ("uvicorn", "httpx", "uvloop", "httptools", "msgspec")
    return {
        "system": platform.platform(),
        "processors": str(os.cpu_count()),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in libraries},
    }


def _runner() -> asyncio.Runner:
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
