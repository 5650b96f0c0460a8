"""The environment variables that connect Claude Code to the proxy, or to a provider's own API, each with its reason.

What each variable does was seen with Claude Code 2.1.330. One that does nothing there, or whose good is doubtful, is
not set: a researcher pastes these lines into a shell and should be able to read them all.
"""

import shutil
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from ..errors import InstanceError
from ..models.profiles import profile_for
from ..models.providers import adapted
from ..presets import messages_url, preset_of
from ..settings import TIERS, CustomLlm
from ..wire.hosts import is_this_machine
from .place import Place
from .ports import LOOPBACK

# Claude Code must have some token, and a proxy without one of its own takes any.
ANY_TOKEN = "any"  # noqa: S105
_SMALL_TIER = "haiku"
OTHER_CLOUDS = tuple(
    f"CLAUDE_CODE_USE_{name}"
    for name in ("BEDROCK", "VERTEX", "FOUNDRY", "MANTLE", "ANTHROPIC_AWS", "ANTHROPIC_GOOGLE_CLOUD")
)
"""Switches of Claude Code that lead around any base URL."""
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
BASE_URL, TOKEN = "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"
"""Without these no request arrives."""


class Variable(NamedTuple):
    """One variable; an empty value means that it must be empty, not that it does not matter.

    `is_key` marks the provider's API key, which is never printed.
    """

    name: str
    value: str
    why: str
    is_key: bool = False


_NO_ANTHROPIC_KEY = Variable("ANTHROPIC_API_KEY", "", "else a key for Anthropic would be sent along, or asked about")


class Connection(NamedTuple):
    """All that Claude Code has to know.

    `tiers` are models for single ones of `settings.TIERS`. With `direct_url` the provider's own Messages API is asked,
    `token` is its key, and no proxy stands in between.
    """

    port: int
    token: str
    provider: str
    model: str
    small_model: str
    context_window: int
    max_output_tokens: int | None
    tiers: Mapping[str, str] = MappingProxyType({})
    direct_url: str = ""
    judges_locally: bool = False
    """Claude Code judges actions in auto mode itself, with a model that it asks."""

    @property
    def url(self) -> str:
        return self.direct_url or f"http://{LOOPBACK}:{self.port}"

    def model_of(self, tier: str) -> str:
        """The model that stands for one of `settings.TIERS`."""
        return self.tiers.get(tier) or (self.small_model if tier == _SMALL_TIER else self.model)


def connection_for(section: CustomLlm) -> Connection:
    """The connection that a section of the integrations file asks for."""
    told = section.context_windows.get(section.model)
    profile = adapted(profile_for(section.model), section.base_url, window=told)
    is_direct = section.proxy_mode == "direct"
    return Connection(
        port=section.proxy_port,
        token=(section.api_key if is_direct else section.proxy_token) or ANY_TOKEN,
        provider=preset.title if (preset := preset_of(section.base_url)) else section.provider,
        model=section.model,
        small_model=section.small_model or section.model,
        context_window=profile.context_window,
        max_output_tokens=profile.max_output_tokens,
        tiers=section.tiers,
        direct_url=messages_url(section.base_url) if is_direct else "",
        judges_locally=section.auto_mode == "local" and not is_direct,
    )


def variables(connection: Connection, env: Mapping[str, str]) -> list[Variable]:
    """What to set. `env` is the environment that Claude Code will run in: a proxy there must leave loopback alone."""
    return [
        *(_of_provider(connection) if connection.direct_url else _of_proxy(connection)),
        *_of_models(connection),
        Variable(
            "CLAUDE_CODE_ATTRIBUTION_HEADER", "0", "a line that changes with every request and so defeats prefix caches"
        ),
        *_of_auto_mode(connection),
        *(Variable(name, "", "else another cloud would be asked") for name in OTHER_CLOUDS if is_on(env.get(name))),
        *_of_loopback(connection, env),
    ]


def _of_provider(connection: Connection) -> Iterator[Variable]:
    """The variables that lead to the provider's own Messages API."""
    yield Variable(BASE_URL, connection.url, "requests go to the provider itself")
    yield Variable(TOKEN, connection.token, "the provider's API key", is_key=True)
    yield _NO_ANTHROPIC_KEY
    yield Variable("CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS", "1", "fields that only Anthropic itself knows stay out")


def _of_proxy(connection: Connection) -> Iterator[Variable]:
    """The variables that lead to the proxy."""
    yield Variable(BASE_URL, connection.url, "requests go to the local proxy")
    yield Variable(TOKEN, connection.token, "the proxy's own token, good on this machine only")
    yield _NO_ANTHROPIC_KEY
    # Measured in docs/claude-code-features.md: each tool that is loaded late costs more than declaring all.
    yield Variable(
        "ENABLE_TOOL_SEARCH",
        "auto",
        "tools that come late defeat prefix caches, and are worth it only where there are many",
    )
    yield Variable("CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY", "1", "/model lists the provider's live models")


def _of_models(connection: Connection) -> Iterator[Variable]:
    """The variables that say which model stands for which name, and how much the main one takes."""
    # With tiers alone the session starts on `<model>[1m]` and believes in a window of a million tokens.
    yield Variable("ANTHROPIC_MODEL", connection.model, "the model to begin with")
    for tier in TIERS:
        model = connection.model_of(tier)
        name = f"ANTHROPIC_DEFAULT_{tier.upper()}_MODEL"
        yield Variable(name, model, f"what /model and subagents get for {tier}")
        yield Variable(f"{name}_NAME", f"{model} ({connection.provider})", "how /model shows it")
    # Without CLAUDE_CODE_DISABLE_1M_CONTEXT beside it: a model that is named without `[1m]` needs none, and 2.1.330
    # then warns of a limit of 200K that it does not enforce.
    yield Variable(
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS",
        str(connection.context_window),
        "the model's window; of a name that it does not know Claude Code believes 1000000, and compacts too late",
    )
    if connection.max_output_tokens:
        yield Variable("CLAUDE_CODE_MAX_OUTPUT_TOKENS", str(connection.max_output_tokens), "the model's longest answer")


def _of_auto_mode(connection: Connection) -> Iterator[Variable]:
    """The variables with which Claude Code judges actions itself, with the small model."""
    if connection.judges_locally:
        yield Variable("CLAUDE_CODE_AUTO_MODE_SERVER", "0", "in auto mode Claude Code asks a model about each action")
        yield Variable("CLAUDE_CODE_AUTO_MODE_MODEL", connection.small_model, "that model")


def _of_loopback(connection: Connection, env: Mapping[str, str]) -> Iterator[Variable]:
    """What keeps an institution's HTTP proxy out of the way: Claude Code uses it even for 127.0.0.1."""
    goes_out = any(urlsplit(env.get(name) or env.get(name.lower(), "")).netloc for name in PROXY_VARIABLES)
    if goes_out and is_this_machine(connection.url):
        rest = env.get("NO_PROXY") or env.get("no_proxy", "")
        hosts = [host for host in rest.split(",") if host and host not in (LOOPBACK, "localhost")]
        yield Variable(
            "NO_PROXY", ",".join([LOOPBACK, "localhost", *hosts]), "the way to this machine needs no HTTP proxy"
        )


def variables_for(section: CustomLlm, place: Place) -> list[Variable]:
    """What to set for a section of the integrations file, for a Claude Code that is started here."""
    return variables(connection_for(section), place.env)


def is_on(switch: str | None) -> bool:
    """Whether Claude Code takes a switch in the environment for one that is on."""
    return switch not in (None, "", "0", "false")


def find_claude(place: Place) -> str:
    """The installed Claude Code. Raises `InstanceError`."""
    # Where its installers put it without telling the PATH of shells that run already.
    own = [place.home / ".local" / "bin", place.home / ".claude" / "local"]
    for path in (place.env.get("PATH"), *map(str, own)):
        found = shutil.which("claude", path=path)
        if found:
            return found
    raise InstanceError("Claude Code is not installed.", hint="Install it: npm install -g @anthropic-ai/claude-code")
