"""Providers that take a family's switches in another form than vLLM and SGLang do, as data, found by host name.

Any other provider is taken for one with vLLM or SGLang behind it, maybe behind a gateway. So is e-INFRA CZ, which only
cuts some windows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .profiles import PORTABLE, Profile, Replay


@dataclass(frozen=True, slots=True)
class Provider:
    """How one hosted API differs. `on` and `off` take the place of a family's switch; None: there is none there."""

    params: frozenset[str] | None = None
    """The whitelist in place of the family's; None: the switches too are the family's own."""
    on: Mapping[str, Any] | None = None
    off: Mapping[str, Any] | None = None
    replay: Replay = Replay.NONE
    windows: Mapping[str, int] = field(default_factory=dict)
    """By family: the context window where it is smaller than the family's."""


def _thinking_type(**more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"thinking": {"type": "enabled", **more}}, {"thinking": {"type": "disabled", **more}}


_ON, _OFF = _thinking_type()
_KEEP_ON, _KEEP_OFF = _thinking_type(clear_thinking=False)
_OWN_API = Provider(PORTABLE | {"thinking"}, _ON, _OFF, Replay.REASONING_CONTENT)
_ZAI = Provider(PORTABLE | {"thinking"}, _KEEP_ON, _KEEP_OFF, Replay.REASONING_CONTENT)

PROVIDERS: tuple[tuple[str, Provider], ...] = (
    # Seen there: Kimi's prefill is cut, and of Qwen's window some 230k can be used.
    (
        "llm.ai.e-infra.cz",
        Provider(windows={"kimi": 131_072, "kimi-k2": 131_072, "kimi-k3": 131_072, "qwen-3.5": 230_000}),
    ),
    ("api.deepseek.com", _OWN_API),
    ("api.moonshot.ai", _OWN_API),
    ("api.moonshot.cn", _OWN_API),
    ("api.z.ai", _ZAI),
    ("open.bigmodel.cn", _ZAI),
    (
        "openrouter.ai",
        Provider(
            PORTABLE | {"top_k", "reasoning"},
            {"reasoning": {"enabled": True}},
            {"reasoning": {"enabled": False}},
            Replay.REASONING,
        ),
    ),
    (
        "aliyuncs.com",
        Provider(
            PORTABLE | {"top_k", "enable_thinking", "preserve_thinking"},
            {"enable_thinking": True, "preserve_thinking": True},
            {"enable_thinking": False},
            Replay.REASONING_CONTENT,
        ),
    ),
    ("api.groq.com", Provider(PORTABLE | {"reasoning_effort"})),
    ("api.mistral.ai", Provider(PORTABLE | {"reasoning_effort"})),
    ("api.openai.com", Provider((PORTABLE - {"max_tokens"}) | {"max_completion_tokens"})),
)
"""The host itself or any host below it."""


def adapted(profile: Profile, base_url: str, *, window: int | None = None) -> Profile:
    """The profile as the provider at `base_url` wants it; the very same one where nothing of that is known.

    `window` is the context window as the provider has told it. Where it was seen to take less, that counts.
    """
    host = base_url.partition("://")[2].partition("/")[0].partition(":")[0].lower()
    provider = next((found for name, found in PROVIDERS if host == name or host.endswith(f".{name}")), None)
    seen = provider.windows.get(profile.family) if provider else None
    if windows := [tokens for tokens in (window, seen) if tokens]:
        profile = replace(profile, context_window=min(windows))
    if provider is None or provider.params is None:
        return profile
    thinking = profile.thinking
    if "chat_template_kwargs" in (thinking.on or {}):
        thinking = replace(thinking, on=provider.on, off=provider.off, by_effort={})
    return replace(
        profile,
        params=provider.params,
        thinking=thinking,
        replay=Replay.NONE if profile.replay is Replay.NONE else provider.replay,
    )
