"""What is remembered of one provider and key while the server lives: who may ask now, what was refused, and what each
model has taught us. Nothing of it is written down; a restart begins anew and learns again.

A server lives for weeks, and a refusal is true for less: an alias comes to mean another model, a server is mended. So
lessons are obeyed for an hour. Where they still hold, learning them again costs one refusal that nobody sees.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..models.learned import NOTHING_LEARNED, Learned
from ..translate.history import History
from .admission import DEFAULT_LIMIT, Admission
from .client import Endpoint
from .retry import RefusedBodies


@dataclass(slots=True)
class ProviderMemory:
    """One for each (base URL, key)."""

    endpoint: Endpoint
    admission: Admission
    told_limit: int = DEFAULT_LIMIT
    """How many may run at once, as the provider has told; until it does, as many as e-INFRA allows."""
    refused: RefusedBodies = field(default_factory=RefusedBodies)
    learned: dict[str, Learned] = field(default_factory=dict)
    """By model id: the last lessons, whether or not they are obeyed still."""
    learned_at: dict[str, float] = field(default_factory=dict)
    """By model id, on `clock`."""
    down_until: dict[str, float] = field(default_factory=dict)
    """By model id, on `clock`."""
    clock: Callable[[], float] = time.monotonic
    token_factors: dict[str, float] = field(default_factory=dict)
    """By model id: how many of the provider's tokens one of our estimate's is."""
    history: History = field(default_factory=History)

    def allow(self, chosen: int | None) -> None:
        """Let so many run at once as the user has chosen, or else as the provider tells. Not for other threads."""
        self.admission.limit = self.told_limit if chosen is None else chosen

    def learned_of(self, model: str) -> Learned:
        """What is to be obeyed now."""
        learned = self.learned.get(model, NOTHING_LEARNED)
        if learned is NOTHING_LEARNED or self.clock() - self.learned_at[model] >= _LEARNED_FOR_S:
            return NOTHING_LEARNED
        return learned

    def learn(self, model: str, lesson: Learned) -> None:
        """Obey `lesson`, which holds what was to be obeyed before as well."""
        self.learned[model], self.learned_at[model] = lesson, self.clock()

    def token_factor_of(self, model: str) -> float:
        return self.token_factors.get(model, 1.0)

    def note_down(self, model: str) -> None:
        """The model could not be asked just now."""
        self.down_until[model] = self.clock() + _DOWN_FOR_S

    def first_up(self, models: Sequence[str]) -> str:
        """The first model that is not known to be down; the first of all if they all are."""
        if not self.down_until:
            return models[0]
        now = self.clock()
        return next((model for model in models if self.down_until.get(model, 0.0) <= now), models[0])

    def calibrate(self, model: str, *, estimated: int, counted: int) -> None:
        """Learn from a real count how far the estimate was off; single answers move the factor only half-way."""
        if estimated < _LEAST_FOR_CALIBRATION or counted <= 0:
            return
        exact = self.token_factor_of(model) * counted / estimated
        bounded = min(max(exact, _FACTOR_RANGE[0]), _FACTOR_RANGE[1])
        before = self.token_factors.get(model)
        self.token_factors[model] = bounded if before is None else (before + bounded) / 2


_LEAST_FOR_CALIBRATION = 500  # in a short prompt the template's own tokens weigh more than the text
_DOWN_FOR_S = 30.0  # then it is asked first again
_LEARNED_FOR_S = 3600.0  # then what was refused is tried again
_FACTOR_RANGE = (0.4, 2.5)
