"""The figures as a table for people, and as ratios to hold later runs against."""

from collections.abc import Mapping
from dataclasses import dataclass

Results = dict[str, dict[str, float]]
"""Subject to figure to value."""

DIRECT = "upstream"
OURS = "ours"


@dataclass(frozen=True)
class Goal:
    """The worst figure that is good enough: in the row's unit, or as so many times the floor's."""

    limit: float
    is_ratio: bool = False


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    key: str
    title: str
    unit: str
    more_is_better: bool = False
    goal: Goal | None = None

    def is_met(self, ours: float | None, ratio: float | None) -> bool | None:
        """Whether the goal is reached, by our figure and its ratio to the floor's; None if there is nothing to tell."""
        reached = ratio if self.goal and self.goal.is_ratio else ours
        if self.goal is None or reached is None:
            return None
        return reached >= self.goal.limit if self.more_is_better else reached <= self.goal.limit

    def told(self, value: float) -> str:
        """A figure with its unit."""
        return f"{_short(value)} {self.unit}".strip()


ROWS = (
    Row("cpu_chunk_32", "CPU per chunk, 32 streams saturated", "µs", goal=Goal(2, is_ratio=True)),
    Row("rate_1", "chunks/s, 1 stream", "", True),
    Row("rate_8", "chunks/s, 8 streams", "", True),
    Row("rate_32", "chunks/s, 32 streams", "", True, Goal(100_000)),
    Row("rate_128", "chunks/s, 128 streams", "", True),
    Row("cpu_chunk_paced", "CPU per chunk, 16 streams at 100/s", "µs", goal=Goal(1.5, is_ratio=True)),
    Row("added_p50", "added latency per chunk, 16 streams at 100/s, p50", "ms", goal=Goal(2, is_ratio=True)),
    Row("added_p99", "added latency per chunk, 16 streams at 100/s, p99", "ms", goal=Goal(2, is_ratio=True)),
    Row("added_first_2kB", "added time to first text, 2 kB body", "ms", goal=Goal(1)),
    Row("added_first_100kB", "added time to first text, 100 kB body", "ms", goal=Goal(1.5, is_ratio=True)),
    Row("added_first_1MB", "added time to first text, 1 MB body", "ms", goal=Goal(4, is_ratio=True)),
    Row("cpu_request_100kB", "CPU per request, 100 kB body", "ms"),
    Row("cpu_request_1MB", "CPU per request, 1 MB body", "ms"),
    Row("cpu_request_8", "CPU per small request, 8 at once", "ms", goal=Goal(0.4)),
    Row("requests_32", "small requests/s, 32 at once", "", True, Goal(2_500)),
    # Below 1 is what costs the same for every answer or request; a tenth is left for noise.
    Row("growth_answer", "CPU per chunk, in an answer of 50,000 / of 1,000", "", goal=Goal(1.1)),
    Row("growth_conversation", "CPU per byte of a request, turn 200 / turn 20", "", goal=Goal(1.1)),
    Row("memory_idle", "memory idle", "MB", goal=Goal(60)),
    Row("memory_32", "memory with 32 streams", "MB"),
    Row("memory_128", "memory with 128 streams", "MB"),
    Row("memory_stream", "more memory per open stream", "kB", goal=Goal(150)),
    Row("start", "start to first answer", "s", goal=Goal(0.5)),
    Row("cpu_start", "CPU from start to first answer", "s"),
    *(Row(f"verb_{verb}", f"configure.py {verb}", "s") for verb in ("help", "status", "setup", "stop")),
)

# The figures that, as ratios to the upstream reached directly, hold on a busy machine as well.
RECORDED = ("rate_32", "cpu_chunk_32", "cpu_chunk_paced", "cpu_request_8", "requests_32", "cpu_request_1MB")


def with_added(results: Results) -> Results:
    """The same with what each subject adds to the upstream reached directly."""
    direct = results[DIRECT]
    for figures in results.values():
        for added, measured in (
            *((f"added_{p}", f"age_{p}") for p in ("p50", "p99")),
            *((f"added_first_{size}", f"first_text_{size}") for size in ("2kB", "100kB", "1MB")),
        ):
            if measured in figures:
                figures[added] = figures[measured] - direct[measured]
    return results


def text(results: Results, floor: str) -> str:
    """A Markdown table: a column for each subject, ours as a ratio to the floor, and the goal."""
    names = list(results)
    lines = [["measure", *names, f"ours / {floor}", "goal for ours", "met"], ["---"] * (len(names) + 4)]
    for row in ROWS:
        values = [results[name].get(row.key) for name in names]
        if all(value is None for value in values):
            continue
        ours = results[OURS].get(row.key)
        ratio = _ratio(ours, results.get(floor, {}).get(row.key))
        cells = ["" if value is None else row.told(value) for value in values]
        met = {None: "", True: "yes", False: "no"}[row.is_met(ours, ratio)]
        lines.append([row.title, *cells, "" if ratio is None else f"{ratio:.2f}", _goal(row, floor), met])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def record(results: Results) -> dict[str, float]:
    """Ours as ratios to the upstream reached directly; the more, the worse."""
    return {key: round(_cost(results, key), 3) for key in RECORDED}


def worse(results: Results, recorded: Mapping[str, float]) -> list[str]:
    """A line for each ratio that is more than twice the recorded one."""
    found = []
    for key, before in recorded.items():
        now = _cost(results, key)
        print(f"{key}: {now:.2f} times the upstream's own; recorded {before:.2f}")
        if now > 2 * before:
            found.append(f"{key} is {now:.2f} times the upstream's own; it was {before:.2f}")
    return found


def _cost(results: Results, key: str) -> float:
    ours, direct = results[OURS][key], results[DIRECT][key]
    return direct / ours if next((row.more_is_better for row in ROWS if row.key == key), False) else ours / direct


def _goal(row: Row, floor: str) -> str:
    if row.goal is None:
        return ""
    limit = f"{row.goal.limit:g} × {floor}" if row.goal.is_ratio else row.told(row.goal.limit)
    return f"{'≥' if row.more_is_better else '≤'} {limit}"


def _ratio(ours: float | None, floor: float | None) -> float | None:
    """None where there is none: what the floor adds may be lost in the noise, and come out as less than nothing."""
    return ours / floor if ours is not None and floor is not None and floor > 0 else None


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
