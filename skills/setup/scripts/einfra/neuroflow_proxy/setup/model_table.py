"""The models as a table that one can read at a glance, on terminals of any width. Pure."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..models.profiles import GENERIC
from ..wire.messages_api import JSON
from .catalog import Choice, is_up


class Table(NamedTuple):
    """The names of the columns, and one line for each choice."""

    head: str
    rows: list[str]


class _Column(NamedTuple):
    """What stands in one column. On narrow terminals those with the highest `rank` are left out first."""

    name: str
    rank: int
    cell: Callable[[Choice], str]


_GAP = "  "


def table(choices: Sequence[Choice], current: str | None, *, width: int | None = None) -> Table:
    """All of the choices, in no more letters than `width`, as far as names and marks leave that possible."""

    def mark(choice: Choice) -> str:
        return "in use" if choice.id == current else choice.mark

    columns = [
        _Column("model", 0, lambda choice: choice.id),
        _Column("tok/s", 1, _speed),
        _Column("run", 3, lambda choice: _count(choice.load.running if choice.load else None)),
        _Column("wait", 2, lambda choice: _count(choice.load.waiting if choice.load else None)),
        _Column("window", 4, _window),
        _Column("thinks", 6, lambda choice: "yes" if _thinks(choice) else ""),
        _Column("sees", 5, lambda choice: "yes" if choice.profile.sees_images else ""),
        _Column("", 0, mark),
    ]
    filled = [(column, [column.cell(choice) for choice in choices]) for column in columns]
    filled = [(column, cells) for column, cells in filled if any(cells)]
    while width is not None and _width(filled) > width and any(column.rank for column, _ in filled):
        filled.remove(max(filled, key=lambda pair: pair[0].rank))
    widths = [_widest(column, cells) for column, cells in filled]
    return Table(
        _line([column.name for column, _ in filled], widths),
        [_line(line, widths) for line in zip(*(cells for _, cells in filled), strict=True)],
    )


def facts(choice: Choice) -> JSON:
    """What the table says of a model, for programs; null where nothing is known."""
    load, is_known = choice.load, _is_known(choice)
    return {
        "context_window": choice.window,
        "sees_images": choice.profile.sees_images,
        "reasons": _thinks(choice) if is_known else None,
        "up": load.is_up if load else None,
        "running": load.running if load else None,
        "waiting": load.waiting if load else None,
        "tokens_per_s": load.tokens_per_s if load else None,
    }


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _widest(column: _Column, cells: Sequence[str]) -> int:
    return max(len(cell) for cell in (column.name, *cells))


def _width(filled: Sequence[tuple[_Column, Sequence[str]]]) -> int:
    return sum(_widest(column, cells) for column, cells in filled) + len(_GAP) * (len(filled) - 1)


def _speed(choice: Choice) -> str:
    if not is_up(choice):
        return "down"
    return f"{choice.load.tokens_per_s:.0f}" if choice.load and choice.load.tokens_per_s else ""


def _count(number: int | None) -> str:
    return "" if number is None else str(number)


def _window(choice: Choice) -> str:
    return f"{choice.window // 1000}k" if choice.window else ""


def _thinks(choice: Choice) -> bool:
    return bool(choice.profile.thinking.on or choice.profile.thinking.always)


def _is_known(choice: Choice) -> bool:
    return choice.profile.family != GENERIC.family
