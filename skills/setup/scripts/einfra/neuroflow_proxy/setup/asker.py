"""Who answers the questions of set-up: flags (`Wishes`), and for what is left a person or nobody (`Asker`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from ..errors import NeedsTerminal, SettingsError, UpstreamError
from ..wire.hosts import is_this_machine
from .catalog import Choice, recommended
from .connect import Connect
from .integrations import Scope
from .keys import NO_KEY, Key

KEY_FLAGS = "--key-stdin, --key-env NAME or --key-file PATH"

Mode = Literal["custom", "direct"]
"""As `proxy_mode` in the file: through the local proxy, or straight to the provider's own Messages API."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The answers that flags have given already. In `tiers`, an empty id takes a tier's own model away."""

    base_url: str | None = None
    allows_http: bool = False
    key: Key | None = None
    model: str | None = None
    small_model: str | None = None
    tiers: Mapping[str, str] = field(default_factory=dict)
    scope: Scope | None = None
    port: int | None = None
    mode: Mode | None = None
    connect: Connect | None = None
    skips_login: bool | None = None
    shares: bool | None = None
    web_search: str | None = None
    """As the setting, or `off`."""
    auto_mode: str | None = None
    proves: bool = True
    is_dry_run: bool = False


class SideModels(NamedTuple):
    """The models beside the one for the conversation. `tiers`: those that have one of their own."""

    small: str | None
    tiers: Mapping[str, str]


class Way(NamedTuple):
    """How Claude Code gets to know of it, and of what."""

    connect: Connect
    mode: Mode


class Asker(Protocol):
    """Gives the answers that no flag has given."""

    def base_url(self, default: str) -> str:
        """The provider's base URL."""

    def allows_http(self, base_url: str) -> bool:
        """Whether a provider on another machine is to be asked without encryption."""

    def key(self, base_url: str, found: Sequence[Key], refusal: UpstreamError | None) -> Key:
        """A key for the provider, one of those `found` or another. `refusal` is what the provider said to the one
        before, which is not among them any more.
        """

    def model(self, choices: Sequence[Choice], current: str | None) -> str:
        """The id of one of the choices."""

    def model_name(self, base_url: str, current: str | None) -> str:
        """The id of a model, where the provider has no list to choose from."""

    def side_models(self, choices: Sequence[Choice], current: SideModels) -> SideModels:
        """Other models for small work in the background, or for single tiers."""

    def scope(self, default: Scope, paths: Mapping[Scope, Path], obstacles: Mapping[Scope, SettingsError]) -> Scope:
        """Where the settings go. Where there is an obstacle, they cannot."""

    def way(self, settings: Path, direct_url: str, current: Mode) -> Way:
        """How Claude Code is connected. `settings` is the file that it would be written into.

        `direct_url` is the provider's own Messages API; empty if the question does not arise.
        """

    def skips_login(self) -> bool:
        """Whether Claude Code, which was never started here, is to begin without asking for an account."""

    def shares(self, folder: Path) -> bool:
        """Whether what is no secret is to be kept in the folder that the person syncs between machines."""

    def takes_instead(self, verdict: str, other: str) -> bool:
        """Whether another model is to be taken in the place of one that was tried, with that verdict."""


@dataclass(frozen=True, slots=True)
class Unattended:
    """Answers with what is known, and with defaults if it may; a question that is left over is an error.

    Both missing flags are named at once, so that a script learns of them in one run.
    """

    takes_defaults: bool
    has_model: bool

    def base_url(self, default: str) -> str:
        return default

    def allows_http(self, base_url: str) -> bool:
        return False

    def key(self, base_url: str, found: Sequence[Key], refusal: UpstreamError | None) -> Key:
        if found:
            return found[0]
        if refusal:
            raise refusal
        if is_this_machine(base_url):
            return NO_KEY
        hint = f"Give the key with {KEY_FLAGS}."
        if not (self.has_model or self.takes_defaults):
            hint += " Name the model with --model ID, or take the recommended one with --yes."
        raise NeedsTerminal(f"There is no key for {base_url}, and no terminal to ask for it.", hint=hint)

    def model(self, choices: Sequence[Choice], current: str | None) -> str:
        best = recommended(choices)
        if current:
            return current
        if self.takes_defaults and best:
            return best.id
        raise NeedsTerminal(
            "No model was named, and there is no terminal to ask for one.",
            hint="Name it with --model ID" + (f", or take {best.id} with --yes." if best else "."),
        )

    def model_name(self, base_url: str, current: str | None) -> str:
        if current:
            return current
        raise NeedsTerminal(
            f"{base_url} has no list of models to choose from, and no model was named.", hint="Name it with --model ID."
        )

    def side_models(self, choices: Sequence[Choice], current: SideModels) -> SideModels:
        return current

    def scope(self, default: Scope, paths: Mapping[Scope, Path], obstacles: Mapping[Scope, SettingsError]) -> Scope:
        return default

    def way(self, settings: Path, direct_url: str, current: Mode) -> Way:
        return Way(Connect.PRINT, current)

    def skips_login(self) -> bool:
        return self.takes_defaults

    def shares(self, folder: Path) -> bool:
        return False

    def takes_instead(self, verdict: str, other: str) -> bool:
        return False
