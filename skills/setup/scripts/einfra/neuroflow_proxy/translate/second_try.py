"""When a turn has come to nothing, and what to ask instead. Pure.

Open models sometimes reason and then say nothing, or announce a tool call and end the turn without making it, in words
or with the mark that opens one; and servers lose a call that was made, or pass on one that nobody can read. The user
then has to type "continue". One second try, unseen, is made where the turn was plainly not over; more would be
guessing. A summary of which nothing came would end the session: Claude Code asks for it where the window is full, and
cannot go on without.
"""

import re
from typing import Any

from ..rescue.leftovers import ends_a_call, ends_in_opening
from ..wire.messages_api import JSON
from .request_kind import RequestKind
from .tools import forbids_calls

NUDGE = "Continue. If you announced an action, call the tool for it now; if you are done, say so."

_WANT_WORDS = frozenset({RequestKind.MAIN, RequestKind.COMPACTION, RequestKind.HELPER})
_LONGEST_ANNOUNCEMENT = 500
_ANNOUNCES = re.compile(
    r"(?:\b(?:let me|let's|let us|i'll|i will|i am going to|i'm going to|i need to|next,? i"
    r"|now i(?:'m| am| have to| must))\b(?! (?:not|never|be|leave|stop)\b)[^.!?\n]*[.:…]*"
    r"|:|…)\s*\Z",
    re.IGNORECASE,
)
# Who speaks to the user so waits for an answer: going on in the user's name would be consent that nobody gave.
_AWAITS_THE_USER = re.compile(
    r"\?|\b(?:let me|tell me|need to) know\b|\btell me (?:if|when|wh\w+|how)\b"
    r"|\bwait\b(?! (?:for|until) (?!you))"
    r"|\b(?:if|once|when|until|after|unless|whether|which|what|how|before|soon as) you\b"
    r"(?! (?:asked|mentioned|requested|said|wanted|gave|provided|described|pointed|showed|shared|suggested|reported)\b)"
    r"|\byour (?:answer|reply|response|decision|choice|preference|feedback|approval|permission|confirmation|ok)\b",
    re.IGNORECASE,
)


def second_try(body: JSON, kind: RequestKind, text: str | None, *, misses_a_call: bool = False) -> JSON | None:
    """The Messages request to make instead, or None if the turn was over.

    `text` is the end of what was said by an answer that called no tool and stopped by itself; None for any other.
    `misses_a_call` says that the provider spoke of a call all the same.
    """
    if text is None or kind not in _WANT_WORDS:
        return None
    if not text.strip():
        return {**body, "thinking": {"type": "disabled"}} if kind is RequestKind.MAIN else dict(body)
    if kind is not RequestKind.MAIN or not _was_to_go_on(body, text, misses_a_call=misses_a_call):
        return None
    said = {"role": "assistant", "content": text}
    return {**body, "messages": [*body["messages"], said, {"role": "user", "content": NUDGE}]}


def _was_to_go_on(body: JSON, text: str, *, misses_a_call: bool) -> bool:
    if not body.get("tools") or forbids_calls(body):
        return False
    if ends_in_opening(text) or (ends_a_call(text) and _is_at_work(body)):
        return True
    if _AWAITS_THE_USER.search(text.rstrip().rpartition("\n\n")[2]):
        return False
    return misses_a_call or (_is_announcement(text) and _is_at_work(body))


def _is_announcement(text: str) -> bool:
    return len(text) <= _LONGEST_ANNOUNCEMENT and _ANNOUNCES.search(text) is not None


def _is_at_work(body: JSON) -> bool:
    """The last thing that the model heard was the result of a tool."""
    messages: Any = body.get("messages")
    if not isinstance(messages, list):
        return False
    for message in reversed(messages):
        if message.get("role") == "user":
            content = message.get("content")
            return isinstance(content, list) and any(block.get("type") == "tool_result" for block in content)
    return False
