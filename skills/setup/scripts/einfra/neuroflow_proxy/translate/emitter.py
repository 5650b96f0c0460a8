"""The only writer of the Messages stream: whatever it is asked for, what comes out follows the grammar.

    message_start  (content_block_start  content_block_delta*  content_block_stop)*  message_delta  message_stop
    ... or, at any point after message_start, one `error` event as the last

    START ── first block or end ──▶ BETWEEN ◀── close ── BLOCK       any state ── end / fail ──▶ ENDED
                                       └─── open ─────────▲

At most one block is open; indexes count up from 0 as blocks are opened. Content goes into deltas only: Claude Code
throws away what stands in a content_block_start. Driving it out of order is a bug of the caller and raises
`StreamStateError`.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from ..errors import StreamStateError
from ..fragments import Usage
from ..wire import messages_api as api
from ..wire.messages_api import JSON, StopReason

# No enum: what is asked for each piece must not take 0.2 µs to look up, as members do in Python 3.11.
_State = Literal["START", "BETWEEN", "TEXT", "THINKING", "TOOL_USE", "WHOLE", "ENDED"]
_IN_A_BLOCK = frozenset[_State]({"TEXT", "THINKING", "TOOL_USE", "WHOLE"})
# How a piece of what a block holds is written.
_DELTAS: Mapping[_State, Callable[[int, str], JSON]] = {
    "TEXT": api.text_delta,
    "THINKING": api.thinking_delta,
    "TOOL_USE": api.input_json_delta,
}


class MessageEmitter:
    """Builds the events of one answer; `take` hands out those that were not taken yet.

    `message_id` and `model` are echoed to the client; `input_tokens` is the estimate that stands in message_start until
    the provider's own count arrives with message_delta.
    """

    def __init__(self, *, message_id: str, model: str, input_tokens: int) -> None:
        self._message_id = message_id
        self._model = model
        self._input_tokens = input_tokens
        self._state: _State = "START"
        self._as_delta: Callable[[int, str], JSON] | None = None
        self._index = -1
        self._events: list[JSON] = []
        self._characters = 0
        self.has_ended = False

    @property
    def progress(self) -> tuple[int, int]:
        """The last block's index and the characters written so far."""
        return self._index, self._characters

    def take(self) -> list[JSON]:
        """The events since the last call."""
        events, self._events = self._events, []
        return events

    def open_text(self) -> None:
        self._open("TEXT")
        self._events.append(api.text_block_start(self._index))

    def open_thinking(self) -> None:
        self._open("THINKING")
        self._events.append(api.thinking_block_start(self._index))

    def open_tool_use(self, tool_use_id: str, name: str) -> None:
        self._open("TOOL_USE")
        self._characters += len(name)
        self._events.append(api.tool_use_block_start(self._index, tool_use_id, name))

    def open_server_tool_use(self, tool_use_id: str, name: str) -> None:
        self._open("TOOL_USE")
        self._characters += len(name)
        self._events.append(api.server_tool_use_block_start(self._index, tool_use_id, name))

    def whole_block(self, block: JSON) -> None:
        """A block that has no deltas: the result of a server tool."""
        self._open("WHOLE")
        self._events.append(api.whole_block_start(self._index, block))
        self.close()

    def citation(self, citation: JSON) -> None:
        """Say what the open block of text quotes."""
        if self._state != "TEXT":
            raise StreamStateError(f"a citation in state {self._state}")
        self._events.append(api.citations_delta(self._index, citation))

    def delta(self, piece: str) -> None:
        """Add a piece to the open block: text, thinking, or the JSON text of a tool's input."""
        if self._as_delta is None:
            raise StreamStateError(f"a delta in state {self._state}")
        self._characters += len(piece)
        self._events.append(self._as_delta(self._index, piece))

    def close(self) -> None:
        """Close the open block."""
        if self._state not in _IN_A_BLOCK:
            raise StreamStateError(f"close in state {self._state}")
        if self._state == "THINKING":
            self._events.append(api.signature_delta(self._index, api.THINKING_SIGNATURE))
        self._events.append(api.content_block_stop(self._index))
        self._state, self._as_delta = "BETWEEN", None

    def end(
        self,
        stop_reason: StopReason,
        stop_sequence: str | None,
        usage: Usage | None,
        *,
        searches: int | None = None,
        safeguard_results: list[JSON] | None = None,
    ) -> None:
        """End the answer. Without `usage` from the provider the counts are estimates, never zero.

        `searches` is the number of web searches that were made here, `safeguard_results` the verdicts on tool calls;
        None where the client has asked for none.
        """
        if self._state in _IN_A_BLOCK:
            raise StreamStateError("end inside a block")
        self._start()
        if usage is None:
            usage = Usage(input_tokens=self._input_tokens, output_tokens=max(1, self._characters // 4))
        counts = to_messages_usage(usage)
        if searches is not None:
            counts["server_tool_use"] = {"web_search_requests": searches}
        event = api.message_delta(stop_reason, stop_sequence, counts)
        if safeguard_results is not None:
            event["delta"]["safeguard_results"] = safeguard_results
        self._events.append(event)
        self._events.append(api.message_stop())
        self._end()

    def fail(self, error_type: str, message: str) -> None:
        """Break off with an `error` event. An open block stays open, so that the client drops it."""
        self._start()
        self._events.append(api.error(error_type, message))
        self._end()

    def _open(self, state: _State) -> None:
        if self._state in _IN_A_BLOCK:
            raise StreamStateError(f"open {state} in state {self._state}")
        self._start()
        self._index += 1
        self._state, self._as_delta = state, _DELTAS.get(state)

    def _end(self) -> None:
        self._state, self._as_delta = "ENDED", None
        self.has_ended = True

    def _start(self) -> None:
        if self.has_ended:
            raise StreamStateError("the answer has ended")
        if self._state == "START":
            usage = to_messages_usage(Usage(self._input_tokens, 1))
            self._events.append(api.message_start(self._message_id, self._model, usage))
            self._state = "BETWEEN"


def to_messages_usage(usage: Usage) -> JSON:
    """The `usage` object of the Messages API."""
    result: JSON = {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.thinking_tokens:
        result["output_tokens_details"] = {"thinking_tokens": usage.thinking_tokens}
    return result
