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

    `id` and `name` are "" where this piece does not carry them. `arguments` is a piece of JSON text. `whole` is true
    where this one piece is the whole call (the rescue stage finds calls only whole).
    """

    slot: int
    id: str
    name: str
    arguments: str
    whole: bool = False


class Usage(NamedTuple):
    """Token counts as the Messages API counts them: `input_tokens` holds no cached ones."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    thinking_tokens: int = 0


class Finish(NamedTuple):
    """The provider said that the answer is finished: its `finish_reason`, and the stop sequence if one was met."""

    reason: str
    stop_sequence: str | None = None


class Failure(NamedTuple):
    """The provider sent an error object inside the stream; `error` is that object as it stood there."""

    error: Any


Piece = Reasoning | Text | ToolCall
Fragment = Piece | Usage | Finish | Failure
