"""One request and its answer: which model is asked, what is written to the client, and what is told of it afterwards.

The stages are sans-io and hold all that is to know about the two APIs; `asking.py` asks the provider,
`continuations.py` knows what may follow a whole answer.
"""

import logging
import re
import time
from collections.abc import Mapping, Sequence

from ..errors import Kind, ProxyError, UpstreamError
from ..provider.admission import Priority
from ..settings import Settings
from ..translate.message import MessageFold
from ..translate.request_kind import RequestKind
from ..translate.safeguards import wants_verdicts
from ..wire.messages_api import JSON
from .answers import EventStream, Output, WholeMessage, send_error
from .asgi import Headers, Receive, Send
from .asking import Asking, Write
from .body import ClientGone
from .continuations import Continuation, FormRetry, SecondTry, answer_whole
from .searching import SearchLoop
from .state import ProxyState
from .stats import Served
from .verdicts import safeguard_results
from .waiting import run_unless_client_leaves

_NOT_FOR_HEADERS = re.compile(r"[^ -~]")

_log = logging.getLogger("neuroflow_proxy")


class Exchange:
    """Answers one Messages request. `body` and `headers` (lower case) are the client's; `kind` is the body's."""

    def __init__(
        self, state: ProxyState, settings: Settings, body: JSON, kind: RequestKind, headers: Mapping[bytes, bytes]
    ) -> None:
        self._state = state
        self._settings = settings
        self._body = body
        model = self._resolve(kind)
        # Only who asks for the chosen model gets another in its place; who names one means it.
        models = [model, *settings.fallback_models] if model == settings.model else [model]
        models = list(dict.fromkeys(models))  # one that is listed twice would be turned to for ever
        priority = priority_of(kind, headers)
        self._is_turn = priority is Priority.TURN
        self._asking = Asking(state, settings, body, models, priority, kind=kind)
        self._continuations: list[Continuation] = [FormRetry(), SecondTry()] if settings.second_try else []
        self._wants_verdicts = wants_verdicts(body)
        search = self._asking.question.request.search
        # What was said, for those who go on from it or look at it.
        self._heard = MessageFold() if search is not None or self._wants_verdicts else None
        if search is not None and self._heard is not None:
            self._continuations.insert(0, SearchLoop(settings, body, search, self._heard))

    async def answer(self, receive: Receive, send: Send) -> None:
        """Write the answer. Stops asking the provider as soon as the client is gone."""
        is_streamed = self._asking.question.request.stream
        out = EventStream(send, self._headers) if is_streamed else WholeMessage(send, self._headers)
        outcome = "client_gone"
        try:
            outcome = await run_unless_client_leaves(receive, self._work(send, out), out)
        except ClientGone:
            pass  # Esc, or a client that ended; said in the log line
        except ProxyError as stopped:
            outcome = await self._fail(send, out, stopped)
        finally:
            self._settle(outcome)

    async def _work(self, send: Send, out: Output) -> str:
        write = out.write if self._heard is None else _heard_by(self._heard, out.write)
        try:
            await answer_whole(self._asking, self._body, self._continuations, write)
            results = await self._safeguard_results(write) if self._wants_verdicts else None
            await out.end(self._asking.stream.end(results))
        except Exception as caught:
            return await self._fail(send, out, caught if isinstance(caught, ProxyError) else self._bug(caught))
        return "ok"

    async def _fail(self, send: Send, out: Output, error: ProxyError) -> str:
        """Tell the client that there is no answer, or no more of it. The value is the outcome."""
        if out.has_started:
            await out.end(self._asking.stream.fail(error.outcome.error_type, error.full_message))
        else:
            await send_error(send, error, headers=self._headers())
        return error.kind

    async def _safeguard_results(self, write: Write) -> list[JSON]:
        await write(self._asking.stream.close_blocks())
        content = self._heard.message["content"] if self._heard is not None and self._heard.has_begun else []
        return await safeguard_results(self._state, self._settings, self._body, content)

    def _bug(self, error: Exception) -> ProxyError:
        _log.error("a bug of the proxy", exc_info=error)
        return UpstreamError("An internal error of the proxy.", hint="Its log has the details.", kind=Kind.BUG)

    def _resolve(self, kind: RequestKind) -> str:
        model = self._state.model_named_in(self._body, self._settings)
        return self._settings.small_model if model == self._settings.model and kind.is_small else model

    def _headers(self) -> Headers:
        model = _NOT_FOR_HEADERS.sub("?", self._asking.question.model)
        return [(b"x-neuroflow-model", model.encode("ascii"))]

    def _settle(self, outcome: str) -> None:
        """Count what there is to count, and write the one line of the log."""
        asking, asked = self._asking, self._asking.question
        usage = asking.stream.usage
        total_s = time.monotonic() - asking.began
        if asked.request.ignored:
            self._state.ignored_fields.update(asked.request.ignored)
        self._state.stats.record(
            asked.model,
            Served(
                outcome=outcome,
                is_turn=self._is_turn,
                usage=usage,
                attempts=asking.attempts,
                waited_s=asking.waited_s,
                first_byte_s=asking.first_byte_s,
                total_s=total_s,
                mended=asking.stream.counts,
            ),
        )
        if usage is not None:
            counted = usage.input_tokens + usage.cache_read_input_tokens
            asking.memory.calibrate(asked.model, estimated=asked.request.input_tokens, counted=counted)
        _log.info(
            "model=%s asked=%s kind=%s stream=%s outcome=%s attempts=%d position=%d waited_s=%.3f first_byte_s=%s"
            " total_s=%.3f input=%s cached=%s output=%s",
            asked.model,
            asked.request.client_model,
            asked.request.kind,
            asked.request.stream,
            outcome,
            asking.attempts,
            asking.position,
            asking.waited_s,
            f"{asking.first_byte_s:.3f}" if asking.first_byte_s is not None else "-",
            total_s,
            usage.input_tokens if usage else "-",
            usage.cache_read_input_tokens if usage else "-",
            usage.output_tokens if usage else "-",
        )


def _heard_by(listener: MessageFold, write: Write) -> Write:
    """A `write` that hands all events to `listener` as well."""

    async def listened(events: Sequence[JSON], *, may_wait: bool = False) -> None:
        listener.feed(events)
        await write(events, may_wait=may_wait)

    return listened


def priority_of(kind: RequestKind, headers: Mapping[bytes, bytes]) -> Priority:
    """The user's own turn goes before subagents and helpers; Claude Code tells them apart by these headers."""
    request_class = headers.get(b"x-claude-code-request-class", b"main")
    is_turn = kind in (RequestKind.MAIN, RequestKind.COMPACTION, RequestKind.CLASSIFIER)
    if is_turn and request_class == b"main" and b"x-claude-code-agent-id" not in headers:
        return Priority.TURN
    return Priority.BACKGROUND
