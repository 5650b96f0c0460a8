"""Puts what a model says into blocks that stand one after another, as the Messages API wants them.

Runs of reasoning, runs of text, and tool calls wait in the order in which they began; the first one streams as it
arrives, the others are held until it is their turn. A tool call's turn is over when its arguments are a whole JSON
object and something else has begun, or when the answer ends.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from ..fragments import ToolCall
from ..rescue.arguments import ArgumentsStream
from ..wire.messages_api import JSON
from .emitter import MessageEmitter
from .tool_calls import ToolNames, ToolUseIds

# Some models alternate single words of text with single words of reasoning; a block for each would chop the answer to
# pieces. Reasoning after visible text waits for the next tool call or the end, but not beyond this many characters.
_LATE_REASONING_LIMIT = 4000
_TAIL = 600


class _Prose:
    """A run of text or of reasoning."""

    is_done = True
    is_shown = False

    def __init__(self, emitter: MessageEmitter, *, is_text: bool) -> None:
        self.is_text = is_text
        self._emitter = emitter
        self._pieces: list[str] = []

    def add(self, piece: str) -> None:
        self._pieces.append(piece)

    def flush(self) -> None:
        if not self._pieces:
            return
        if not self.is_shown:
            self.is_shown = True
            if self.is_text:
                self._emitter.open_text()
            else:
                self._emitter.open_thinking()
        self._emitter.delta(_taken(self._pieces))

    def close(self, *, cut_off: bool) -> None:
        self.flush()
        self._emitter.close()


@dataclass(slots=True)
class ServerCall:
    """A call of a tool that the server runs itself, with the client's id and name. `arguments` is JSON text."""

    id: str
    name: str
    arguments: str = ""


class _Call:
    """One tool call. Its name is complete when its arguments begin; where they come first, it comes in one piece."""

    is_text = False

    def __init__(self, sequencer: "BlockSequencer") -> None:
        self._owner = sequencer
        self._id = ""
        self._name = ""
        self.is_shown = False
        self._pieces: list[str] = []
        self._unread: list[str] = []  # arguments that came before the name, by which they are to be read
        self._arguments: ArgumentsStream | None = None
        self._server_call: ServerCall | None = None

    @property
    def is_done(self) -> bool:
        return self._arguments is not None and self._arguments.is_complete

    @property
    def says_anything(self) -> bool:
        """It has a name, or arguments: parsers also send calls with neither, some with an empty object for them."""
        return bool(self._name) or self._arguments is not None or "".join(self._unread).strip() not in ("", "{}")

    def add(self, piece: ToolCall) -> None:
        self._id = self._id or piece.id
        if self._arguments is not None:
            self._pieces.append(self._arguments.feed(piece.arguments))
            return
        self._add_name(piece.name)
        if piece.arguments:
            self._unread.append(piece.arguments)
        if self._unread and self._name:
            self._read()

    def _read(self) -> ArgumentsStream:
        """The name is complete: begin to read the arguments."""
        self._arguments = ArgumentsStream(self._owner.schema_of(self._name))
        self._pieces.append(self._arguments.feed(_taken(self._unread)))
        return self._arguments

    def _add_name(self, piece: str) -> None:
        """Names come late, split, or again in every chunk; pieces are joined only if that makes a declared name."""
        names = self._owner.names
        if piece != self._name and (names.knows(self._name + piece) or not names.knows(self._name)):
            self._name += piece

    def flush(self) -> None:
        text = _taken(self._pieces)
        if text:
            self._open()
            self._owner.emitter.delta(text)
            if self._server_call is not None:
                self._server_call.arguments += text

    def close(self, *, cut_off: bool) -> None:
        """End the call. Cut off before its arguments began, it is no call: it would run with none."""
        if self._arguments is None and (cut_off or not self.says_anything):
            return
        arguments = self._arguments or self._read()
        self._pieces.append(arguments.finish(cut_off=cut_off))
        if arguments.repaired:
            self._owner.counts["repaired_arguments"] += 1
        self.flush()
        self._open()
        self._owner.emitter.close()

    def _open(self) -> None:
        if self.is_shown:
            return
        self.is_shown = True
        owner = self._owner
        name = owner.names.resolve(self._name)
        if name in owner.server_tools:
            self._server_call = ServerCall(f"srv{owner.ids.choose('')}", name)
            owner.server_calls.append(self._server_call)
            owner.emitter.open_server_tool_use(self._server_call.id, name)
        else:
            owner.tool_use_count += 1
            owner.emitter.open_tool_use(owner.ids.choose(self._id), name)


class BlockSequencer:
    """Drives the emitter. `schemas` holds the declared tools' schemas by the name that was sent upstream.

    `server_tools` are the client's names of those tools that the client expects the server to run itself.
    """

    def __init__(
        self,
        emitter: MessageEmitter,
        *,
        schemas: Mapping[str, JSON],
        names: ToolNames,
        ids: ToolUseIds,
        counts: defaultdict[str, int],
        server_tools: Collection[str] = (),
    ) -> None:
        self.emitter = emitter
        self.names = names
        self.ids = ids
        self.counts = counts
        self.tool_use_count = 0
        self.server_tools = server_tools
        self.server_calls: list[ServerCall] = []
        """What this server is to run, in order; whoever has run it takes it out."""
        self.amount_said = 0
        self.text_tail = ""
        """The end of what has been said so far, long enough to see how it ends."""
        self._schemas = schemas
        self._queue: deque[_Prose | _Call] = deque()
        self._prose: _Prose | None = None  # the run that may still grow: the last block, unless that is a call
        self._calls: dict[int, _Call] = {}
        self._blank_text: list[str] = []  # white space that is text only if more text follows
        self._blank_reasoning: list[str] = []
        self._late_reasoning: list[str] = []
        self._late_length = 0
        self._begins_paragraph = False  # the text of another answer follows that of the one before

    def begin_answer(self) -> None:
        """Another answer of the provider's follows: its slots are its own, and what nobody has seen is forgotten."""
        self._calls.clear()
        self._queue = deque(block for block in self._queue if block.is_shown)
        last = self._queue[-1] if self._queue else None
        self._prose = last if isinstance(last, _Prose) else None
        self._begins_paragraph = self._prose is not None and self._prose.is_text
        self._blank_text.clear()
        self._blank_reasoning.clear()
        self.text_tail = ""

    @property
    def has_calls(self) -> bool:
        return any(call.says_anything for call in self._calls.values())

    def schema_of(self, name: str) -> JSON | None:
        return self._schemas_by_client_name.get(self.names.resolve(name))

    @cached_property
    def _schemas_by_client_name(self) -> dict[str, JSON]:
        return {self.names.resolve(name): schema for name, schema in self._schemas.items()}

    def text(self, piece: str) -> None:
        if self._prose is None or not self._prose.is_text:
            if not piece.strip():
                # Models put line ends between reasoning and a tool call; an empty block would be refused later.
                self._blank_text.append(piece)
                return
            piece = _taken(self._blank_text) + piece
            self._append_prose(is_text=True)
        elif self._begins_paragraph:
            piece = piece.lstrip()
            if not piece:
                return
            piece = f"\n\n{piece}"
        self._begins_paragraph = False
        self.amount_said += 1
        self.text_tail = (self.text_tail + piece)[-_TAIL:]
        self._grow(piece)

    def reasoning(self, piece: str) -> None:
        if self._prose is not None and self._prose.is_text:
            self._late_reasoning.append(piece)
            self._late_length += len(piece)
            if self._late_length > _LATE_REASONING_LIMIT:
                self._place_late_reasoning()
            return
        self._reasoning(piece)

    def tool_call(self, piece: ToolCall) -> None:
        self.amount_said += 1
        call = self._calls.get(piece.slot)
        if call is None:
            self._place_late_reasoning()
            self._blank_text.clear()
            call = self._calls[piece.slot] = _Call(self)
            self._queue.append(call)
            self._prose = None
        call.add(piece)
        self._advance()

    def finish(self, *, cut_off: bool) -> bool:
        """The answer is over; `cut_off` says that not the model ended it. True if that cut a tool call."""
        self._place_late_reasoning()
        has_cut_a_call = False
        while self._queue:
            block = self._queue.popleft()
            is_cut = cut_off and not block.is_done
            block.close(cut_off=is_cut)
            has_cut_a_call |= is_cut
        return has_cut_a_call

    def break_off(self, *, keeps_text: bool = True) -> None:
        """The answer broke: close what is whole, in order, up to the first tool call that is not.

        Claude Code runs tool calls whose block was closed and goes on from closed text; a block that is left open it
        drops, and asks again. A thinking block at the end is therefore left open, and so is a text that nobody would go
        on from (`keeps_text` is false).
        """
        while self._queue and self._queue[0].is_done and (len(self._queue) > 1 or self._is_worth_keeping(keeps_text)):
            self._queue.popleft().close(cut_off=True)

    def _is_worth_keeping(self, keeps_text: bool) -> bool:
        return self._prose is None or (self._prose.is_text and keeps_text)

    def _reasoning(self, piece: str) -> None:
        if self._prose is None or self._prose.is_text:
            if not piece.strip():
                self._blank_reasoning.append(piece)
                return
            piece = _taken(self._blank_reasoning) + piece
            self._append_prose(is_text=False)
        self._grow(piece)

    def _append_prose(self, *, is_text: bool) -> None:
        self._prose = _Prose(self.emitter, is_text=is_text)
        self._queue.append(self._prose)

    def _grow(self, piece: str) -> None:
        prose = self._prose
        if prose is None:
            return
        if prose.is_shown:  # and so the only one
            self.emitter.delta(piece)
        else:
            prose.add(piece)
            self._advance()

    def _advance(self) -> None:
        while len(self._queue) > 1 and self._queue[0].is_done:
            self._queue.popleft().close(cut_off=False)
        if self._queue:
            self._queue[0].flush()

    def _place_late_reasoning(self) -> None:
        if self._late_reasoning:
            text = _taken(self._late_reasoning)
            self._late_length = 0
            self._reasoning(text)


def _taken(pieces: list[str]) -> str:
    """What was collected; nothing of it is left."""
    text = "".join(pieces)
    pieces.clear()
    return text
