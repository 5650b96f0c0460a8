"""Conversations as they were translated, so that of the next request only what is new has to be.

A client sends the whole conversation with each request. How a turn is translated depends on what stands before it and
on nothing behind it, so where the beginning is the same, its translation is. What is compared is JSON, byte for byte:
for Python `1`, `1.0` and `True` are equal. Pure, but for what it holds; threads may share one.
"""

from typing import Any, NamedTuple

from ..wire.codec import dumps_strictly
from .messages import Conversation, Manner, Pause, read_conversation
from .tokens import Size, size_of

_LEAST_MESSAGES = 4
"""Shorter ones are translated sooner than compared."""
_MOST_PLACES = 4
"""The client marks the end of each request for its cache, so the last message or two are never what they were."""
_FIRST_LOOK = 1_000
"""Bytes that tell most conversations apart."""
_MOST_CONVERSATIONS = 32
_MOST_BYTES = 8 * 1024 * 1024
"""Limit for the clients' JSON that is kept. With its translations that is 30 MB of memory (measured: 3.7 times)."""


_NOTHING = Size()


class _Place(NamedTuple):
    """A pause in a conversation."""

    pause: Pause
    size: Size
    """The size of what is translated before it."""
    end: int
    """How many bytes of the client's JSON have to be the same: up to the end of the message behind the pause, which is
    the assistant's, and the comma after it. If that message were the user's, the turn before would go on.
    """


class _Known(NamedTuple):
    manner: Manner
    said: bytes
    """The client's messages as JSON."""
    conversation: Conversation
    places: list[_Place]
    """The last ones."""


class History:
    """What is kept, the latest last."""

    def __init__(self) -> None:
        self._known: tuple[_Known, ...] = ()

    def __len__(self) -> int:
        """How many conversations are kept."""
        return len(self._known)

    def read(self, body: dict[str, Any], manner: Manner) -> tuple[Conversation, Size, int]:
        """The conversation as `read_conversation` gives it; the size of its first messages, and how many these are."""
        messages = body.get("messages")
        said = _as_json(messages) if isinstance(messages, list) and len(messages) >= _LEAST_MESSAGES else None
        if messages is None or said is None:
            return read_conversation(body, manner), _NOTHING, 0
        known, places = self._in_common(manner, said)
        if known is None:
            conversation = read_conversation(body, manner)
            size, skipped, written = _NOTHING, 0, 0
        else:
            pause, size, _ = places.pop()
            before = known.conversation.until(pause)
            skipped, written = len(before.pauses), pause.written
            conversation = read_conversation(body, manner, before, pause.read)
        for pause in conversation.pauses[skipped:][-_MOST_PLACES:]:
            size = size.plus(size_of(conversation.messages[written : pause.written]))
            written = pause.written
            rest = messages[pause.read + 1 :]
            if rest:
                places.append(_Place(pause, size, len(said) - len(dumps_strictly(rest)) + len("[")))
        if places and not conversation.ignored:  # these are counted anew for each request
            self._keep(_Known(manner, said, conversation, places[-_MOST_PLACES:]), known)
        return conversation, size, written

    def _in_common(self, manner: Manner, said: bytes) -> tuple[_Known | None, list[_Place]]:
        """The conversation that has most in common with this one, and those of its places that both have."""
        best: tuple[_Known | None, list[_Place]] = None, []
        for known in self._known:
            places = known.places
            first = min(_FIRST_LOOK, places[0].end)
            if known.manner != manner or not said.startswith(known.said[:first]):
                continue
            while places and not said.startswith(known.said[: places[-1].end]):
                places = places[:-1]
            if places and (not best[1] or places[-1].end > best[1][-1].end):
                best = known, list(places)
        return best

    def _keep(self, new: _Known, instead_of: _Known | None) -> None:
        kept: list[_Known] = []
        room = _MOST_BYTES
        for known in [new, *[known for known in reversed(self._known) if known is not instead_of]]:
            if len(known.said) <= room and len(kept) < _MOST_CONVERSATIONS:
                kept.append(known)
                room -= len(known.said)
        self._known = tuple(reversed(kept))


def _as_json(messages: list[Any]) -> bytes | None:
    """None where they cannot be written as they were read."""
    try:
        return dumps_strictly(messages)
    except (ValueError, RecursionError):  # half a character, infinity, too deep
        return None
