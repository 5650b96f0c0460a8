"""What travels between the stages of a response: small typed fragments, in the order in which they were said.

    wire/sse ─▶ translate/reader ─▶ rescue ─▶ translate/sequencer ─▶ translate/emitter

A fragment is a piece, never a whole: texts are to be joined, and the pieces of a tool call belong together by `slot`.
"""

from typing import Any, NamedTuple


class Reasoning(NamedTuple):
    """A piece of the model's reasoning."""

    text: str


class Text(NamedTuple):
    """A piece of visible text."""

    text: str


class ToolCall(NamedTuple):
    """A piece of a tool call. Pieces with the same slot are one call; slots are never used again.

    `id` and `name` are "" where this piece does not carry them. `arguments` is a piece of JSON text.
    """

    slot: int
    id: str
    name: str
    arguments: str


class Usage(NamedTuple):
    """Token counts as the Messages API counts them: `input_tokens` holds no cached ones."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    thinking_tokens: int = 0


# The reasons with which providers say that not the model ended the answer; all other words mean that it did.
WINDOW_FULL = "model_context_window_exceeded"
_LENGTH = frozenset({"length", "max_tokens", "model_length"})
_REFUSAL = frozenset({"content_filter", "sensitive", "refusal", "safety"})
_CALLS = frozenset({"tool_calls", "function_call", "tool_use"})


class Finish(NamedTuple):
    """The provider said that the answer is finished: its `finish_reason`, and the stop sequence if one was met."""

    reason: str
    stop_sequence: str | None = None

    @property
    def is_at_length(self) -> bool:
        """`max_tokens` was reached."""
        return self.reason.lower() in _LENGTH

    @property
    def is_refusal(self) -> bool:
        """A filter ended the answer."""
        return self.reason.lower() in _REFUSAL

    @property
    def is_for_calls(self) -> bool:
        """The model has called tools."""
        return self.reason.lower() in _CALLS

    @property
    def was_cut(self) -> bool:
        """The model was not done: what it was writing is not whole, however much looks as if only a bracket missed."""
        return self.is_at_length or self.is_refusal or self.reason == WINDOW_FULL


class Failure(NamedTuple):
    """The provider sent an error object inside the stream; `error` is that object as it stood there."""

    error: Any


Piece = Reasoning | Text | ToolCall
Fragment = Piece | Usage | Finish | Failure
