"""Asking a model of the provider for a verdict on each tool call of an answer, for Claude Code's auto mode.

The client waits for all of it with the user looking on, so there is one time limit for all calls together. Whatever
goes wrong leaves a call without a verdict, and the user is asked.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence

from ..errors import ProxyError
from ..provider.admission import Priority
from ..settings import Settings
from ..translate.message import MessageFold
from ..translate.safeguards import RUN_UNCHECKED, Verdict, Words, disabled, judged, question, read_verdict
from ..wire.messages_api import JSON
from .asking import Asking
from .state import ProxyState

TIME_LIMIT_S = 25.0
MAX_CALLS = 8
"""More calls than that in one answer are put before the user."""

_log = logging.getLogger("neuroflow_proxy")


async def safeguard_results(state: ProxyState, settings: Settings, body: JSON, content: Sequence[JSON]) -> list[JSON]:
    """What the answer's end says of its tool calls. `content` holds the answer's blocks, `body` the request's.

    Never raises `ProxyError`; cancelling it cancels all questions.
    """
    if settings.auto_mode != "model":
        return disabled()
    calls = [block for block in content if block["type"] == "tool_use" and block["name"] not in RUN_UNCHECKED]
    began = time.monotonic()
    questions = [asyncio.ensure_future(_verdict(state, settings, body, call)) for call in calls[:MAX_CALLS]]
    try:
        if questions:
            await asyncio.wait(questions, timeout=TIME_LIMIT_S)
        answers = [task.result() if task.done() else None for task in questions]
    finally:
        for task in questions:
            task.cancel()
        await asyncio.gather(*questions, return_exceptions=True)
    verdicts = {call["id"]: verdict for call, verdict in zip(calls, answers, strict=False) if verdict is not None}
    if calls:
        flagged = sum(verdict.is_flagged for verdict in verdicts.values())
        elapsed_s = time.monotonic() - began
        _log.info("verdicts calls=%d given=%d flagged=%d total_s=%.3f", len(calls), len(verdicts), flagged, elapsed_s)
    return judged(verdicts)


async def _verdict(state: ProxyState, settings: Settings, body: JSON, call: JSON) -> Verdict | None:
    words = Words(*(f"{word}-{secrets.token_hex(4)}" for word in ("safe", "unsafe", "unsure")))
    asked = question(body, call, words)
    if asked is None:
        return None
    heard = MessageFold()

    async def write(events: Sequence[JSON], *, may_wait: bool = False) -> None:
        heard.feed(events)

    try:
        asking = Asking(state, settings, asked, [settings.model], Priority.TURN)
        await asking.patiently(asked, write)
        await write(asking.stream.end())
    except ProxyError as error:
        _log.warning("no verdict: %s", error.message)
        return None
    return read_verdict("".join(block.get("text", "") for block in heard.message["content"]), words)
