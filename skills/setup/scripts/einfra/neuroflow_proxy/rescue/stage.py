"""Finds what leaked: thoughts between tags in the text, and tool calls written as text in the text or in the reasoning.

A filter over fragments. Everything that is not a thought's tag or a rescued call leaves as it came, in its channel and
in order. Text is held back only while it may be the beginning of a mark, or inside what may be a call until that has
proven to be one or not; what has not is text, byte for byte.

    text ─▶ marks ─▶ grammar ──▶ calls, kept until the answer finishes
                 │      └ refuted ▶ text
                 └─▶ spans ──▶ which channel the text belongs to

Rescued calls leave with the finish, because only then it is known which of them the provider sent as well.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from itertools import groupby
from typing import Any

from ..fragments import Failure, Finish, Fragment, Piece, Reasoning, Text, ToolCall
from . import control_tokens, marks, thoughts
from .block import Block, Then
from .harvest import Channel, Harvest
from .leftovers import is_opening, leftovers, unless_quoted
from .markup import call_in_name
from .outgoing import Outgoing
from .schema import Value
from .source import CutOff, Refuted, Source, Steps, Unfinished
from .spans import BY_OPENING, CLOSINGS, ORPHANS, RESPONSES, Span
from .toolbox import Call, Toolbox

# A refuted block is searched again for what it may hold, but all in all no more than this many times what arrived.
_RESEARCH_FACTOR = 4
_RESEARCH_START = 1 << 16
# A text with more marks than this that open nothing is a text about marks.
_MAX_REFUTED = 1000


class Rescue:
    """One answer's filter.

    `tools` maps declared upstream names to the schemas of their parameters. `opens_in_thought` is for families whose
    template writes the opening tag of the thought: the beginning is then held until its closing tag has come.
    `takes_up` is the text of which this answer is the rest: a code block that was opened there is still open. What is
    found is counted in `counts`, by name.
    """

    def __init__(
        self,
        tools: Mapping[str, Value],
        *,
        opens_in_thought: bool = False,
        takes_up: str = "",
        counts: defaultdict[str, int] | None = None,
    ) -> None:
        self.counts: defaultdict[str, int] = defaultdict(int) if counts is None else counts
        self._tools = Toolbox(tools)
        self._marks = marks.ALL if tools else marks.WITHOUT_TOOLS
        self._out = Outgoing(may_begin_call=bool(tools), takes_up=takes_up, is_undecided=opens_in_thought)

        self._home: Channel = Text  # the field in which the provider sends now
        self._span: Span | None = None

        self._held = ""  # may be the beginning of a mark
        self._block: Block | None = None
        self._research = _RESEARCH_START
        self._refuted = 0
        self._skips_line_ends = False
        self._is_behind_call = False  # the last thing was a native call: its parser may have left marks behind it

        self._native = StringIO()  # reasoning from a field of its own, before any visible text
        self._has_native_reasoning = False
        self._has_thought = False  # a thought was split off or mentioned; a lone closing tag is a mention then
        self._is_framed = False  # the answer is written in messages with headers (gpt-oss, Kimi K3)

        self._harvest = Harvest(self._tools)
        self._slot = 0
        self._is_idle = False  # nothing is held
        self._flows = False  # nor can anything but a mark change what becomes of `_home`'s text

    def feed(self, fragments: Sequence[Fragment]) -> list[Fragment]:
        """Take fragments; return those that can be passed on now."""
        if self._is_idle and len(fragments) == 1 and isinstance(fragments[0], ToolCall):
            self._is_behind_call, self._flows = bool(self._tools), False
            return [self._native_call(fragments[0])]
        if self._flows and {*map(type, fragments)} == {self._home}:
            text = "".join([fragment.text for fragment in fragments])  # type: ignore[union-attr]
            channel = self.flows_into(self._home, text) if text else None
            if channel is not None:
                return [channel(text)]
        for kind, run in groupby(fragments, type):
            if kind is Text or kind is Reasoning:
                self._hear(kind, "".join([fragment.text for fragment in run]))  # type: ignore[union-attr]
            else:
                for fragment in run:
                    self._pass(fragment)
        taken = self._out.take()
        self._is_idle = self._block is None and not (
            self._held or self._out.gap or self._skips_line_ends or self._out.is_undecided
        )
        said = self._out.present
        self._flows = (
            self._is_idle
            and said.has_words
            and not said.may_begin_call
            and (self._home is Text or self._has_native_reasoning)
            and not (self._is_behind_call or self._harvest.awaits_words)
        )
        return taken

    def flows_into(self, field: type[Piece], text: str) -> Channel | None:
        """The channel into which this text of a field passes whole, as all does between two marks.

        This is what `_hear` comes to as long as nothing is found. None, and nothing done, where only `feed` can tell.
        """
        if not (self._flows and field is self._home and self._marks.has_none(text)):
            return None
        self._research += _RESEARCH_FACTOR * len(text)
        if field is Reasoning and not self._out.said[Text].has_words:
            self._native.write(text)
        self._out.present.prose.add(text)
        return self._out.channel

    def finish(self) -> list[Fragment]:
        """There are no more fragments; return the rest."""
        if self._is_idle and not self._harvest:
            return []
        self._settle(was_cut=True)
        self._release()
        self._out.is_undecided = False
        return self._out.take()

    # What comes in

    def _pass(self, fragment: Fragment) -> None:
        """Anything that is no text goes through in its place; calls and ends settle what is held before them."""
        if isinstance(fragment, ToolCall):
            if self._block is not None and is_opening(self._block.everything):
                self._block = None
            self._settle(was_cut=False)
            self._is_behind_call = bool(self._tools)
            self._out.is_undecided = False
            fragment = self._native_call(fragment)
        elif isinstance(fragment, (Finish, Failure)):
            self._settle(was_cut=isinstance(fragment, Failure) or fragment.was_cut)
            self._out.is_undecided = False
            if self._harvest:
                self._release()
        self._out.put(fragment)

    def _native_call(self, piece: ToolCall) -> ToolCall:
        """A piece of a call that the provider sends as one, with its arguments out of its name if they are there."""
        found = call_in_name(piece.name, self._tools) if "<arg_value>" in piece.name else None
        if found is not None:
            self.counts[found.grammar] += 1
            piece = ToolCall(piece.slot, piece.id, found.name, found.arguments)
        self._harvest.add_native(piece)
        return piece

    def _hear(self, field: Channel, text: str) -> None:
        """Take a run of text that came in one field."""
        if not text:
            return
        if field is not self._home:
            self._settle(was_cut=False)
            self._turn_to(field)
        if field is Reasoning and not text.isspace():
            self._has_native_reasoning = True
            self._out.is_undecided = False
        if field is Reasoning and not self._out.said[Text].has_words:
            self._native.write(text)
        self._research += _RESEARCH_FACTOR * len(text)
        if self._is_behind_call:
            self._is_behind_call = False
            self._open(text, 0, 0, leftovers, self._on_residue)
            self._work(text, 0)
        elif self._block is not None:
            if self._block.add(text):
                self._work("", 0)
        elif self._held:
            text = self._held + text
            if self._marks.is_beginning(text):
                self._held = text
                return
            self._held = ""
            self._work(text, 0)
        elif self._marks.has_none(text) and not (self._skips_line_ends or self._may_begin_call(text)):
            self._say(text)
        else:
            self._work(text, 0)

    def _settle(self, *, was_cut: bool) -> None:
        """Nothing follows here: what is held is a call if it is whole, else text."""
        text, self._held = self._held, ""
        if self._block is not None or text:
            self._work(text, 0, ended=True, was_cut=was_cut)
        self._out.gap = ""
        self._skips_line_ends = False

    def _turn_to(self, kind: Channel) -> None:
        self._home = kind
        self._span = None
        self._out.turn_to(kind)

    # The search

    def _work(self, text: str, start: int, *, ended: bool = False, was_cut: bool = False) -> None:
        """Search the text from `start` on; or, where a block is being read, first go on with that."""
        while True:
            if self._block is None:
                start = self._search(text, start, ended=ended)
            if self._block is None:
                return
            block = self._block
            if ended:
                block.source.end(was_cut=was_cut)
            try:
                block.advance()
                return
            except StopIteration as stop:
                self._block = None
                text, start = block.source.text, block.source.position
                block.then(stop.value, block)
            except Refuted as refuted:
                self._block = None
                self._refuted += 1
                text, start = block.whole()
                again = start + block.opening
                if isinstance(refuted, Unfinished) or (isinstance(refuted, CutOff) and block.source.was_cut):
                    again = len(text)  # what stands in a call that was not finished is that call's, and no other call
                elif self._research < block.consumed:
                    again = max(again, start + block.consumed)
                self._research -= block.consumed
                self._say(text[start:again])
                start = again

    def _search(self, text: str, start: int, *, ended: bool) -> int:
        """Say what is text, up to the next mark that opens a block. Returns where that stands, or the end."""
        while self._block is None:
            if self._skips_line_ends:
                while start < len(text) and text[start] in "\r\n":
                    start += 1
                self._skips_line_ends = start == len(text)
            if self._out.present.may_begin_call:
                start = self._search_beginning(text, start)
                if self._block is not None:
                    break
            found = self._marks.search(text, start)
            if found is None:
                end = len(text) if ended else self._marks.beginning(text, start)
                self._say(text[start:end])
                self._held = text[end:]
                return len(text)
            self._say(text[start : found.start()])
            start = found.start()
            if not ended and self._marks.is_beginning(text, start):  # it may be a longer one
                self._held = text[start:]
                return len(text)
            mark = found.group()
            if not self._meets(mark, text, start):
                self._say(mark)
            if self._block is None:
                start += len(mark)
        return start

    def _may_begin_call(self, text: str) -> bool:
        """Whether text without a mark may open a call: only where nothing but white space stands before it."""
        said = self._out.present
        if not said.may_begin_call:
            return False
        first = text.lstrip()[:1]
        if first and first in "{[":
            return True
        said.may_begin_call = not first
        return False

    def _search_beginning(self, text: str, start: int) -> int:
        """An answer may be nothing but a call, without any mark."""
        first = start
        while first < len(text) and text[first].isspace():
            first += 1
        if first < len(text):
            self._out.present.may_begin_call = False
            if text[first] in "{[":
                self._say(text[start:first])
                self._open(text, first, 0, lambda source: control_tokens.bare(source, self._tools), self._on_items)
                return first
        return start

    def _meets(self, mark: str, text: str, start: int) -> bool:
        """Act on a mark; False if it is only a mention of one."""
        prose = self._out.present.prose
        if self._span is not None and mark in self._span.closes:
            if prose.is_code_span:
                return False
            self._end_span()
            return True
        if self._refuted > _MAX_REFUTED or prose.is_code:
            return False
        if mark in ORPHANS:
            return self._meets_orphan(mark, text, start)
        if mark in BY_OPENING:
            return self._meets_opening(BY_OPENING[mark], text, start)
        if mark in CLOSINGS:
            return False
        grammar = marks.GRAMMARS[mark]
        ends = prose.quotation_ends
        if not ends:
            self._open(text, start, len(mark), lambda source: grammar(source, self._tools), self._on_items)
            return True
        self._open(
            text,
            start,
            len(mark),
            lambda source: unless_quoted(source, grammar(source, self._tools), ends),
            self._on_maybe_quoted,
        )
        return True

    def _meets_opening(self, span: Span, text: str, start: int) -> bool:
        """Thoughts are opened before anything visible was said; a framed answer may open anything at any time."""
        is_foreign = self._home is Reasoning and not span.is_framed
        is_late = self._out.said[self._home].has_words and not (span.is_framed and self._is_framed)
        if span in RESPONSES and self._is_framed_thought(is_late=is_late):
            self._open_unless_mentioned(span.opens, text, start, lambda *_: self._begin_span(span))
            return True
        if self._span is not None or is_foreign or is_late:
            self._has_thought = self._has_thought or (span.is_thought and self._home is Text)  # so is what closes it
            return False
        if span.is_thought and self._has_native_reasoning:
            said = self._native.getvalue().strip()
            self._open(text, start, len(span.opens), lambda source: thoughts.echo(source, span, said), self._on_echo)
        else:
            self._begin_span(span)
        return True

    def _is_framed_thought(self, *, is_late: bool) -> bool:
        """Whether a thought is under way that the model may leave without closing it (vllm #54273, sglang #32567)."""
        if self._span is not None:
            return self._span.is_thought and self._span.is_framed
        return is_late and self._home is Reasoning

    def _meets_orphan(self, mark: str, text: str, start: int) -> bool:
        is_framed = mark.startswith("<|")
        if self._span is not None or (self._home is Reasoning and not is_framed):
            return False
        if not is_framed and (self._has_thought or (self._has_native_reasoning and self._out.said[Text].has_words)):
            return False
        self._open_unless_mentioned(mark, text, start, lambda *_: self._on_orphan(mark))
        return True

    def _open_unless_mentioned(self, mark: str, text: str, start: int, then: Then) -> None:
        """Wait until it is known whether the sentence in which the mark stands only speaks of it."""
        before = self._out.present.prose.tail
        self._open(text, start, len(mark), lambda source: thoughts.unmentioned(source, mark, before), then)

    def _open(self, text: str, start: int, opening: int, grammar: Callable[[Source], Steps[Any]], then: Then) -> None:
        source = Source(
            text,
            start,
            is_fresh=self._is_framed or not self._out.said[self._home].has_words,
            is_line_start=self._out.present.prose.is_line_start,
        )
        self._block = Block(source, grammar(source), then, opening=opening)

    # What was found

    def _on_items(self, items: Sequence[Call | Span | str], block: Block) -> None:
        if not self._takes_all(items):
            return
        if self._harvest.may_be_draft:
            self._harvest.keep(block.read)
        self._open(block.source.text, block.source.position, 0, leftovers, self._on_leftovers)

    def _on_maybe_quoted(self, found: tuple[Sequence[Call | Span | str], str] | None, block: Block) -> None:
        if found is None:
            self._say(block.read)
        elif self._takes_all(found[0]):
            self._on_leftovers(found[1], block)

    def _takes_all(self, items: Sequence[Call | Span | str]) -> bool:
        """Take what was found; False where a span begins, in which all that follows stands."""
        for item in items:
            if isinstance(item, Call):
                if self._span is not None and self._span.is_framed:
                    self._end_span()
                self._harvest.add(self._out.channel, item)
                self._out.gap = ""
            elif isinstance(item, Span):
                self._begin_span(item)
                return False
            else:
                self._say(item)
        return True

    def _on_leftovers(self, gap: str, block: Block) -> None:
        self._out.gap = gap
        if self._harvest.may_be_draft:
            self._harvest.keep(block.read.removesuffix(gap))

    def _on_residue(self, gap: str, block: Block) -> None:
        self._out.gap = gap

    def _on_echo(self, items: list[str], block: Block) -> None:
        self._has_thought = True
        self._skips_line_ends = True
        self._out.begin_answer()
        self.counts["think"] += 1

    def _on_orphan(self, mark: str) -> None:
        """What stood before the closing tag of a thought was that thought, unless it was passed on already."""
        self._is_framed = self._is_framed or mark.startswith("<|")
        if not ORPHANS[mark]:
            return
        self._has_thought = True
        self._out.is_undecided = False
        self.counts["think"] += 1
        self._out.begin_answer()
        if self._out.passed_on or self._has_native_reasoning or self._home is Reasoning:
            return
        self._out.recast_as_thought()
        self._skips_line_ends = True

    def _begin_span(self, span: Span) -> None:
        self._span = span
        self._is_framed = self._is_framed or span.is_framed
        self._out.is_undecided = False
        if span.is_thought:
            self._has_thought = True
            self.counts["think"] += 1
        self._out.turn_to(Reasoning if span.is_thought else Text)
        if span.is_framed and not self._out.present.prose.is_line_start:
            self._say("\n")  # in place of the frame between two messages

    def _end_span(self) -> None:
        if self._span is not None:
            is_thought = self._skips_line_ends = self._span.is_thought
            self._span = None
            self._out.turn_to(self._home)
            if is_thought:
                self._out.begin_answer()

    # What goes out

    def _say(self, text: str) -> None:
        if not text:
            return
        self._out.say(text)
        if self._out.channel is Text and self._harvest.awaits_words and not text.isspace():
            self._harvest.hear_words()

    def _release(self) -> None:
        """Give out the calls that are to be made."""
        for found in self._harvest.take():
            if isinstance(found, Reasoning):
                self._out.put(found)
                continue
            self._slot -= 1
            self.counts[found.grammar] += 1
            self._out.put(ToolCall(self._slot, "", found.name, found.arguments))
