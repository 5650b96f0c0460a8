"""What kind of request this is, told by its shape: some want speed and no more than a word in answer.

Claude Code sends a handful of requests beside the conversation. Their shapes are stable; their wording is not, so words
decide only where there is nothing else.
"""

import re
from enum import StrEnum
from typing import Any

from ..wire.web_search import is_search_tool


class RequestKind(StrEnum):
    """The kinds of request that are treated differently."""

    MAIN = "main"
    """A turn of a conversation: of the main one, of a subagent's, or of any other client's."""
    PROBE = "probe"
    """Does this model answer at all? One token is asked for, and any will do."""
    STRUCTURED = "structured"
    """JSON of a given schema, in passing and without tools: a session title, a prompt hook, a rename."""
    CLASSIFIER = "classifier"
    """May this action run? The user waits for a verdict of a few tokens."""
    COMPACTION = "compaction"
    """The conversation so far, and the wish for a summary of it."""
    WEB_SEARCH = "web_search"
    """One search that Claude Code wants made, in so many words; no model is needed for it."""
    HELPER = "helper"
    """A short text on given words, in passing and without tools: an answer from a web page, a label."""

    @property
    def is_small(self) -> bool:
        """True where the small model is good enough. A verdict on safety is not for the small one."""
        return self not in _FOR_THE_BIG_MODEL

    @property
    def wants_speed(self) -> bool:
        """True where the model should answer at once, without reasoning first."""
        return self is not RequestKind.MAIN


_FOR_THE_BIG_MODEL = (RequestKind.MAIN, RequestKind.COMPACTION, RequestKind.CLASSIFIER)
_VERDICT_ENDS = frozenset({"</block>", "</severity>"})
_TRANSCRIPT = "<transcript>"
_SEARCH_REQUEST = re.compile(r"Perform a web search for the query: (?P<query>.+)", re.DOTALL)
_ANALYSIS, _SUMMARY = "<analysis>", "<summary>"


def request_kind(body: dict[str, Any]) -> RequestKind:
    """The kind of a Messages request. Never fails: what cannot be read is `MAIN`, and is complained of elsewhere."""
    tools = body.get("tools")
    last = _last_user_blocks(body)
    if isinstance(tools, list) and tools:
        if search_query(body) is not None:
            return RequestKind.WEB_SEARCH
        return RequestKind.COMPACTION if _wants_summary(last) else RequestKind.MAIN
    if body.get("max_tokens") == 1:
        return RequestKind.PROBE
    if _wants_verdict(body, last):
        return RequestKind.CLASSIFIER
    is_aside = tools is not None and _is_asked_in_passing(body)
    if is_aside and output_format(body):
        return RequestKind.STRUCTURED
    if _wants_summary(last):
        return RequestKind.COMPACTION
    return RequestKind.HELPER if is_aside else RequestKind.MAIN


def search_query(body: dict[str, Any]) -> str | None:
    """The words to search the web for, where that is all that is asked; None in any other request.

    Whoever gives the server tool alone but asks something else wants a model's answer, as with any other tool.
    """
    tools, messages = body.get("tools"), body.get("messages")
    if not (isinstance(tools, list) and tools and all(is_search_tool(tool) for tool in tools)):
        return None
    texts = _texts(_last_user_blocks(body)) if isinstance(messages, list) and len(messages) == 1 else []
    asked = _SEARCH_REQUEST.fullmatch(texts[-1].strip()) if texts else None
    return asked["query"] if asked else None


def output_format(body: dict[str, Any]) -> Any:
    """The form that the answer is to have, if any; from where the Messages API has it now, or had it before."""
    config = body.get("output_config")
    return (config.get("format") if isinstance(config, dict) else None) or body.get("output_format")


def _is_asked_in_passing(body: dict[str, Any]) -> bool:
    """True of one message to which no reasoning is wanted: Claude Code's helpers are that, and say `tools: []`.

    A conversation whose user has turned all tools off says so too. Clients that just chat leave the field out.
    """
    messages, thinking = body.get("messages"), body.get("thinking")
    reasons = isinstance(thinking, dict) and thinking.get("type") not in (None, "disabled")
    return not reasons and isinstance(messages, list) and len(messages) == 1


def _wants_verdict(body: dict[str, Any], last: list[Any]) -> bool:
    """Claude Code's auto mode asks for a verdict in two stages; only the first has stop sequences."""
    stops = body.get("stop_sequences")
    if isinstance(stops, list) and any(isinstance(stop, str) and stop in _VERDICT_ENDS for stop in stops):
        return True
    texts = _texts(last)
    return bool(texts) and texts[0].strip() == _TRANSCRIPT


def _wants_summary(last: list[Any]) -> bool:
    """The wish is the last thing said, in the user's name; inside a tool loop it stands behind the tools' results.

    Notices of finished subagents hold `<summary>` too, so both tags must be there.
    """
    text = last[-1].get("text") if last and isinstance(last[-1], dict) else None
    return isinstance(text, str) and _ANALYSIS in text and _SUMMARY in text


def _texts(blocks: list[Any]) -> list[str]:
    """The texts of blocks that are nothing but text."""
    found = [block.get("text") if isinstance(block, dict) else None for block in blocks]
    texts = [text for text in found if isinstance(text, str)]
    return texts if len(texts) == len(found) else []


def _last_user_blocks(body: dict[str, Any]) -> list[Any]:
    """The content of the last message as blocks, if it is the user's."""
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    if not isinstance(last, dict) or last.get("role") != "user":
        return []
    content = last.get("content")
    return [{"text": content}] if isinstance(content, str) else content if isinstance(content, list) else []
