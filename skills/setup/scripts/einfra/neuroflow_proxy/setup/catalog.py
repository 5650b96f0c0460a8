"""Which of a provider's live models to offer, and in which order. Pure: names in, names out.

The live list is the truth; what is written here only orders it, and says what is known of some names.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..models.kinds import base_name, is_chat_model
from ..models.profiles import GENERIC, Profile, profile_for
from ..models.providers import adapted
from ..settings import DEFAULT_MODEL
from .service_status import Load

# Families in the order in which they are worth trying for work with tools, as those of e-INFRA CZ were tried.
_FAMILIES = ("kimi", "qwen", "deepseek", "glm", "gpt-oss", "mistral", "minimax")
_PREFERRED = (DEFAULT_MODEL, "qwen3.5-122b", "deepseek-v3.2", "qwen3-coder-next", "glm-5.2", "qwen3-coder-30b")

# The operator points these at another model without notice; `kimi` and the like follow the newest of their family.
_GENERIC_ALIASES = frozenset({"mini", "coder", "agentic", "thinker"})
_WEAK_TOOLS = re.compile(r"gemma|llama-4-scout")

# Ids come from a server and end up in lines that people paste into their shells.
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+~-]{0,199}")


@dataclass(frozen=True, slots=True)
class Choice:
    """A model to offer. `note` says what somebody who chooses should know, or nothing; `mark` does in a word or two."""

    id: str
    note: str
    mark: str
    profile: Profile
    window: int | None = None
    """How many tokens it takes; None: not known."""
    is_recommended: bool = False
    load: Load | None = None


def offer(
    ids: Iterable[str],
    loads: Mapping[str, Load] = MappingProxyType({}),
    *,
    base_url: str = "",
    windows: Mapping[str, int] = MappingProxyType({}),
) -> list[Choice]:
    """The chat models among `ids`, best first for work with tools; the first is recommended if it is known at all.

    `loads` is by id in lower case; a model that is down comes after all that are not. `base_url` is the provider's,
    which may cut windows; `windows` are those that it tells itself, by id.
    """

    def is_down(model: str) -> bool:
        load = loads.get(model.lower())
        return load is not None and not load.is_up

    chat = {i for i in ids if _PLAIN_ID.fullmatch(i) and is_chat_model(i)}
    ordered = sorted(chat, key=lambda model: (is_down(model), *_order(model)))
    lack = "is down" if any(base_name(model) == DEFAULT_MODEL for model in chat) else "is not on offer"
    choices = []
    for position, model in enumerate(ordered):
        is_first = position == 0 and not is_down(model)
        is_recommended = is_first and (_is_known(model) or len(chat) == 1)
        note = "" if is_down(model) else _note(model, is_first=is_first, lack=lack)
        mark = "recommended" if is_recommended else _mark(model)
        told = windows.get(model)
        profile = adapted(profile_for(model), base_url, window=told)
        window = told if profile.family == GENERIC.family else profile.context_window
        choices.append(Choice(model, note, mark, profile, window, is_recommended, loads.get(model.lower())))
    return choices


def is_up(choice: Choice) -> bool:
    """Whether it answers now, as far as anybody knows."""
    return choice.load is None or choice.load.is_up


def is_stand_in(choice: Choice) -> bool:
    """Whether it is recommended only because the model that usually is cannot be had."""
    return choice.is_recommended and base_name(choice.id) != DEFAULT_MODEL


def recommended(choices: Iterable[Choice]) -> Choice | None:
    """The one to take if nobody is asked; None where choosing would be guessing."""
    return next((choice for choice in choices if choice.is_recommended), None)


def _family(model: str) -> str:
    base = base_name(model)
    return next((family for family in _FAMILIES if base.startswith(family)), "")


def _version(model: str) -> float | None:
    number = re.search(r"\d+(\.\d+)?", base_name(model).removeprefix(_family(model)))
    return float(number[0]) if number else None


def _is_alias(model: str) -> bool:
    base = base_name(model)
    return base in _GENERIC_ALIASES or (base == _family(model) and _version(model) is None)


def _is_known(model: str) -> bool:
    return bool(_family(model)) and not _WEAK_TOOLS.search(base_name(model))


def _order(model: str) -> tuple[float | str, ...]:
    """What sorts first is the better choice."""
    base, family, version = base_name(model), _family(model), _version(model)
    if base in _GENERIC_ALIASES:
        return 5, base, model
    if _WEAK_TOOLS.search(base):
        return 6, base, model
    if base == DEFAULT_MODEL:
        return 0, 0.0, model
    if family == _family(DEFAULT_MODEL):
        # The next best of the recommended model's family is the one nearest to it, the newer of two; an alias last.
        wanted = _version(DEFAULT_MODEL) or 0.0
        return (1, abs(version - wanted), -version, model) if version is not None else (2, 0.0, model)
    if base in _PREFERRED:
        return 3, 0.0, float(_PREFERRED.index(base)), model
    if family:
        return 3, 1.0, float(_FAMILIES.index(family)), -(version or 0.0), model
    return 4, base, model


def _note(model: str, *, is_first: bool, lack: str) -> str:
    base = base_name(model)
    if base in _GENERIC_ALIASES:
        return "an alias, pointed at another model without notice"
    if _is_alias(model):
        return "an alias that follows the newest of its family"
    if _WEAK_TOOLS.search(base):
        return "its tool calls are unreliable"
    if base == DEFAULT_MODEL:
        return "recommended: the most reliable with tools"
    if is_first and _family(model) == _family(DEFAULT_MODEL):
        return f"recommended: the nearest to {DEFAULT_MODEL}, which {lack}"
    if is_first and _is_known(model):
        return f"recommended: {DEFAULT_MODEL} {lack}"
    return ""


def _mark(model: str) -> str:
    return "alias" if _is_alias(model) else "weak with tools" if _WEAK_TOOLS.search(base_name(model)) else ""
