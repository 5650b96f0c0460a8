"""A Messages request becomes a Chat Completions body. Pure: the same request always gives the same bytes.

The body is built from a whitelist: nothing that the client sent goes on unless this package put it there. What cannot
change between two turns of a conversation (model, tools, messages so far) stands first, so that each body begins with
the bytes of the one before; all that may vary stands behind the messages.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..errors import RequestError
from ..models.learned import ENFORCED_SCHEMA, FORCED_FUNCTION, NOTHING_LEARNED, REASONING_BACK, Learned
from ..models.profiles import Profile, Replay
from .documents import PdfReader, no_pdf_reader
from .fields import a_flag, a_string, an_object, encodable, encodable_dumps, note
from .history import History
from .messages import Manner
from .policy import directive_for, words_for_refused
from .request_kind import RequestKind, request_kind
from .sampling import least_output, max_tokens_for, response_format_fields, sampling_fields, stop_fields
from .system import system_texts
from .texts import joined
from .thinking import ThinkingPlan, plan_thinking
from .tokens import size_of
from .tools import SearchTool, forbids_calls, read_tools, tool_choice_fields

# fmt: off
_TRANSLATED = frozenset(
    {
        "model", "messages", "system", "tools", "tool_choice", "max_tokens", "temperature", "top_p", "top_k",
        "stop_sequences", "stream", "thinking", "output_config", "output_format"
    }
)
_DROPPED_KNOWINGLY = frozenset(
    {
        "metadata", "context_management", "safeguards", "speed", "betas", "service_tier", "container", "mcp_servers",
        "diagnostics", "anthropic_version", "anthropic_beta", "cache_control", "fallbacks", "inference_geo"
    }
)
# fmt: on
_KNOWN_FIELDS = _TRANSLATED | _DROPPED_KNOWINGLY | {"thread"}


class ChatRequest(NamedTuple):
    """A request on its way to the provider, and what has to be remembered of it to translate the answer."""

    body: dict[str, Any]
    as_json: bytes
    """The same as it is sent."""
    client_model: str
    """The model that the client asked for; answers carry this name."""
    model: str
    kind: RequestKind
    input_tokens: int
    """An estimate, by `token_factor`."""
    least_output: int
    """Where fewer tokens are left for the answer, the conversation is too long."""
    tools: Mapping[str, Any]
    """Upstream tool name to the schema as the client declared it; none where the client forbids calls."""
    tool_names: Mapping[str, str]
    """Upstream tool name to the client's."""
    search: SearchTool | None
    """The server tool `web_search`, if the model was given it."""
    known_ids: frozenset[str]
    """The client's ids of all tool calls in the history; new ones must differ."""
    stop_sequences: tuple[str, ...]
    """Those that the provider was not told of and that we must enforce."""
    stream: bool
    """True if the client wants a stream; the provider is always asked for one."""
    form: Any
    """The schema that the answer's text is to fulfil, or None."""
    thinks: bool
    """True if the model is expected to reason before it answers."""
    ignored: Mapping[str, int]
    """Fields of the request that nobody here knows, and how often each occurred."""


@contextmanager
def _depth_refused() -> Iterator[None]:
    try:
        yield
    except RecursionError as error:
        raise RequestError("body: nested too deeply") from error


@_depth_refused()
def to_chat_request(
    body: Any,
    *,
    model: str,
    profile: Profile,
    kind: RequestKind | None = None,
    learned: Learned = NOTHING_LEARNED,
    directive: bool = True,
    read_pdf: PdfReader = no_pdf_reader,
    token_factor: float = 1.0,
    history: History | None = None,
) -> ChatRequest:
    """Translate a Messages request for the provider's model `model`.

    `kind` is the body's, for whom it is known already; `history` holds what was translated before. Raises
    `RequestError`, which names the field, and nothing else, whatever the body is.
    """
    body = an_object(body, "body")
    client_model = encodable(a_string(body, "model", ""))
    _refuse_thread(body)
    kind = request_kind(body) if kind is None else kind
    tools = read_tools(body, plain=learned.simple_schemas)
    choice = tool_choice_fields(body, tools)
    varying = choice | response_format_fields(body)
    forced = choice.get("tool_choice") not in (None, "none")
    thinking = plan_thinking(body, profile=profile, kind=kind, tool_is_forced=forced)
    manner = _manner(profile, learned, thinking, tools.search, read_pdf)
    conversation, size_before, counted = (History() if history is None else history).read(body, manner)
    allowed = profile.params - learned.dropped_params if learned.dropped_params else profile.params
    # Servers look for stop sequences in the reasoning as well, and would end the answer before it has begun.
    stops, enforced = stop_fields(body, provider_stops="stop" in allowed and not thinking.is_on)
    system = [*system_texts(body.get("system")), *conversation.leading_system]
    if directive:
        system += directive_for(kind, profile, tools)
    system += words_for_refused(varying, learned)
    first = [{"role": "system", "content": joined(system)}] if system else []

    size = size_of([*first, *conversation.messages[counted:]])
    if tools.functions:
        size = size.plus(tools.size)
    if counted:
        size = size.plus(size_before)
    input_tokens = size.tokens(token_factor)
    least = least_output(kind, answers=len(conversation.pauses))
    limit = max_tokens_for(
        body, input_tokens=input_tokens, least=least, profile=profile, learned=learned, thinking=thinking
    )

    made: dict[str, Any] = {"model": model}
    if tools.functions:
        made["tools"] = tools.functions
    made["messages"] = [*first, *conversation.messages]
    for fields in (_degraded(varying, learned), thinking.fields, stops, sampling_fields(body, profile)):
        made.update(fields)
    if limit is not None:
        made["max_completion_tokens" if "max_completion_tokens" in profile.params else "max_tokens"] = limit
    made["stream"] = True
    made["stream_options"] = {"include_usage": True}
    made, as_json = encodable_dumps({key: value for key, value in made.items() if key in allowed})
    return ChatRequest(
        body=made,
        as_json=as_json,
        client_model=client_model,
        model=model,
        kind=kind,
        input_tokens=input_tokens,
        least_output=least if limit is None else min(least, limit),
        tools={} if forbids_calls(body) else tools.schemas,
        tool_names=tools.names,
        search=tools.search,
        known_ids=frozenset([call.client_id for call in conversation.calls]),
        stop_sequences=enforced,
        stream=a_flag(body, "stream", ""),
        form=varying["response_format"]["json_schema"]["schema"] if "response_format" in varying else None,
        thinks=thinking.is_on,
        ignored=_ignored(body, tools.ignored, conversation.ignored),
    )


def _manner(
    profile: Profile, learned: Learned, thinking: ThinkingPlan, search: SearchTool | None, read_pdf: PdfReader
) -> Manner:
    """How the conversation's past is told to this model."""
    return Manner(
        profile=profile,
        replay=_replay(profile, learned),
        reasoning_required=learned.reasoning_required
        or (profile.reasoning_required and thinking.is_on_in_conversation),
        sees_images=profile.sees_images is not False and not learned.no_images,
        read_pdf=read_pdf,
        search_name=search.name if search else None,
    )


def _ignored(body: dict[str, Any], *others: Mapping[str, int]) -> dict[str, int]:
    """The body's own fields that nobody knows, and what was met of such in its parts."""
    ignored: dict[str, int] = {}
    if not _KNOWN_FIELDS.issuperset(body):
        note(ignored, [key[:60] for key in body.keys() - _KNOWN_FIELDS])
    for other in others:
        for name, count in other.items():
            ignored[name] = ignored.get(name, 0) + count
    return ignored


def _refuse_thread(body: dict[str, Any]) -> None:
    """A thread is a conversation that the server keeps: the client sends only what is new, and nothing is kept here.

    To these details, the tool runner of the Anthropic SDK for Python answers with the whole conversation.
    """
    if body.get("thread") is not None:
        raise RequestError(
            "thread: conversations are not kept here; send all messages with each request",
            details={"error_code": "thread_unsupported_request", "unsupported": ["thread"]},
        )


def _replay(profile: Profile, learned: Learned) -> Replay:
    if REASONING_BACK in learned.dropped_params:
        return Replay.NONE
    if learned.reasoning_required and profile.replay is Replay.NONE:
        return Replay.REASONING_CONTENT
    return profile.replay


def _degraded(fields: dict[str, Any], learned: Learned) -> dict[str, Any]:
    """The next best where the provider has refused the best; what is refused altogether falls to the whitelist."""
    if not learned.dropped_params:
        return fields
    degraded = dict(fields)
    if isinstance(fields.get("tool_choice"), dict) and FORCED_FUNCTION in learned.dropped_params:
        degraded["tool_choice"] = "required"
    if "response_format" in fields and ENFORCED_SCHEMA in learned.dropped_params:
        degraded["response_format"] = {"type": "json_object"}
    return degraded
