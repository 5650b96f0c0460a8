"""Texts that become one text."""

from collections.abc import Iterable
from typing import Any

from .fields import Path, a_string, an_object, complaint, refusal


def joined(texts: Iterable[str]) -> str:
    """Texts below one another. Each stands as it came; an empty line is added where one does not end its last line."""
    result = ""
    for text in texts:
        if text:
            result += text if not result or result.endswith("\n") else f"\n\n{text}"
    return result


def is_blank(text: str) -> bool:
    """True of a text that says nothing. `strip` would copy what is to be kept."""
    return not text or text.isspace()


def block_texts(content: Any, path: Path) -> list[str]:
    """The texts of a string, an array of text blocks, or null; blank ones left out."""
    if content is None:
        return []
    if isinstance(content, str):
        texts = [content]
    elif isinstance(content, list):
        texts = [_text_of(item, (path, index)) for index, item in enumerate(content)]
    else:
        raise complaint(path, "a string or an array", content)
    return [text for text in texts if not is_blank(text)]


def _text_of(value: Any, path: Path) -> str:
    block = an_object(value, path)
    if a_string(block, "type", path) != "text":
        raise refusal((path, "type"), "Input should be 'text'")
    return a_string(block, "text", path)
