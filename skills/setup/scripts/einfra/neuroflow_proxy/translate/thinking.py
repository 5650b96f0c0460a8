"""Reasoning: whether this request gets it, and the fields that say so to the provider."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..models.profiles import EFFORTS, Profile
from .fields import a_string, optional_integer, optional_object
from .request_kind import RequestKind

SMALL_LIMIT = 1_024
"""An answer of at most so many tokens leaves no room for reasoning before it."""
DEFAULT_EFFORT = "high"
"""The Messages API's own."""


class ThinkingPlan(NamedTuple):
    """What was decided for one request."""

    is_on: bool
    """True if the model is going to reason in its answer, as far as we know."""
    is_on_in_conversation: bool
    """True if it does so in the other turns of the conversation, to which a compaction, say, is an exception."""
    fields: Mapping[str, Any]
    """For the Chat Completions body."""


def plan_thinking(body: dict[str, Any], *, profile: Profile, kind: RequestKind, tool_is_forced: bool) -> ThinkingPlan:
    """Decide from `thinking`, the effort and the kind of request.

    Absent means no reasoning, as in the Messages API, and so does a forced tool, with which that API refuses it.
    """
    thinking = profile.thinking
    asked = optional_object(body, "thinking", "") if "thinking" in body else {}
    effort = _effort(body, asked)
    limit = optional_integer(body, "max_tokens", "", least=0)
    is_wanted = in_conversation = bool(asked) and _is_wanted(asked, profile, effort)
    if is_wanted and (kind.wants_speed or tool_is_forced or (limit is not None and limit <= SMALL_LIMIT)):
        is_wanted = False
    if is_wanted:
        fields = thinking.by_effort.get(effort, thinking.on or {})
    else:
        fields = thinking.least if thinking.off is None else thinking.off
    return ThinkingPlan(
        is_on=thinking.always or (thinking.on is not None and is_wanted),
        is_on_in_conversation=thinking.always or (thinking.on is not None and in_conversation),
        fields=fields,
    )


def _is_wanted(thinking: dict[str, Any], profile: Profile, effort: str) -> bool:
    match a_string(thinking, "type", "thinking"):
        case "enabled":
            return True
        case "disabled":
            return False
        case _:  # `adaptive`, and whatever newer clients call it when they leave the decision to the model
            return EFFORTS.index(effort) >= EFFORTS.index(profile.thinking.adaptive_from)


def _effort(body: dict[str, Any], thinking: dict[str, Any]) -> str:
    """The effort asked for: the last said within the conversation, else the request's own."""
    messages = body.get("messages")
    for holder in (*reversed(messages if isinstance(messages, list) else ()), body):
        config = holder.get("output_config") if isinstance(holder, dict) else None
        if isinstance(config, dict) and config.get("effort") in EFFORTS:
            return str(config["effort"])
    budget = optional_integer(thinking, "budget_tokens", "thinking", least=0) if thinking else None
    if budget is None:
        return DEFAULT_EFFORT
    return "low" if budget < 4_096 else "medium" if budget < 16_384 else "high"
