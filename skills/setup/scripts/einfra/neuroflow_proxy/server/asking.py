"""Asking the provider: wait for a place, ask, read, and as long as nothing was said ask again where that can help.

Knows one question at a time and the one answer that grows from it. What may follow a whole answer, and where the events
go, is the caller's affair.
"""

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from typing import Protocol

from ..errors import Kind, UpstreamError
from ..provider.admission import Priority, told_limit
from ..provider.client import UpstreamAnswer
from ..provider.faults import TooManyOutputTokens, classify, classify_stream_error
from ..provider.learning import learn
from ..provider.retry import next_delay
from ..settings import Settings
from ..translate.request_kind import RequestKind
from ..translate.response import ResponseStream
from ..wire.messages_api import JSON
from ..wire.sse import EventTooLong
from .question import Question
from .state import ProxyState

# After the provider has said why it stopped only the usage can still come; some then leave the connection open.
END_GRACE_S = 5.0

# An hour of a fast model comes to half of it; what goes on for longer has lost itself.
MAX_ANSWER_BYTES = 512 * 1024 * 1024

# A model may refuse several things, one at a time; each lesson is new, so this bound is met only by a bug.
MAX_REPAIRS = 6

_MAY_FALL_BACK = frozenset({Kind.RATE_LIMIT, Kind.OVERLOADED, Kind.TIMEOUT, Kind.UNREACHABLE, Kind.BROKEN_ANSWER})

_log = logging.getLogger("neuroflow_proxy")


class Write(Protocol):
    """Where the events of the answer go."""

    async def __call__(self, events: Sequence[JSON], *, may_wait: bool = False) -> None:
        """As `Output.write`."""


class Asking:
    """One answer, and all that is asked for it.

    `models` holds the model to ask and those to turn to when it is down; `kind` is the body's, if it is known. Raises
    `RequestError` for a `body` that cannot be translated.
    """

    def __init__(
        self,
        state: ProxyState,
        settings: Settings,
        body: JSON,
        models: Sequence[str],
        priority: Priority,
        *,
        kind: RequestKind | None = None,
    ) -> None:
        self._state = state
        self._settings = settings
        self.memory = state.memory_of(settings)
        self._models = models
        self._priority = priority
        self.question = self._put(body, self.memory.first_up(models), kind=kind)
        self.stream = ResponseStream(self.question.context())
        self.attempts = 0
        self.waited_s = 0.0
        """How long it waited in the queue."""
        self.position = 0
        """Its place in the queue when it came; 0 if it never had to wait."""
        self.first_byte_s: float | None = None
        self.began = time.monotonic()
        self._refusal: object = b""

    async def patiently(self, body: JSON, write: Write) -> None:
        """Ask for what `body` wants, again as long as that can help and nothing was said. Raises `ProxyError`."""
        if body is not self.question.body:
            self._turn_to(self._put(body, self.question.model))
        before = self.stream.progress
        tries = repairs = 0
        began, waited_before_s = time.monotonic(), self.waited_s
        while True:
            sent = self.question.to_bytes()
            known = self.memory.refused.find(sent)
            if known is not None:
                raise known
            tries += 1
            try:
                await self._once(sent, write)
            except UpstreamError as error:
                if self.stream.progress != before:
                    raise
                mended = self._mended(error) if repairs < MAX_REPAIRS else None
                if mended is not None:
                    repairs += 1
                    self._turn_to(mended)
                    continue
                in_line_s = self.waited_s - waited_before_s  # which is no failing
                elapsed_s = time.monotonic() - began - in_line_s
                delay_s = next_delay(tries - repairs, error, elapsed_s, jitter=random.random())  # noqa: S311
                if delay_s is None:
                    other = self._fallback(error)
                    if other is None:
                        self.memory.refused.remember(sent, error)
                        raise
                    self._turn_to(other)
                    tries = repairs = 0
                    continue
                _log.info("model=%s asking again in %.1f s: %s", self.question.model, delay_s, error.kind)
                self._turn_to(self.question)
                await asyncio.sleep(delay_s)
            else:
                return

    async def once_more(self, body: JSON, write: Write) -> None:
        """Ask for something better than what was said, which is a whole answer: it stands if this comes to nothing."""
        said_before = self.stream.amount_said
        try:
            await self.patiently(body, write)
        except UpstreamError as error:
            if self.stream.amount_said != said_before:
                raise
            _log.info("model=%s the second try failed: %s", self.question.model, error.kind)
            self._turn_to(self.question)

    def _put(self, body: JSON, model: str, *, kind: RequestKind | None = None) -> Question:
        return Question.of(body, model, self._settings, self.memory, kind=kind)

    def _turn_to(self, question: Question) -> None:
        """Forget what the provider has answered and expect the answer to `question`, as its model gives it."""
        self.question = question
        self.stream.restart(question.context())

    async def _once(self, sent: bytes, write: Write) -> None:
        self.attempts += 1
        self.memory.allow(self._settings.max_concurrent_requests)
        async with self.memory.admission.slot(self._priority, sent) as ticket:
            self.waited_s += ticket.waited_s
            self.position = max(self.position, ticket.position)
            silence_s = self.question.profile.silence_timeout_s
            client = self._state.client
            async with await client.chat(self.memory.endpoint, sent, silence_s=silence_s) as answer:
                limit = told_limit(answer.headers)
                if limit is not None:
                    self.memory.told_limit = limit
                    self.memory.allow(self._settings.max_concurrent_requests)
                if answer.status != 200:
                    self._refusal = body = await answer.read()
                    raise self._judged(answer, body)
                await self._translate(answer, write)

    async def _translate(self, answer: UpstreamAnswer, write: Write) -> None:
        stream = self.stream
        received, grace_ends = 0, None
        last: list[JSON] = []
        try:
            while True:
                if grace_ends is None:
                    data = await answer.next_piece()
                else:
                    async with asyncio.timeout_at(grace_ends):
                        data = await answer.next_piece()
                if not data:
                    break
                if self.first_byte_s is None:
                    self.first_byte_s = time.monotonic() - self.began
                received += len(data)
                if received > MAX_ANSWER_BYTES:
                    raise UpstreamError(f"The answer of {self.question.model} did not end, and was cut off.")
                events = stream.feed(data)
                if stream.is_over or stream.failure is not None:
                    last = events
                    break
                await write(events)
                if grace_ends is None and stream.has_finish:
                    grace_ends = asyncio.get_running_loop().time() + END_GRACE_S
        except (TimeoutError, UpstreamError):
            if not stream.has_finish:
                raise
        except EventTooLong as endless:
            raise UpstreamError(f"The answer of {self.question.model} is broken: {endless}.") from endless
        last += stream.settle()
        # A short answer comes and leaves in one piece; none waits for a body that does not end.
        await write(last, may_wait=stream.failure is None and answer.has_ended)
        if stream.failure is not None:
            self._refusal = error = stream.failure.error
            if isinstance(error, str):  # a web page where an answer should be
                raise self._judged(answer, error.encode())
            raise classify_stream_error(error, provider=self._settings.provider, model=self.question.model)
        if not answer.has_ended:
            await answer.drain()

    def _judged(self, answer: UpstreamAnswer, body: bytes) -> UpstreamError:
        return classify(
            answer.status,
            answer.headers,
            body,
            provider=self._settings.provider,
            model=self.question.model,
            now=time.time(),
        )

    def _mended(self, error: UpstreamError) -> Question | None:
        """The question changed so that the same refusal cannot come again; None if there is nothing to change."""
        if error.kind not in (Kind.INVALID_REQUEST, Kind.CONTEXT_TOO_LONG):
            return None
        asked = self.question
        lesson = learn(self._refusal, asked.request.body, self.memory.learned_of(asked.model))
        if lesson is not None:
            self.memory.learn(asked.model, lesson)
        fitting = None
        if isinstance(error, TooManyOutputTokens) and asked.max_tokens is None:
            fitting = error.fitting(asked.request.input_tokens, asked.request.least_output)
        if fitting is None and (lesson is None or error.kind is Kind.CONTEXT_TOO_LONG):
            return None
        _log.info("model=%s request repaired: %s", asked.model, error.message)
        mended = self._put(asked.body, asked.model, kind=asked.request.kind)
        limit = fitting if fitting is not None else asked.max_tokens
        return mended if limit is None else mended.limited_to(limit)

    def _fallback(self, error: UpstreamError) -> Question | None:
        """The question for the user's next fallback model, if this model is down or too busy and there is another."""
        model = self.question.model
        if error.kind not in _MAY_FALL_BACK:
            return None
        self.memory.note_down(model)
        rest = self._models[self._models.index(model) + 1 :]
        if not rest:
            return None
        _log.warning("model=%s is down (%s); falling back to %s", model, error.kind, rest[0])
        self.stream.count("fallbacks")
        return self._put(self.question.body, rest[0], kind=self.question.request.kind)
