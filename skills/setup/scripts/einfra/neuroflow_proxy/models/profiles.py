"""What has to be known of a model to speak to it, as data: one `Profile` for each family, found by model id.

A profile says what a family needs, never what the code does about it. Unknown models get `GENERIC`, which asks for
nothing that some provider might refuse. Limits are defaults: what the provider says at run time (`Learned`) goes first.
How one and the same switch is written differs between providers, which is `providers.py`'s matter; what stands here is
how vLLM and SGLang take it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any


class ToolIds(StrEnum):
    """The form that a family needs its tool call ids to have."""

    AS_THEY_CAME = "as they came"
    KIMI = "functions.NAME:N"
    """The template prints the id and not the name, so the name must stand in it; N counts all calls from 0."""
    MISTRAL = "nine letters or digits"


class Replay(StrEnum):
    """How the reasoning of earlier answers is sent back."""

    NONE = "not sent back"
    REASONING = "reasoning"
    REASONING_CONTENT = "reasoning_content"
    BOTH = "reasoning_content and reasoning"
    """SGLang and LiteLLM read `reasoning_content`; vLLM, since it renamed the field, only `reasoning`."""
    TAGS = "<think> tags in the content"


EFFORTS = ("low", "medium", "high", "xhigh", "max")
"""The client's efforts, least first."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """How a family's reasoning is switched. All mappings are fields of the Chat Completions body.

    A family that never reasons, or of which nothing is known, has neither `on` nor `always`.
    """

    on: Mapping[str, Any] | None = None
    off: Mapping[str, Any] | None = None
    always: bool = False
    """Reasons whatever one does; `least` then asks for as little of it as there is."""
    least: Mapping[str, Any] = field(default_factory=dict)
    by_effort: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What to send in the place of `on` at one of the client's efforts."""
    adaptive_from: str = "low"
    """The least effort at which a client that leaves the decision to the model (`adaptive`) gets reasoning."""


PORTABLE = frozenset(
    {
        *("model", "messages", "tools", "tool_choice", "parallel_tool_calls", "response_format"),
        *("max_tokens", "stop", "temperature", "top_p", "stream", "stream_options"),
    }
)
"""Fields of the body that every Chat Completions provider takes."""
OPEN_SERVER = PORTABLE | {"top_k", "chat_template_kwargs"}
"""What vLLM and SGLang take."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One family of models."""

    family: str
    context_window: int = 131_072
    max_output_tokens: int | None = None
    sees_images: bool | None = None
    """None: not known; tried once, and remembered if it is refused."""
    params: frozenset[str] = PORTABLE
    """The whitelist: no other field ever stands in the body."""
    max_temperature: float = 2.0
    thinking: Thinking = Thinking()
    replay: Replay = Replay.NONE
    reasoning_required: bool = False
    """Refuses an assistant message with tool calls and without reasoning while it is to reason."""
    tool_ids: ToolIds = ToolIds.AS_THEY_CAME
    user_after_tool: bool = True
    """False: no user message may follow a tool result directly."""
    silence_timeout_s: float = 620.0
    """How long it may be silent, before its first byte or between two. e-INFRA's queue alone may take 600 s."""
    opens_in_thought: bool = False
    """The template opens the thought, so that a server without a parser for it sends only `</think>`."""
    needs_directive: bool = True
    """Tends to announce its next step and stop; a directive in the system prompt helps against it."""


def _switch(key: str, *, adaptive_from: str, **always_sent: Any) -> Thinking:
    """A switch in `chat_template_kwargs`; what is always sent stands beside it in both positions."""
    return Thinking(
        on={"chat_template_kwargs": {key: True, **always_sent}},
        off={"chat_template_kwargs": {key: False, **always_sent}},
        adaptive_from=adaptive_from,
    )


ALWAYS = Thinking(always=True)
GENERIC = Profile("generic")

_KIMI = Profile(
    "kimi",
    context_window=262_144,
    sees_images=True,
    params=OPEN_SERVER,
    max_temperature=1.0,
    # K2.6 keeps the reasoning of earlier turns only where it is asked to; K2.5 does not know the word.
    thinking=_switch("thinking", adaptive_from="high", preserve_thinking=True),
    replay=Replay.BOTH,
    reasoning_required=True,
    tool_ids=ToolIds.KIMI,
)
_KIMI_K2 = Profile(
    "kimi-k2",
    context_window=262_144,
    sees_images=False,
    params=OPEN_SERVER,
    max_temperature=1.0,
    tool_ids=ToolIds.KIMI,
)

_DEEPSEEK = Profile(
    "deepseek",
    context_window=163_840,
    sees_images=False,
    params=OPEN_SERVER,
    # Does not reason unless asked to; who wants it always has models with `-thinking` in the name.
    thinking=_switch("thinking", adaptive_from="xhigh"),
    replay=Replay.BOTH,
    reasoning_required=True,
)
_DEEPSEEK_MOST = {"chat_template_kwargs": {"thinking": True, "reasoning_effort": "max"}}
_DEEPSEEK_V4 = replace(
    _DEEPSEEK,
    family="deepseek-v4",
    context_window=1_000_000,
    thinking=replace(
        _switch("thinking", adaptive_from="high"), by_effort={"xhigh": _DEEPSEEK_MOST, "max": _DEEPSEEK_MOST}
    ),
)

_GLM = Profile(
    "glm",
    context_window=110_000,
    sees_images=False,
    params=OPEN_SERVER,
    # Agent runs were measured to take two to four times as long with reasoning: only for those who ask for more of it.
    # `clear_thinking: false` keeps earlier reasoning in the prompt, which is else rewritten with every user turn.
    thinking=_switch("enable_thinking", adaptive_from="xhigh", clear_thinking=False),
    replay=Replay.BOTH,
)

_QWEN = Profile("qwen", context_window=262_144, params=OPEN_SERVER)
_QWEN_CODER = replace(_QWEN, family="qwen-coder", sees_images=False)
_QWEN_3 = replace(_QWEN, family="qwen-3", thinking=_switch("enable_thinking", adaptive_from="high"), replay=Replay.BOTH)

_GPT_OSS = Profile(
    "gpt-oss",
    sees_images=False,
    params=PORTABLE | {"reasoning_effort"},
    thinking=Thinking(
        on={"reasoning_effort": "high"},
        always=True,
        least={"reasoning_effort": "low"},
        by_effort={"low": {"reasoning_effort": "low"}, "medium": {"reasoning_effort": "medium"}},
    ),
    replay=Replay.BOTH,
)

_MISTRAL = Profile("mistral", max_temperature=1.0, tool_ids=ToolIds.MISTRAL, user_after_tool=False)

FAMILIES: tuple[tuple[str, Profile], ...] = (
    (r"kimi-k2(-instruct|-0\d{3}|-turbo|$)", _KIMI_K2),
    (
        r"kimi-k2-thinking",
        replace(_KIMI, family="kimi-k2-thinking", sees_images=False, thinking=ALWAYS, opens_in_thought=True),
    ),
    (r"kimi-k3", replace(_KIMI, family="kimi-k3", opens_in_thought=True)),
    (r"kimi|moonshot", _KIMI),
    (
        r"deepseek-v4.*thinking",
        replace(_DEEPSEEK_V4, family="deepseek-v4-thinking", thinking=ALWAYS, opens_in_thought=True),
    ),
    (r"deepseek-v4", _DEEPSEEK_V4),
    (
        r"deepseek.*(thinking|reasoner|-r1)",
        replace(_DEEPSEEK, family="deepseek-thinking", thinking=ALWAYS, opens_in_thought=True),
    ),
    (r"deepseek", _DEEPSEEK),
    (r"glm-\d(\.\d)?v", replace(_GLM, family="glm-vision", sees_images=True)),
    (r"glm", _GLM),
    (r"qwen3-?coder-30b", replace(_QWEN_CODER, family="qwen-coder-30b", context_window=90_000)),
    (r"qwen[\d.]*-?coder", _QWEN_CODER),
    (
        r"qwen3\.[5-9]|qwen[4-9]",
        replace(
            _QWEN,
            family="qwen-3.5",
            sees_images=True,
            thinking=_switch("enable_thinking", adaptive_from="high", preserve_thinking=True),
            replay=Replay.BOTH,
        ),
    ),
    (r"qwen3.*thinking", replace(_QWEN_3, family="qwen-3-thinking", thinking=ALWAYS, opens_in_thought=True)),
    (r"qwen3", _QWEN_3),
    (r"qwen", _QWEN),
    (r"gpt-oss", _GPT_OSS),
    (
        r"mistral-small-(4|latest|26)",
        replace(
            _MISTRAL,
            family="mistral-small-4",
            context_window=262_144,
            sees_images=True,
            params=PORTABLE | {"reasoning_effort"},
            thinking=Thinking(on={"reasoning_effort": "high"}, off={}, adaptive_from="xhigh"),
        ),
    ),
    (r"(mis|mix|devs|magis|codes|minis|pix)tral", _MISTRAL),
    (
        r"minimax",
        Profile(
            "minimax",
            context_window=196_608,
            params=OPEN_SERVER,
            thinking=ALWAYS,
            replay=Replay.TAGS,
            opens_in_thought=True,
        ),
    ),
    (r"gemma", Profile("gemma", context_window=110_000, sees_images=True, params=OPEN_SERVER)),
    (r"llama-?4", Profile("llama-4", context_window=270_000, sees_images=False, params=OPEN_SERVER)),
)
"""Patterns are tried in this order on the lower-cased model id; the first that is found decides."""

_COMPILED = tuple((re.compile(pattern), profile) for pattern, profile in FAMILIES)


@lru_cache(maxsize=64)
def profile_for(model_id: str) -> Profile:
    """The profile of a model; `GENERIC` if its family is not known. Never fails."""
    lowered = model_id.lower()
    return next((profile for pattern, profile in _COMPILED if pattern.search(lowered)), GENERIC)
