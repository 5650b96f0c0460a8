"""The figures as a table for people, and as ratios to hold later runs against."""

from collections.abc import Mapping
from dataclasses import dataclass

Results = dict[str, dict[str, float]]
"""Subject to figure to value."""

DIRECT = "upstream"
OURS = "ours"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    key: str
    title: str
    unit: str
    more_is_better: bool = False


ROWS = (
    Row("cpu_chunk_32", "CPU per chunk, 32 streams saturated", "µs"),
    *(Row(f"rate_{count}", f"chunks/s, {count} streams", "", True) for count in (1, 8, 32, 128)),
    Row("cpu_chunk_paced", "CPU per chunk, 16 streams at 100/s", "µs"),
    Row("added_p50", "added latency per chunk, paced, p50", "ms"),
    Row("added_p99", "the same, p99", "ms"),
    *(Row(f"added_first_{size}", f"added time to first text, {size} body", "ms") for size in ("2kB", "100kB", "1MB")),
    *(Row(f"cpu_request_{size}", f"CPU per request, {size} body", "ms") for size in ("100kB", "1MB")),
    Row("cpu_request_8", "CPU per small request, 8 at once", "ms"),
    Row("requests_32", "small requests/s, 32 at once", "", True),
    Row("memory_idle", "memory idle", "MB"),
    Row("memory_128", "memory with 128 streams", "MB"),
    Row("memory_stream", "more memory per open stream", "kB"),
    Row("start", "start to first answer", "s"),
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
    """A Markdown table: a column for each subject, and ours as a ratio to the floor."""
    names = list(results)
    lines = [["measure", *names, f"ours / {floor}"], ["---"] * (len(names) + 2)]
    for row in ROWS:
        values = [results[name].get(row.key) for name in names]
        if all(value is None for value in values):
            continue
        ratio = _ratio(results[OURS].get(row.key), results[floor].get(row.key))
        cells = ["" if value is None else f"{_short(value)} {row.unit}".strip() for value in values]
        lines.append([row.title, *cells, "" if ratio is None else f"{ratio:.2f}"])
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


def _ratio(ours: float | None, floor: float | None) -> float | None:
    return ours / floor if ours is not None and floor else None


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
