"""What an answer goes on from, where the client has the half of one and asks for the rest. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from ..wire.messages_api import JSON

# Claude Code asks so (2.1.330) for what follows a text that broke off, or that met the limit for an answer.
_WISH = "Resume directly"
_REMINDER = "<system-reminder>"


def taken_up(body: JSON) -> str:
    """The text that the answer to a Messages request continues; empty where it begins anew.

    It may have come in several pieces, each with a wish for the next. A prefill is such a text as well. A turn that has
    called tools was whole.
    """
    messages: Any = body.get("messages")
    if not isinstance(messages, list):
        return ""
    pieces: list[str] = []
    is_wished_for = True
    for message in reversed(messages):
        role = message.get("role")
        if role == "system":
            continue
        texts = _texts(message.get("content"))
        if role == "assistant" and is_wished_for and texts is not None:
            pieces.append("".join(texts))
            is_wished_for = False
        elif role == "user" and texts is not None and _is_wish(texts):
            is_wished_for = True
        else:
            break
    return "".join(reversed(pieces))


def _is_wish(texts: Sequence[str]) -> bool:
    """Beside the wish there may be reminders, but no words of the user's: those are answered anew."""
    own = [text for text in texts if not text.lstrip().startswith(_REMINDER)]
    return bool(own) and all(_WISH in text for text in own)


def _texts(content: Any) -> list[str] | None:
    """The texts of a message; None where there is anything else but thoughts."""
    if isinstance(content, str):
        return [content]
    found = list(_found(content)) if isinstance(content, list) else [None]
    texts = [text for text in found if text is not None]
    return texts if len(texts) == len(found) else None


def _found(blocks: list[Any]) -> Iterator[str | None]:
    for block in blocks:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind not in ("thinking", "redacted_thinking"):
            text = block.get("text") if kind == "text" else None
            yield text if isinstance(text, str) else None
