"""Documents as text: what a Chat Completions provider can read of them.

Reading PDF needs a library, which is no matter for a pure package: the reader comes in as a function.
"""

import binascii
from collections.abc import Callable, Sequence
from typing import Any

from .fields import Path, a_string, missing, optional_object, optional_string

PdfReader = Callable[[bytes], Sequence[str]]
"""Gives the text of each page. Raises `UnreadablePdf`."""
MAX_TEXT = 400_000
"""Characters of one document that are sent on: about 100,000 tokens, which is most of many a context window."""


class UnreadablePdf(Exception):
    """A PDF could not be read; the message says why, in words that the model can pass on to the user."""


def no_pdf_reader(_data: bytes) -> Sequence[str]:
    """The reader of those who have none."""
    raise UnreadablePdf("no PDF reader is installed beside the proxy")


def document_text(block: dict[str, Any], path: Path, read_pdf: PdfReader) -> str:
    """A `document` block whose source is not `content`, as text with its title."""
    source = optional_object(block, "source", path)
    if not source:
        raise missing((path, "source"))
    match a_string(source, "type", (path, "source")):
        case "text":
            text = _shortened(a_string(source, "data", (path, "source")))
        case "base64":
            text = _decoded(source, (path, "source"), read_pdf)
        case "url":
            url = a_string(source, "url", (path, "source"))
            text = f"[document not loaded: {url} can be read with a tool that fetches pages]"
        case other:
            text = f"[document not loaded: a source of type {other[:40]} cannot be reached from here]"
    return heading(block, path) + text


def heading(block: dict[str, Any], path: Path) -> str:
    """The lines above a document: its title and the words that came with it."""
    title = optional_string(block, "title", path)
    context = optional_string(block, "context", path)
    return "".join(f"{label}: {value}\n" for label, value in (("Document", title), ("Context", context)) if value)


def _decoded(source: dict[str, Any], path: Path, read_pdf: PdfReader) -> str:
    media_type = a_string(source, "media_type", path)
    try:
        data = binascii.a2b_base64(a_string(source, "data", path))
    except ValueError:  # no refusal: a client that has this in its history would send it with every turn
        return "[document not shown: its data is not valid base64]"
    if media_type.startswith("text/"):
        return _shortened(data.decode(errors="replace"))
    if media_type != "application/pdf":
        return f"[document not shown: files of type {media_type[:80]} cannot be read here]"
    try:
        pages = read_pdf(data)
    except UnreadablePdf as error:
        return f"[PDF not shown: {error}; a tool that reads files page by page or as images may still show it]"
    if not any(page.strip() for page in pages):
        return f"[PDF of {len(pages)} pages without any text: probably scanned images]"
    marked = (f"[page {number}]\n{page.strip() or '(no text)'}" for number, page in enumerate(pages, 1))
    return _shortened("\n\n".join(marked))


def _shortened(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]}\n[cut here: {len(text) - MAX_TEXT:,} of {len(text):,} characters are not shown]"
