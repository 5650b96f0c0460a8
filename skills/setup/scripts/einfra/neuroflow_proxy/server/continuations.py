"""After a whole answer of the provider's: may something continue the same answer to the client?

Each `Continuation` looks at what was said and returns what to ask next, or None. They are asked in turn after every
answer of the provider's, until none has anything more to ask.
"""

from dataclasses import dataclass
from typing import Protocol

from ..translate.form import asked_again
from ..translate.request_kind import RequestKind
from ..translate.second_try import second_try
from ..wire.messages_api import JSON
from .asking import Asking, Write


@dataclass(frozen=True, slots=True)
class Further:
    """A Messages request whose answer goes on where the answer so far has ended."""

    body: JSON
    may_fail: bool
    """What was said so far is a whole answer, if a poor one: it stands if this comes to nothing."""


class Continuation(Protocol):
    """One reason to go on."""

    async def after(self, asking: Asking, write: Write) -> Further | None:
        """What to ask after the answer that `asking` has just read; what there is to say before that is written."""


class SecondTry:
    """A turn that came to nothing gets one more."""

    def __init__(self) -> None:
        self._was_made = False

    async def after(self, asking: Asking, write: Write) -> Further | None:
        if self._was_made:
            return None
        kind, stream = asking.question.request.kind, asking.stream
        again = second_try(asking.question.body, kind, stream.text_without_call, misses_a_call=stream.misses_a_call)
        if again is None:
            return None
        self._was_made = True
        asking.stream.count("second_tries")
        # Asked in vain for a summary, Claude Code gives up; of a failure it asks again.
        return Further(again, may_fail=kind is not RequestKind.COMPACTION)


class FormRetry:
    """An answer that was to be JSON and is none is asked for once more, before anything of it was said."""

    def __init__(self) -> None:
        self._was_made = False

    async def after(self, asking: Asking, write: Write) -> Further | None:
        said = asking.stream.unmet_form
        if self._was_made or said is None:
            return None
        self._was_made = True
        asking.stream.count("forms_asked_again")
        return Further(asked_again(asking.question.body, said), may_fail=True)


async def answer_whole(asking: Asking, body: JSON, continuations: list[Continuation], write: Write) -> None:
    """Ask for what `body` wants and for all that continues it; after this the stream needs only to be ended."""
    await asking.patiently(body, write)
    while (further := await _next(asking, continuations, write)) is not None:
        await write(())  # what was said has waited for an end that comes later
        if further.may_fail:
            await asking.once_more(further.body, write)
        else:
            await asking.patiently(further.body, write)


async def _next(asking: Asking, continuations: list[Continuation], write: Write) -> Further | None:
    for continuation in continuations:
        further = await continuation.after(asking, write)
        if further is not None:
            return further
    return None
