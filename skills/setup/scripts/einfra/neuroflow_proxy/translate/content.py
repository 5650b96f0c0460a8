"""Content blocks of user messages and tool results as what a Chat Completions message can hold: text and images."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from .documents import PdfReader, document_text, heading
from .fields import (
    Path,
    a_string,
    an_array,
    an_object,
    complaint,
    encodable_dumps,
    missing,
    note,
    optional_object,
    optional_string,
)
from .texts import is_blank, joined

NO_IMAGES = "[image omitted: this model cannot see images]"
MAX_NESTING = 3
"""A document in a tool result is two deep; nothing that has a use nests deeper."""

_IMAGE_TYPES = {"image/jpg": "image/jpeg"} | {
    f"image/{name}": f"image/{name}" for name in ("jpeg", "png", "gif", "webp")
}

_KNOWN_FIELDS: dict[str, frozenset[str]] = {
    "text": frozenset({"text", "citations"}),
    "image": frozenset({"source"}),
    "document": frozenset({"source", "title", "context", "citations"}),
    "search_result": frozenset({"source", "title", "content", "citations"}),
    "tool_reference": frozenset({"tool_name"}),
    "tool_result": frozenset({"tool_use_id", "content", "is_error"}),
    "tool_use": frozenset({"id", "name", "input", "caller"}),
    "thinking": frozenset({"thinking", "signature"}),
    "redacted_thinking": frozenset({"data"}),
    "server_tool_use": frozenset({"id", "name", "input", "caller"}),
    "web_search_tool_result": frozenset({"tool_use_id", "content", "caller"}),
}
_ALWAYS_KNOWN = frozenset({"type", "cache_control"})
_KNOWN_IN = {kind: known | _ALWAYS_KNOWN for kind, known in _KNOWN_FIELDS.items()}


class Image(NamedTuple):
    """An image as Chat Completions takes it: a data URL or a web address."""

    url: str


Piece = str | Image


def block_type(block: dict[str, Any], path: Path, ignored: dict[str, int]) -> str:
    """The type of a content block; fields that nobody knows are counted."""
    kind = a_string(block, "type", path)
    known = _KNOWN_IN.get(kind)
    if known is None:
        note(ignored, [f"content.{kind[:60]}"])
    elif not known.issuperset(block):
        note(ignored, [f"content.{kind}.{key[:60]}" for key in block.keys() - known])
    return kind


class ContentReader(NamedTuple):
    """Reads the content of user messages and tool results for one request."""

    sees_images: bool
    read_pdf: PdfReader
    ignored: dict[str, int]

    def pieces(self, content: Any, path: Path, nesting: int = 0) -> list[Piece]:
        """The pieces of a string, an array of blocks, or null; blocks without any text give none."""
        if content is None:
            return []
        if isinstance(content, str):
            return [] if is_blank(content) else [content]
        if not isinstance(content, list):
            raise complaint(path, "a string or an array", content)
        pieces: list[Piece] = []
        for index, item in enumerate(content):
            block_path = (path, index)
            pieces += self.block_pieces(an_object(item, block_path), block_path, nesting)
        return pieces

    def block_pieces(self, block: dict[str, Any], path: Path, nesting: int = 0) -> list[Piece]:
        """The pieces of one block."""
        match block_type(block, path, self.ignored):
            case "text":
                text = a_string(block, "text", path)
                return [] if is_blank(text) else [text]
            case "image":
                return [self._image(block, path)]
            case "document":
                return self._document(block, path, nesting)
            case "search_result":
                return [_search_result(block, path)]
            case "tool_reference":
                return [f"[tool {a_string(block, 'tool_name', path)} is now available and can be called]"]
            case kind:
                # Types to come: their words are worth more than their absence.
                words = block.get("text")
                if isinstance(words, str) and not is_blank(words):
                    return [words]
                return [f"[content of type {kind[:60]} not shown]"]

    def _image(self, block: dict[str, Any], path: Path) -> Piece:
        source = optional_object(block, "source", path)
        if not source:
            raise missing((path, "source"))
        path = (path, "source")
        match a_string(source, "type", path):
            case "base64":
                said = a_string(source, "media_type", path)
                media_type = _IMAGE_TYPES.get(said.lower())
                if media_type is None:
                    return f"[image omitted: {said[:40]} is not a type that can be shown]"
                url = f"data:{media_type};base64,{a_string(source, 'data', path)}"
            case "url":
                url = a_string(source, "url", path)
                if not url.startswith(("http://", "https://")):
                    return f"[image omitted: {url[:200]} cannot be loaded]"
            case other:
                return f"[image omitted: a source of type {other[:40]} cannot be reached from here]"
        return Image(url) if self.sees_images else NO_IMAGES

    def _document(self, block: dict[str, Any], path: Path, nesting: int) -> list[Piece]:
        source = optional_object(block, "source", path)
        if source.get("type") != "content" or nesting >= MAX_NESTING:
            return [document_text(block, path, self.read_pdf)]
        title = heading(block, path).rstrip("\n")
        content_path = ((path, "source"), "content")
        return [*([title] if title else []), *self.pieces(source.get("content"), content_path, nesting + 1)]


def _search_result(block: dict[str, Any], path: Path) -> str:
    lines = [a_string(block, "title", path), a_string(block, "source", path)]
    path = (path, "content")
    for index, item in enumerate(an_array(block.get("content"), path)):
        lines.append(a_string(an_object(item, (path, index)), "text", (path, index)))
    return "\n".join(lines)


def server_tool_text(block: dict[str, Any], path: Path) -> str | None:
    """What an answer's block about a server tool says, as lines of text; None if it is about something else."""
    kind = a_string(block, "type", path)
    if kind == "server_tool_use":
        name = optional_string(block, "name", path) or "server tool"
        return f"\n[{name}: {encodable_dumps(block.get('input'))[1].decode()}]\n"
    if not kind.endswith("_tool_result"):
        return None
    results = block.get("content")
    if not isinstance(results, list):
        return "\n[no result]\n"
    lines = [
        f"- {item.get('title')}: {item.get('url')}"
        for item in results
        if isinstance(item, dict) and isinstance(item.get("url"), str)
    ]
    return "\n".join(["\n[search results]", *lines, ""])


def as_text(pieces: Iterable[Piece]) -> str:
    """The words of the pieces as one text; images are the caller's affair."""
    return joined([piece for piece in pieces if isinstance(piece, str)])


def as_content(pieces: Sequence[Piece]) -> str | list[dict[str, Any]]:
    """The `content` of a message: a plain string if there is no image, since many templates take nothing else."""
    texts = [piece for piece in pieces if isinstance(piece, str)]
    if len(texts) == len(pieces):
        return joined(texts)
    parts: list[dict[str, Any]] = []
    for is_image, group in groupby(pieces, key=lambda piece: isinstance(piece, Image)):
        if is_image:
            parts += [
                {"type": "image_url", "image_url": {"url": image.url}} for image in group if isinstance(image, Image)
            ]
        else:
            parts.append({"type": "text", "text": as_text(group)})
    return parts
