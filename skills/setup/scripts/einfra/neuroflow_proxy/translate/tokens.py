"""How many tokens a request has, roughly and fast: for `count_tokens`, and to keep answers within the window.

There is no tokenizer at hand for most models, so characters are counted by kind, each with the tokens that it makes on
average. The weights were fitted to a tokenizer of 200,000 words (that of gpt-oss) on what Claude Code sends: prompts,
tool schemas, sources in several languages, listings, tables, prose in Czech, Russian and Chinese. Prompts came out
within 3 %, prose and sources mostly within 10 %. `factor` calibrates the estimate to another model, by what its
provider really counted.
"""

from operator import add
from typing import Any, NamedTuple

from ..errors import RequestError
from ..wire.codec import dumps_text

MESSAGE_TOKENS = 4
"""What a template puts around each message."""
_DIGITS = b"0123456789"
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ASCII = bytes(range(0x80))
_LATIN_LEADS = bytes(range(0xC3, 0xCA))
"""First bytes of the letters with diacritics, in UTF-8. Each of them cuts a word in two."""
_BLANKS_AND_HIGH = b" \t\r" + bytes(range(0x80, 0x100))
_PER_LETTER = 0.225
_PER_DIGIT = 0.85
_PER_NEWLINE = 0.95
_PER_LATIN_LEAD = 1.6
_PER_HIGH_BYTE = 0.19
_PER_SIGN = 0.65

_LONG = 4_000
_STRIDE = 5
"""In long texts every fifth character is looked at: the shares come out alike, and a megabyte takes a fifth."""

_IMAGE_TOKENS = 1_600
"""What providers count for an image of about 1,100 by 1,100 pixels. Most count by size; few count thrice as many."""
_BASE64_PER_PDF_TOKEN = 25
"""A rule of thumb, for estimates before the document has been read."""
_NOT_READ_BY_THE_MODEL = frozenset({"cache_control", "signature", "id", "tool_use_id", "type"})


class Size(NamedTuple):
    """What an estimate is made from, counted. Parts of a request can be counted one by one, and added."""

    messages: int = 0
    images: int = 0
    base64: int = 0
    """Characters of documents."""
    texts: int = 0
    """Those that were counted in full; each, but the last, ends a line."""
    letters: int = 0
    digits: int = 0
    newlines: int = 0
    signs: int = 0
    latin_leads: int = 0
    high_bytes: int = 0
    """Bytes beyond ASCII; for each of `latin_leads`, two less."""

    def plus(self, other: "Size") -> "Size":
        return Size(*map(add, self, other))

    def tokens(self, factor: float) -> int:
        """At least 1."""
        texts = (
            (self.latin_leads * _PER_LATIN_LEAD + self.high_bytes * _PER_HIGH_BYTE)
            + self.letters * _PER_LETTER
            + self.digits * _PER_DIGIT
            + (self.newlines + max(0, self.texts - 1)) * _PER_NEWLINE
            + self.signs * _PER_SIGN
        )
        others = self.messages * MESSAGE_TOKENS + self.images * _IMAGE_TOKENS + self.base64 / _BASE64_PER_PDF_TOKEN
        return max(1, round((others + texts) * factor))


def estimate_input_tokens(body: dict[str, Any], *, factor: float = 1.0) -> int:
    """The input tokens of a Messages request, or of a Chat Completions body; at least 1.

    More content never makes it less. What has another type than it should is passed over. Raises `RequestError` where
    tools nest too deeply.
    """
    return size_of([body.get("system"), body.get("messages")], body.get("tools")).tokens(factor)


def size_of(content: list[Any], tools: Any = None) -> Size:
    """The size of texts, messages or lists of them, and of a request's tools."""
    texts: list[str] = []
    messages = images = base64 = 0
    if isinstance(tools, list) and tools:
        texts.append(_as_text(tools))
    pending = [content]
    while pending:
        value: Any = pending.pop()
        if isinstance(value, dict):
            if "role" in value:
                messages += 1
            kind = value.get("type")
            if kind in ("image", "image_url"):
                images += 1
            elif kind == "base64":  # the source of a document
                base64 += len(str(value.get("data")))
            else:
                for key, item in value.items():
                    if key not in _NOT_READ_BY_THE_MODEL:
                        (texts if isinstance(item, str) else pending).append(item)
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, str):
            texts.append(value)
    short = [text for text in texts if len(text) < _LONG]
    counted = _counted("\n".join(short))
    if len(short) < len(texts):
        sampled = _counted("".join([text[::_STRIDE] for text in texts if len(text) >= _LONG]))
        counted = [whole + _STRIDE * part for whole, part in zip(counted, sampled, strict=True)]
    letters, digits, newlines, signs, latin_leads, high_bytes = counted
    newlines -= max(0, len(short) - 1)  # which are those between the texts
    return Size(messages, images, base64, len(short), letters, digits, newlines, signs, latin_leads, high_bytes)


def _as_text(tools: list[Any]) -> str:
    try:
        return dumps_text(tools)
    except RecursionError as error:
        raise RequestError("tools: nested too deeply") from error


def _counted(text: str) -> list[int]:
    """Letters, digits, newlines, signs, first bytes of Latin letters, and the other bytes beyond ASCII."""
    data = text.encode("utf-8", "surrogatepass")
    without_letters = data.translate(None, _LETTERS)  # first, since it leaves the least for the others
    leads = high = 0
    if not text.isascii():
        foreign = without_letters.translate(None, _ASCII)
        leads = len(foreign) - len(foreign.translate(None, _LATIN_LEADS))
        high = len(foreign) - 2 * leads
    rest = without_letters.translate(None, _BLANKS_AND_HIGH)
    signs = rest.translate(None, _DIGITS)
    newlines = signs.count(b"\n")
    return [
        len(data) - len(without_letters),
        len(rest) - len(signs),
        newlines,
        len(signs) - newlines,
        leads,
        high,
    ]
