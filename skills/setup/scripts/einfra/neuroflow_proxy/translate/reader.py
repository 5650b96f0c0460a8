"""Chunks of a Chat Completions stream in, fragments out: total over whatever a provider sends.

Every field may be missing, null, or of another type; unknown fields are ignored. A whole completion (`message` in place
of `delta`, as in an answer that was not streamed) is read as one large chunk, so that there is one way to read. Nothing
here knows the client's side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, TypedDict

from ..fragments import Failure, Finish, Fragment, Piece, Reasoning, Text, ToolCall, Usage
from ..wire.codec import dumps_text, loads, partial_reader
from ..wire.json_extent import JSONExtent

# Finish reasons with which a provider says that it broke off: DeepSeek, Zhipu, OpenRouter, SGLang.
_FAILED = frozenset({"error", "network_error", "insufficient_system_resource", "abort"})


class _Delta(TypedDict, total=False):
    content: Any
    reasoning_content: Any
    reasoning: Any
    reasoning_details: Any
    refusal: Any
    tool_calls: Any
    function_call: Any


class _Choice(TypedDict, total=False):
    index: Any
    delta: _Delta
    message: Any
    text: Any
    usage: Any
    error: Any
    finish_reason: Any
    stop_reason: Any
    matched_stop: Any


class _Chunk(TypedDict, total=False):
    """All that `ChunkReader` needs of a chunk that has `choices`, even if that is empty."""

    choices: list[_Choice]
    usage: Any
    x_groq: Any
    error: Any
    object: Any
    type: Any
    detail: Any
    base_resp: Any


_read_chunk = partial_reader(_Chunk)
_IN_DELTAS = frozenset(_Delta.__annotations__)
_REASONING = frozenset({"reasoning_content", "reasoning"})
_CACHED = ("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens", "cache_read_input_tokens")


@dataclass(slots=True)
class _Slot:
    """One tool call under way."""

    number: int
    index: int | None
    id: str = ""
    named: bool = False
    extent: JSONExtent = field(default_factory=JSONExtent)
    object_arguments: Any = None
    repeats: bool | None = None
    """Whether each piece of the arguments holds all those before it. None until the second one has told."""
    so_far: str = ""

    def new_in(self, arguments: str) -> str:
        """What of a piece of the arguments was not said before: some providers say all of it again each time.

        No object goes on with what it has begun with, so the second piece shows which sort it is.
        """
        if self.repeats is False or not arguments:
            return arguments
        said = len(self.so_far)
        if said or not arguments.lstrip().startswith("{"):
            self.repeats = said > 0 and arguments.startswith(self.so_far)
        self.so_far = "" if self.repeats is False else arguments
        return arguments[said:] if self.repeats else arguments


class ChunkReader:
    """Reads the chunks of one answer, in order. `finish` hands out what could not be told before the end."""

    def __init__(self) -> None:
        self._choice: int | None = None
        self._slots: list[_Slot] = []
        self._by_index: dict[int, _Slot] = {}  # the last of each
        self._by_id: dict[tuple[str, int | None], _Slot] = {}  # with its index, and with None for any
        self._has_deltas = False
        self._has_choices = False
        self._stray: dict[str, Any] | None = None
        self._usage: Usage | None = None

    @property
    def stray(self) -> dict[str, Any] | None:
        """What came in place of an answer: the last object, where none had a choice in it."""
        return None if self._has_choices else self._stray

    def feed(self, chunk: object) -> list[Fragment]:
        """Read one parsed chunk, or one whole completion."""
        out: list[Fragment] = []
        if not isinstance(chunk, dict):
            return [Failure(chunk)] if chunk else []  # `null` is sent to keep the connection alive
        inner = chunk.get("data")
        if isinstance(inner, dict) and "choices" not in chunk and ("choices" in inner or "error" in inner):
            chunk = inner  # an envelope: {"data": {…}, "success": true}
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            self._stray = chunk
        else:
            for choice in choices:
                if isinstance(choice, dict) and self._is_ours(choice):
                    self._read_choice(choice, out)
        usage = chunk.get("usage")
        if usage:
            self._read_usage(usage, out)
        groq = chunk.get("x_groq")
        if isinstance(groq, dict):
            self._read_usage(groq.get("usage"), out)
        error = find_error(chunk, has_choices=bool(choices))
        if error is not None:
            out.append(Failure(error))
        return out

    def read(self, data: bytes) -> Sequence[Fragment]:
        """Read one chunk's JSON, and of it no more than is needed. Raises `InvalidJSON`."""
        chunk = _read_chunk(data)
        if chunk is None or "choices" not in chunk or "error" in (chunk.get("object"), chunk.get("type")):
            return self.feed(loads(data))  # of an error all is said
        pieces = self._plain_pieces(chunk)
        if pieces is None:
            return self.feed(chunk)
        for piece in pieces:
            self.hear(piece)
        return pieces

    def plain_pieces(self, data: bytes) -> Sequence[Piece] | None:
        """What `read` would make of a chunk now, where that is nothing, or one piece of text, of reasoning, or of the
        arguments of a call that is under way, as in nearly all chunks.

        None where it is not, or where only `feed` can tell. Nothing is remembered.
        """
        chunk = _read_chunk(data)
        return self._plain_pieces(chunk) if chunk is not None and "choices" in chunk else None

    def hear(self, piece: Piece) -> None:
        """Note that a piece as `plain_pieces` gives it was read, by this reader or by its frame."""
        self._has_deltas = True
        if isinstance(piece, ToolCall):
            self._slots[piece.slot].extent.feed(piece.arguments)

    def finish(self) -> list[Fragment]:
        """The stream is over: arguments that came as growing objects are known now."""
        return [
            ToolCall(slot.number, "", "", dumps_text(slot.object_arguments))
            for slot in self._slots
            if slot.object_arguments is not None
        ]

    def _plain_pieces(self, chunk: Mapping[str, Any]) -> Sequence[Piece] | None:
        choices = chunk["choices"]
        if len(choices) != 1 or chunk.get("usage") or chunk.get("error") or chunk.get("x_groq"):
            return None
        choice = choices[0]
        if choice.get("finish_reason") or choice.get("usage") or choice.get("error") or not self._is_ours(choice):
            return None
        delta = choice.get("delta")
        if not delta:
            return None
        content = delta.get("content")
        if content and len(delta) == 1:
            return (Text(content),) if isinstance(content, str) else None
        others = [name for name, value in delta.items() if value and name != "content"]
        if content is not None and content != "":
            return (Text(content),) if isinstance(content, str) and not others else None
        if not others:
            return ()
        if others == ["tool_calls"]:
            return self._plain_arguments(delta["tool_calls"])
        if not _REASONING.issuperset(others):
            return None
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        return (Reasoning(reasoning),) if isinstance(reasoning, str) else None

    def _plain_arguments(self, calls: Any) -> Sequence[Piece] | None:
        if not isinstance(calls, list) or len(calls) != 1 or not isinstance(calls[0], dict):
            return None
        call = calls[0]
        function, call_id, index = call.get("function"), call.get("id"), call.get("index")
        if not isinstance(function, dict) or function.get("name") or not isinstance(index, int):
            return None
        arguments = function.get("arguments")
        if not arguments or not isinstance(arguments, str) or not (call_id is None or call_id == ""):
            return None
        slot = self._by_index.get(index)
        return None if slot is None or slot.repeats is not False else (ToolCall(slot.number, "", "", arguments),)

    def _is_ours(self, choice: dict[str, Any]) -> bool:
        """We ask for one choice; of several, the first that speaks is the answer."""
        self._has_choices = True
        index = choice.get("index")
        if not isinstance(index, int):
            return True
        if self._choice is None:
            self._choice = index
        return index == self._choice

    def _read_choice(self, choice: dict[str, Any], out: list[Fragment]) -> None:
        delta, message = choice.get("delta"), choice.get("message")
        if isinstance(delta, dict) and not _IN_DELTAS.isdisjoint(delta):
            self._read_delta(delta, out)
        elif isinstance(message, dict) and not self._has_deltas:
            # Only where no deltas came: some streams end with the whole message once more
            # (recording minimax-minimax-m2.7-reasoning-stream-length).
            self._read_delta(message, out)
        elif isinstance(choice.get("text"), str) and not self._has_deltas:
            self._text(choice["text"], out)
        usage = choice.get("usage")
        if usage:
            self._read_usage(usage, out)
        error = choice.get("error")
        reason = choice.get("finish_reason")
        if error:
            out.append(Failure(error))
        elif isinstance(reason, str) and reason:
            if reason.lower() in _FAILED:
                out.append(Failure({"type": "api_error", "message": f"the provider broke off: finish_reason {reason}"}))
            else:
                out.append(Finish(reason, _stop_sequence(choice)))

    def _read_delta(self, delta: dict[str, Any], out: list[Fragment]) -> None:
        before = len(out)
        reasoning = _reasoning(delta)
        if reasoning:
            out.append(Reasoning(reasoning))
        content = delta.get("content")
        if isinstance(content, str):
            self._text(content, out)
        elif content is not None:
            self._read_parts(content, out)
        refusal = delta.get("refusal")
        if isinstance(refusal, str):
            self._text(refusal, out)
        calls = delta.get("tool_calls")
        if isinstance(calls, dict):
            calls = [calls]
        if isinstance(calls, list):
            for place, call in enumerate(calls):
                if isinstance(call, dict):
                    self._read_call(call, out, last=len(calls) - place)
        legacy = delta.get("function_call")
        if isinstance(legacy, dict):
            self._read_call({"index": 0, "function": legacy}, out)
        if len(out) > before:
            self._has_deltas = True

    @staticmethod
    def _text(text: str, out: list[Fragment]) -> None:
        if text:
            out.append(Text(text))

    def _read_parts(self, content: object, out: list[Fragment]) -> None:
        """Content that is no string: a list of parts (thinking of Mistral's, reasoning of Databricks'), or a bare JSON
        value."""
        if not isinstance(content, list):
            self._text(dumps_text(content), out)
            return
        for part in content:
            if isinstance(part, str):
                self._text(part, out)
            elif isinstance(part, dict):
                text = _joined(part)
                if part.get("thinking") is None and part.get("type") != "reasoning":
                    self._text(text, out)
                elif text:
                    out.append(Reasoning(text))

    def _read_call(self, call: dict[str, Any], out: list[Fragment], *, last: int = 1) -> None:
        """`last`: how many pieces of calls the delta holds from this one on."""
        function = call.get("function")
        if not isinstance(function, dict):
            function = call
        name = function.get("name")
        name = name if isinstance(name, str) else ""
        arguments = function.get("arguments")
        call_id = call.get("id")
        if not isinstance(call_id, str) or call_id in ("null", "None"):
            # Mistral sends the string "null" in later deltas (recording mistral-devstral-null-string-id).
            call_id = "" if call_id is None or isinstance(call_id, str) else str(call_id)
        if not (name or call_id or (arguments is not None and arguments != "")):
            return  # Snowflake puts an empty function_call beside the text of every answer
        index = call.get("index")
        slot = self._slot(index if isinstance(index, int) else None, call_id, name, last)
        first_id = call_id if call_id and not slot.id else ""
        if first_id:
            slot.id = first_id
            self._by_id[first_id, slot.index] = self._by_id[first_id, None] = slot
        slot.named = slot.named or bool(name)
        text = ""
        if isinstance(arguments, str):
            text = slot.new_in(arguments)
            slot.extent.feed(text)
        elif arguments is not None:
            slot.object_arguments = arguments  # whole each time, and it may grow: the last one counts
        out.append(ToolCall(slot.number, first_id, name, text))

    def _slot(self, index: int | None, call_id: str, name: str, last: int) -> _Slot:
        """The call that this piece belongs to: found by (index, id); where it has no name, by the one of them that is
        known, or by its place in the delta. A new one where it begins a call."""
        known = self._by_id.get((call_id, index)) if call_id else None
        if known is None and call_id and not name and index not in self._by_index:
            known = self._by_id.get((call_id, None))
        if known is not None:
            return known
        latest = self._by_index.get(index) if index is not None else None
        if latest is None and index is None and self._slots and not name and not call_id:
            latest = self._slots[-min(last, len(self._slots))]
        if latest is None or self._begins_a_call(latest, call_id, name):
            latest = _Slot(number=len(self._slots), index=index)
            self._slots.append(latest)
            if index is not None:
                self._by_index[index] = latest
        return latest

    @staticmethod
    def _begins_a_call(latest: _Slot, call_id: str, name: str) -> bool:
        """Whether a piece on a used index is a call of its own: several servers number every call 0."""
        if not name or not latest.named:
            return False
        if call_id and latest.id:
            return call_id != latest.id
        return latest.extent.is_closed

    def _read_usage(self, raw: object, out: list[Fragment]) -> None:
        """Usage may come anywhere and more than once; a later count replaces an earlier one where it says anything."""
        if not isinstance(raw, dict):
            return
        usage = to_usage(raw)
        if not any(usage):
            return
        if self._usage is not None:
            usage = merge_usage(self._usage, usage)
        self._usage = usage
        out.append(usage)


def to_usage(raw: Mapping[str, Any]) -> Usage:
    """Read a `usage` object. `prompt_tokens` includes the cached ones, whose place differs between providers."""
    prompt = _count(raw, "prompt_tokens")
    completion = _count(raw, "completion_tokens")
    if not completion and prompt:
        completion = max(_count(raw, "total_tokens") - prompt, 0)
    prompt_details, completion_details = raw.get("prompt_tokens_details"), raw.get("completion_tokens_details")
    cached = _count(prompt_details, "cached_tokens") if prompt_details else 0
    if not cached:
        for name in _CACHED:
            if name in raw and (cached := _count(raw, name)):
                break
    cached = min(cached, prompt)
    thinking = _count(completion_details, "reasoning_tokens") if completion_details else 0
    thinking = thinking or _count(raw, "reasoning_tokens")
    return Usage(prompt - cached, completion, cached, thinking)


def merge_usage(earlier: Usage, later: Usage) -> Usage:
    """The later count, with the earlier one's sides where the later one is silent."""
    has_input = later.input_tokens or later.cache_read_input_tokens
    source = later if has_input else earlier
    return Usage(
        input_tokens=source.input_tokens,
        output_tokens=later.output_tokens or earlier.output_tokens,
        cache_read_input_tokens=source.cache_read_input_tokens,
        thinking_tokens=later.thinking_tokens or earlier.thinking_tokens,
    )


def find_error(chunk: Mapping[str, Any], *, has_choices: bool) -> Any:
    """The error object in a chunk, or None: `error`, a bare error object, FastAPI's `detail`, MiniMax's `base_resp`."""
    error = chunk.get("error")
    if error:
        return error
    if has_choices:
        return None
    if chunk.get("object") == "error" or chunk.get("type") == "error":
        return dict(chunk)
    if chunk.get("detail"):
        return {"message": chunk["detail"]}
    base = chunk.get("base_resp")
    if isinstance(base, dict) and base.get("status_code"):
        return {"message": base.get("status_msg"), "code": base["status_code"]}
    return None


def _count(counts: object, name: str) -> int:
    """A count in an object of them; 0 where there is none."""
    value = counts.get(name) if isinstance(counts, dict) else None
    if type(value) is int and value >= 0:
        return value
    if value is None or not isinstance(value, (int, float)) or not isfinite(value):
        return 0
    return max(int(value), 0)


def _stop_sequence(choice: Mapping[str, Any]) -> str | None:
    """The stop string that ended the answer: vLLM's `stop_reason`, SGLang's `matched_stop` (numbers are tokens)."""
    for key in ("stop_reason", "matched_stop"):
        value = choice.get(key)
        if isinstance(value, str) and value:
            return value
    return None


def _reasoning(delta: Mapping[str, Any]) -> str:
    """The reasoning of a delta, once, whichever of its fields carry it (vLLM's, LiteLLM's and SGLang's, OpenRouter's).

    Where two of them differ, `reasoning_content` is the one to show (recording compat-both-reasoning-fields).
    """
    for key in ("reasoning_content", "reasoning"):
        value = delta.get(key)
        if value:
            text = _joined(value)
            if text:
                return text
    details = delta.get("reasoning_details")
    return _joined(details) if details else ""


def _joined(value: object) -> str:
    """The text in a part, or in a list of parts: `text`, or `summary`; encrypted parts have none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(_joined, value))
    if isinstance(value, dict):
        for key in ("text", "thinking", "summary", "content", "reasoning_content"):
            inner = value.get(key)
            if isinstance(inner, str | list) and inner:
                return _joined(inner)
    return ""
