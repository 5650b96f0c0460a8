"""How the answer is to be drawn, and what form and length it may have."""

from typing import Any

from ..models.learned import Learned
from ..models.profiles import Profile
from .fields import (
    a_string,
    an_object,
    missing,
    optional_integer,
    optional_number,
    optional_object,
    refusal,
    refuse_depth,
    strings,
)
from .request_kind import RequestKind, output_format
from .thinking import SMALL_LIMIT, ThinkingPlan
from .tool_schema import acceptable, is_strict

MAX_STOPS = 4
"""OpenAI, and with it many others, takes no more."""
LEAST_TOP_P = 0.01
"""0, which the Messages API takes, is refused by vLLM."""
LEAST_OUTPUT = 1_024
"""Asked for even where the window seems full: the estimate may be wrong; if it is not, the provider says so clearly."""
ROOM_TO_GO_ON = 8_192
"""The least output asked for where the client can shorten the conversation instead. In less, files that it writes are
cut off, and so is the summary of all that was done; each new try makes the conversation longer still."""
THINKING_ROOM = 4_096
"""The least that a model gets which cannot answer without reasoning first."""
ESTIMATE_MARGIN = 1.1
_SAMPLING = frozenset({"temperature", "top_p", "top_k"})
_FORM = frozenset({"output_config", "output_format"})


def sampling_fields(body: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """`temperature`, `top_p` and `top_k`, within what the provider takes."""
    fields: dict[str, Any] = {}
    if _SAMPLING.isdisjoint(body):
        return fields
    temperature = optional_number(body, "temperature", "")
    if temperature is not None:
        fields["temperature"] = min(max(temperature, 0), profile.max_temperature)
    top_p = optional_number(body, "top_p", "")
    if top_p is not None:
        fields["top_p"] = min(max(top_p, LEAST_TOP_P), 1)
    top_k = optional_integer(body, "top_k", "", least=0)
    if top_k:
        fields["top_k"] = top_k
    return fields


def stop_fields(body: dict[str, Any], *, provider_stops: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    """`stop` for the provider, and the stop sequences that are left for us to enforce."""
    if body.get("stop_sequences") is None:
        return {}, ()
    stops = list(dict.fromkeys([stop for stop in strings(body.get("stop_sequences"), "stop_sequences") if stop]))
    sent = stops[:MAX_STOPS] if provider_stops else []
    return ({"stop": sent} if sent else {}), tuple(stops[len(sent) :])


def response_format_fields(body: dict[str, Any]) -> dict[str, Any]:
    """`response_format` for the form that the answer is to have; empty if it may have any."""
    if _FORM.isdisjoint(body):
        return {}
    optional_object(body, "output_config", "")
    wanted = output_format(body)
    if not wanted:
        return {}
    path = "output_config.format"
    kind = a_string(an_object(wanted, path), "type", path)
    if kind != "json_schema":
        raise refusal((path, "type"), "Input should be 'json_schema'")
    if "schema" not in wanted:
        raise missing((path, "schema"))
    schema = an_object(wanted["schema"], (path, "schema"))
    refuse_depth(schema, (path, "schema"))
    form: dict[str, Any] = {"name": "answer", "schema": acceptable(schema)}
    if is_strict(schema):
        form["strict"] = True
    return {"response_format": {"type": "json_schema", "json_schema": form}}


def least_output(kind: RequestKind, *, answers: int) -> int:
    """The least room for an answer that is worth asking; `answers` were given before in the conversation."""
    # Claude Code compacts from the second one on.
    can_be_shortened = kind is RequestKind.COMPACTION or (kind is RequestKind.MAIN and answers > 1)
    return ROOM_TO_GO_ON if can_be_shortened else LEAST_OUTPUT


def max_tokens_for(
    body: dict[str, Any],
    *,
    input_tokens: int,
    least: int,
    profile: Profile,
    learned: Learned,
    thinking: ThinkingPlan,
) -> int | None:
    """`max_tokens`: what the client asked for, within the model's limit and what the window leaves.

    `input_tokens` is the estimate of what is sent. A small limit is raised for a model that reasons whatever it is
    told: it would be used up before the first visible word.
    """
    asked = optional_integer(body, "max_tokens", "", least=0)
    if asked is None:
        return None
    if thinking.is_on and 1 < asked <= SMALL_LIMIT:
        asked = THINKING_ROOM
    limit = learned.max_output_tokens or profile.max_output_tokens or asked
    window = learned.context_window or profile.context_window
    left = window - round(input_tokens * ESTIMATE_MARGIN)
    return max(1, min(asked, limit, max(left, least)))
