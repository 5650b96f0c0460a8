"""The calls of one answer: those that were found in text, held against those that the provider sent as calls.

A call may come both ways (recordings with `duplicate_leak`) and is to be made once. One that stands in the reasoning is
the model's call only if the answer makes no other, and says nothing behind it: else the model thought about it, or read
it somewhere, and then did what it did.
"""

from io import StringIO
from typing import NamedTuple

from ..fragments import Reasoning, Text, ToolCall
from ..wire.codec import InvalidJSON, loads
from .schema import Value
from .toolbox import Call, Toolbox

Channel = type[Text] | type[Reasoning]


class _Found(NamedTuple):
    channel: Channel
    call: Call
    raw: str = ""


class _Native:
    """A call that the provider sends as one."""

    def __init__(self) -> None:
        self._name = ""
        self._arguments = StringIO()

    def add(self, piece: ToolCall) -> None:
        self._name = self._name or piece.name
        self._arguments.write(piece.arguments)

    def meaning(self, tools: Toolbox) -> tuple[str, Value]:
        try:
            arguments = loads(self._arguments.getvalue())
        except InvalidJSON:
            arguments = None
        return tools.names.find(self._name) or self._name, arguments


class Harvest:
    """Collects calls until it is known which of them are to be made."""

    def __init__(self, tools: Toolbox) -> None:
        self._tools = tools
        self._found: list[_Found] = []
        self._answered = 0  # how many of those have words behind them that the user sees
        self._native: dict[int, _Native] = {}

    def add_native(self, piece: ToolCall) -> None:
        if self._tools:
            call = self._native.get(piece.slot)
            if call is None:
                call = self._native[piece.slot] = _Native()
            call.add(piece)

    def add(self, channel: Channel, call: Call) -> None:
        self._found.append(_Found(channel, call))

    def __bool__(self) -> bool:
        """Whether any call was found."""
        return bool(self._found)

    @property
    def may_be_draft(self) -> bool:
        """Whether the last call that was found stands in the reasoning."""
        return bool(self._found) and self._found[-1].channel is Reasoning

    def keep(self, raw: str) -> None:
        """Keep how the last call was written."""
        self._found[-1] = self._found[-1]._replace(raw=self._found[-1].raw + raw)

    @property
    def awaits_words(self) -> bool:
        """Whether words would make a draft of the last call that was found."""
        return self.may_be_draft and self._answered < len(self._found)

    def hear_words(self) -> None:
        """Something visible was said."""
        self._answered = len(self._found)

    def take(self) -> list[Call | Reasoning]:
        """The calls to be made, and what turned out to be a draft."""
        found, self._found = self._found, []
        answered, self._answered = self._answered, 0
        if not found:
            return []
        native = [call.meaning(self._tools) for call in self._native.values()]
        made = native + [_meaning(call) for channel, call, _ in found if channel is Text]
        taken: list[Call | Reasoning] = []
        for number, (channel, call, raw) in enumerate(found):
            meaning = _meaning(call)
            if channel is Reasoning and (made or number < answered):
                if raw and meaning not in made:
                    taken.append(Reasoning(raw))
            elif meaning in native:
                native.remove(meaning)
            else:
                taken.append(call)
        return taken


def _meaning(call: Call) -> tuple[str, Value]:
    return call.name, loads(call.arguments)
