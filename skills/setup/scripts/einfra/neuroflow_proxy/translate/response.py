"""One answer, from the provider's bytes to the client's events: the stages, joined.

    bytes ─▶ intake ─▶ rescue ─▶ stop sequences or form ─▶ sequencer ─▶ emitter ─▶ events

Sans-io. `feed` takes bytes as they came from the network, `finish` says that they ended; `fail` breaks the answer off.
A failure that the provider reports inside the stream stands in `failure`, unclassified: whoever drives this decides
what it is, and calls `fail`.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ..fragments import WINDOW_FULL, Failure, Finish, Fragment, Reasoning, Text, ToolCall, Usage
from ..rescue.stage import Rescue
from ..wire.messages_api import JSON, StopReason
from .emitter import MessageEmitter
from .form import FormText
from .intake import CUT_OFF, Intake
from .sequencer import BlockSequencer, ServerCall
from .stop_sequences import StopSequences
from .tool_calls import ToolNames, ToolUseIds

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class ResponseContext(NamedTuple):
    """What an answer has to know of its request.

    `schemas` and `names` are by the tool names that were sent upstream; `known_ids` are the tool ids of the history.
    `input_tokens` is an estimate for the time until the provider counts.
    """

    message_id: str
    model: str
    mint_tool_use_id: Callable[[], str]
    input_tokens: int = 0
    schemas: Mapping[str, JSON] = _NOTHING
    names: Mapping[str, str] = _NOTHING
    known_ids: Collection[str] = ()
    stop_sequences: Sequence[str] = ()
    server_tools: Collection[str] = ()
    """The client's names of tools that we are to run."""
    opens_in_thought: bool = False
    takes_up: str = ""
    """The text of which the answer is the rest, if it is one."""
    form: JSON | None = None
    """The schema that the answer's text is to fulfil, if any."""
    can_be_taken_up: bool = True
    """Who asked can go on from the half of a text: in a conversation, but not from the half of a summary."""


class ResponseStream:
    """Translates one answer."""

    def __init__(self, context: ResponseContext) -> None:
        self._context = context
        self._emitter = MessageEmitter(
            message_id=context.message_id, model=context.model, input_tokens=context.input_tokens
        )
        self.counts: defaultdict[str, int] = defaultdict(int)
        """How often what was found and mended in the answer, by name."""
        self.usage: Usage | None = None
        self._sequencer = BlockSequencer(
            self._emitter,
            schemas=context.schemas,
            names=ToolNames(context.names),
            ids=ToolUseIds(context.known_ids, context.mint_tool_use_id),
            counts=self.counts,
            server_tools=context.server_tools,
        )
        self.searches: int | None = 0 if context.server_tools else None
        """How many web searches were made for this answer; None where there could be none."""
        self._has_cut_a_call = False
        self._is_paused = False
        self._unmet_before: str | None = None
        self._begin()

    def restart(self, context: ResponseContext) -> None:
        """Forget the provider's answer, but not what was made of it: another one follows, to be read by `context`.

        What names the answer to the client (id, model, the count in message_start) stays as it was.
        """
        if self.unmet_form:
            self._unmet_before = self._unmet_before or self.unmet_form
        self._context = context
        self._sequencer.begin_answer()
        self._begin()

    def _begin(self) -> None:
        self._intake = Intake()
        context = self._context
        self._rescue = Rescue(
            context.schemas,
            opens_in_thought=context.opens_in_thought,
            takes_up=context.takes_up,
            counts=self.counts,
        )
        self._form = None if context.form is None else FormText(context.form)
        self._stops = StopSequences(context.stop_sequences)
        self._text_is_watched = self._form is not None or bool(self._stops)
        self._finish: Finish | None = None
        self.failure: Failure | None = None
        """The error object that the provider sent in place of the rest, if it did."""

    def count(self, event: str) -> None:
        """Count something that happened to this answer."""
        self.counts[event] += 1

    @property
    def is_over(self) -> bool:
        """Nothing more is to come that would matter: the rest of the bytes need not be read."""
        return self._says_nothing_more or self._emitter.has_ended

    @property
    def _says_nothing_more(self) -> bool:
        return self._intake.is_over or self._stops.matched is not None

    @property
    def has_finish(self) -> bool:
        """The provider said why it stopped; only usage can still follow."""
        return self._finish is not None

    @property
    def progress(self) -> tuple[int, int]:
        """Differs after every event about content: equal values mean that nothing was said between them."""
        return self._emitter.progress

    @property
    def has_client_calls(self) -> bool:
        """Whether the client has tools to run."""
        return self._sequencer.tool_use_count > 0

    @property
    def amount_said(self) -> int:
        """Grows with every piece of text and of a tool call."""
        return self._sequencer.amount_said

    @property
    def text_without_call(self) -> str | None:
        """The end of the visible text if the model stopped by itself and called no tool; None otherwise."""
        if not self._ended_by_itself or self._form is not None:
            return None
        return self._sequencer.text_tail

    @property
    def misses_a_call(self) -> bool:
        """The provider said that tools were called, and sent no call: its parser has lost it (vllm #54701, #44326)."""
        return self._ended_by_itself and self._finish is not None and self._finish.is_for_calls

    @property
    def _ended_by_itself(self) -> bool:
        was_cut = self._was_cut or self._stops.matched
        return not (was_cut or self._sequencer.has_calls or self.failure)

    @property
    def _was_cut(self) -> bool:
        return self._finish is not None and self._finish.was_cut

    @property
    def unmet_form(self) -> str | None:
        """What was said by an answer that was to be JSON, ended by itself and is none; None for any other."""
        if self._form is None or not self._ended_by_itself:
            return None
        form = self._form.read()
        return None if form.is_met else form.text

    def feed(self, data: bytes) -> list[JSON]:
        """Bytes of the provider's answer; returns the events that they make."""
        if self.is_over or self.failure is not None:
            return []
        fragments = self._intake.feed(data)
        if fragments and not self._flows(fragments):
            self._pass_on(self._rescue.feed(fragments))
        return self._emitter.take()

    def settle(self) -> list[JSON]:
        """The provider's answer is over: say what was held back. Without a sign that it was whole, `failure` is set."""
        if self._emitter.has_ended or self.failure is not None:
            return []
        self._pass_on(self._rescue.feed(self._intake.finish()))
        if self.failure is None and not (self._says_nothing_more or self._finish is not None):
            self.failure = CUT_OFF
        if self.failure is None:
            self._pass_on(self._rescue.feed(self._intake.grown_arguments()))
            self._pass_on(self._rescue.finish())
            if self._form is None:
                self._release_held_text()
        return self._emitter.take()

    def end(self, safeguard_results: list[JSON] | None = None) -> list[JSON]:
        """End the answer, after `settle`, with what was found out about its tool calls, if the client wants it."""
        finish = self._finish or Finish("")
        self._close_blocks()
        stop_sequence = self._stops.matched or finish.stop_sequence
        stop_reason: StopReason
        if self._sequencer.tool_use_count and not self._has_cut_a_call:
            stop_reason, stop_sequence = "tool_use", None
        elif self._is_paused:
            stop_reason, stop_sequence = "pause_turn", None
        else:
            stop_reason = to_stop_reason(finish, stop_sequence)
        if stop_reason != "stop_sequence":
            stop_sequence = None
        self._emitter.end(
            stop_reason, stop_sequence, self.usage, searches=self.searches, safeguard_results=safeguard_results
        )
        return self._emitter.take()

    def close_blocks(self) -> list[JSON]:
        """After `settle`: close what was said, so that something of ours can follow."""
        self._close_blocks()
        return self._emitter.take()

    def take_server_calls(self) -> list[ServerCall]:
        """After `close_blocks`: the calls that we are to run, if they are whole. Each is handed out once."""
        calls = [] if self._has_cut_a_call else list(self._sequencer.server_calls)
        self._sequencer.server_calls.clear()
        return calls

    def server_results(self, blocks: Iterable[JSON]) -> list[JSON]:
        """Blocks with what those calls have led to."""
        for block in blocks:
            self._emitter.whole_block(block)
        return self._emitter.take()

    def pause(self) -> None:
        """The answer ends here, but not the turn: the client may send it back and have it go on."""
        self._is_paused = True

    def finish(self) -> list[JSON]:
        """`settle`, and `end` unless there was a failure."""
        events = self.settle()
        return events if self.failure is not None or self._emitter.has_ended else events + self.end()

    def fail(self, error_type: str, message: str) -> list[JSON]:
        """Break off: what is whole is closed, then an `error` event ends the stream."""
        self._pass_on(self._rescue.finish())
        self._sequencer.break_off(keeps_text=self._context.can_be_taken_up)
        self._emitter.fail(error_type, message)
        return self._emitter.take()

    def _take_form(self) -> str:
        """The text of an answer that was to be JSON: of two that are not, the first."""
        if self._form is None:
            return ""
        form, self._form = self._form.read(), None
        return form.text if form.is_met or self._unmet_before is None else self._unmet_before

    def _close_blocks(self) -> None:
        self._release_held_text()
        self._has_cut_a_call |= self._sequencer.finish(cut_off=self._was_cut)

    def _flows(self, fragments: Sequence[Fragment]) -> bool:
        """Say one piece of text or of reasoning as it is, if all stages would; False, and nothing done, if not."""
        if self._text_is_watched or len(fragments) != 1:
            return False
        piece = fragments[0]
        if not isinstance(piece, (Text, Reasoning)):
            return False
        channel = self._rescue.flows_into(type(piece), piece.text)
        if channel is None:
            return False
        (self._sequencer.text if channel is Text else self._sequencer.reasoning)(piece.text)
        return True

    def _pass_on(self, fragments: Sequence[Fragment]) -> None:
        for fragment in fragments:
            if self._stops.matched is not None and not _may_follow_a_stop(fragment):
                continue
            if isinstance(fragment, Text):
                self._say(fragment.text)
            elif isinstance(fragment, Reasoning):
                self._sequencer.reasoning(fragment.text)
            elif isinstance(fragment, ToolCall):
                self._release_held_text()
                self._sequencer.tool_call(fragment)
            elif isinstance(fragment, Usage):
                self.usage = fragment
            elif isinstance(fragment, Finish):
                self._finish = fragment
            elif self._finish is None:
                self.failure = fragment
                return
            else:
                # After the finish the answer is whole: OpenRouter says "length", and then that it ended badly
                # (recording openrouter-minimax-m2-free-reasoning-stream-length).
                self.count("errors_after_finish")

    def _say(self, text: str) -> None:
        if self._form is not None:
            self._form.feed(text)
            return
        passed = self._stops.feed(text)
        if passed:
            self._sequencer.text(passed)

    def _release_held_text(self) -> None:
        if not self._text_is_watched:
            return
        held = self._stops.feed(self._take_form()) + self._stops.finish()
        if held:
            self._sequencer.text(held)


def _may_follow_a_stop(fragment: Fragment) -> bool:
    """Of what a provider says that was not told of a stop sequence; a call that was found in the text is before it."""
    return isinstance(fragment, Usage) or (isinstance(fragment, ToolCall) and fragment.slot < 0)


def to_stop_reason(finish: Finish, stop_sequence: str | None) -> StopReason:
    """The `stop_reason` of an answer without whole tool calls; words that are not known end the turn."""
    if finish.is_at_length:
        return "max_tokens"
    if finish.is_refusal:
        return "refusal"
    if finish.reason == WINDOW_FULL:
        return "model_context_window_exceeded"
    return "stop_sequence" if stop_sequence is not None else "end_turn"
