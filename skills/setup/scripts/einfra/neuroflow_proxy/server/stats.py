"""What has been served since the start, by model: numbers only, in memory only."""

import statistics
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..fragments import Usage
from ..wire.messages_api import JSON

_SAMPLES = 200  # the newest; a median of these is what a person would call "now"


class Served(NamedTuple):
    """One request that has ended. Times are in seconds; `first_byte_s` is None if the provider never spoke."""

    outcome: str
    """`ok`, `client_gone`, or the kind of the error."""
    is_turn: bool
    """It was the user's own turn, and no small request beside it."""
    usage: Usage | None
    attempts: int
    waited_s: float
    first_byte_s: float | None
    total_s: float
    mended: Mapping[str, int]


@dataclass(slots=True)
class _Model:
    outcomes: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    longest_prompt_tokens: int = 0
    retries: int = 0
    waited_s: float = 0.0
    first_byte_s: deque[float] = field(default_factory=lambda: deque(maxlen=_SAMPLES))
    tokens_per_s: deque[float] = field(default_factory=lambda: deque(maxlen=_SAMPLES))

    def add(self, served: Served) -> None:
        self.outcomes[served.outcome] += 1
        if served.mended:
            self.mended.update(served.mended)
        self.retries += max(served.attempts - 1, 0)
        self.waited_s += served.waited_s
        if served.first_byte_s is not None:
            self.first_byte_s.append(served.first_byte_s)
        if served.usage is None:
            return
        self.input_tokens += served.usage.input_tokens
        self.cached_tokens += served.usage.cache_read_input_tokens
        self.output_tokens += served.usage.output_tokens
        prompt_tokens = served.usage.input_tokens + served.usage.cache_read_input_tokens
        self.longest_prompt_tokens = max(self.longest_prompt_tokens, prompt_tokens)
        if served.first_byte_s is not None and served.total_s > served.first_byte_s:
            self.tokens_per_s.append(served.usage.output_tokens / (served.total_s - served.first_byte_s))

    def as_json(self) -> JSON:
        return {
            "requests": self.outcomes.total(),
            "outcomes": dict(self.outcomes),
            "input_tokens": self.input_tokens,
            "cached_tokens": self.cached_tokens,
            "output_tokens": self.output_tokens,
            "longest_prompt_tokens": self.longest_prompt_tokens,
            "retries": self.retries,
            "waited_s": round(self.waited_s, 3),
            "median_first_byte_s": _median(self.first_byte_s),
            "median_tokens_per_s": _median(self.tokens_per_s),
            "mended": dict(self.mended),
        }


class Stats:
    """Counts what was served."""

    def __init__(self) -> None:
        self._models: defaultdict[str, _Model] = defaultdict(_Model)
        self.last_turn: JSON | None = None
        """Which model the user's last turn came to, and its outcome."""

    def record(self, model: str, served: Served) -> None:
        self._models[model].add(served)
        if served.is_turn:
            self.last_turn = {"model": model, "outcome": served.outcome}

    def as_json(self) -> JSON:
        """By model id."""
        return {model: counted.as_json() for model, counted in self._models.items()}


def _median(samples: deque[float]) -> float | None:
    return round(statistics.median(samples), 3) if samples else None
