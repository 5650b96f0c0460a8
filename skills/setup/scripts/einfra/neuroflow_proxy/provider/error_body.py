"""What an error answer says: the many shapes of error bodies reduced to one.

OpenAI, LiteLLM, FastAPI (`detail`, a text or a list), vLLM, SGLang, Moonshot, DeepSeek, Mistral, z.ai, OpenRouter (the
body of the provider behind it as text in `metadata.raw`), Anthropic's own shape, web pages, plain text, nothing at all.
It only reads; what an error means is decided in `faults`, what can be learnt from it in `learning`.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any, Literal

from ..wire.codec import InvalidJSON, loads
from ..wire.redaction import redact
from ..wire.sse import SSEDecoder

LONGEST_MESSAGE = 300
_DEEPEST = 12  # bodies within bodies, counted in steps of dicts, lists and texts; real ones need nine
_LONGEST_TEXT = 8_000  # nobody has more to say, and it keeps the patterns quick

_HTML = re.compile(
    r"\s*(?:<!--.*?-->\s*|<\?xml.*?\?>\s*)*<(?:!doctype\s+html|html|head|body|title|h1|center)\b", re.I | re.S
)
_TITLES = (re.compile(r"<title[^>]*>(.*?)</title>", re.I | re.S), re.compile(r"<h1[^>]*>(.*?)</h1>", re.I | re.S))
_NOT_SHOWN = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.I | re.S)

# Complaints of pydantic as Python text, as vLLM and LiteLLM put them into a message. Beside them stands `input`, which
# is a piece of the conversation: such a text is read and rebuilt, never shown as it is.
_COMPLAINT = re.compile(r"""['"]loc['"]:\s*[(\[](?P<loc>[^)\]]*)[)\]],\s*['"]msg['"]:\s*(['"])(?P<msg>.*?)\2""")

# LiteLLM's remarks about its own routing, and tracebacks: no words of the provider.
_TRAILER = re.compile(
    r"[\s.]*(?:No fallback model group found|Received Model Group=|Available Model Group|LiteLLM: model group"
    r"|Traceback \(most recent)",
    re.I,
)

# Beyond the shapes of keys that are known anywhere: here a word too many may be taken out, in a log it may not.
_MAY_BE_SECRET = (
    re.compile(r"(\bBearer )\S+", re.I),
    re.compile(r"(\b(?:api[ _-]?key|token)\b(?! id)[^:=\n]{0,24}[:=](?!//)\s*)[^\s\"']{8,}", re.I),
    re.compile(r"()\b(?:sk|pk|ak|rk|gsk|hf|nvapi|xai|pplx)[-_][^\s\"'<>(),;]+", re.I),
    re.compile(r"()\beyJ[\w-]{8,}(?:\.[\w-]*)*"),
    re.compile(r"()\b[0-9a-f]{32,}\b", re.I),
)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """One error, whatever shape it had."""

    message: str
    """The provider's own words: one line, shortened, without secrets. "" if there were none."""
    text: str
    """All that was said, to match patterns against: the words, then lines `code=…` and `type=…`. Never to be shown."""
    status: int | None = None
    """The HTTP status that the body names: gateways send errors under 200."""
    params: tuple[str, ...] = ()
    """The request's fields that were complained about: `stream_options`, `messages.1.content`."""
    is_page: bool = False
    """A web page: not the API answered but something in front of it."""

    @property
    def complaint(self) -> str:
        """The fields, one in each line, and all that was said of them."""
        return "\n".join((*self.params, self.text))


def read_error_body(body: bytes) -> ErrorBody:
    """Read the body of an error answer. Never fails: what cannot be read says nothing."""
    text = body.decode("utf-8-sig", "replace").strip()
    if _HTML.match(text):
        return _read_page(text)
    if text.startswith(("data:", "event:")):  # an error sent as an event of a stream
        decoder = SSEDecoder()
        events = [*decoder.feed(body), *decoder.finish()]
        text = events[0][1].decode("utf-8", "replace") if events else ""
    try:
        return read_error(loads(text))
    except InvalidJSON:
        return ErrorBody(shorten(text), text[:_LONGEST_TEXT])


def read_error(error: Any) -> ErrorBody:
    """Read an error that is JSON already: a whole body, or the object that stood in a stream."""
    said = list(_read(error, _DEEPEST))
    words = _of(said, "words")
    statuses = _of(said, "status")
    return ErrorBody(
        message=shorten(words[-1] if words else ""),  # the last are the innermost: those of whoever stands behind
        text="\n".join([*words, *_of(said, "label")])[:_LONGEST_TEXT],
        status=int(statuses[0]) if statuses else None,
        params=tuple(_of(said, "param")),
    )


def shorten(text: str) -> str:
    """Make a provider's words fit for people: one line, without secrets and routing remarks, not too long."""
    if trailer := _TRAILER.search(text):
        text = text[: trailer.start()]
    text = redact(text[: 10 * LONGEST_MESSAGE])
    for secret in _MAY_BE_SECRET:
        text = secret.sub(r"\1[…]", text)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1].rstrip() + "…"


_Said = tuple[Literal["words", "label", "status", "param"], str]


def _of(said: Iterable[_Said], sort: str) -> list[str]:
    return list(dict.fromkeys(value for name, value in said if name == sort))


def _read(value: Any, depth: int) -> Iterator[_Said]:
    if not depth:
        return
    if isinstance(value, str):
        yield from _read_words(value, depth)
    elif isinstance(value, list):
        for item in value[:5]:
            yield from _read(item, depth - 1)
    elif isinstance(value, dict):
        if "loc" in value and "msg" in value:  # one complaint of FastAPI
            yield from _read_complaint(_join_path(value["loc"]), str(value["msg"]))
            return
        for name in ("code", "type", "status", "status_code", "raw_status_code", "http_code"):
            label = value.get(name)
            if isinstance(label, str | int) and label not in ("", "None"):
                yield "label", f"{name}={label}"
                if str(label).isdecimal() and 400 <= int(label) < 600:
                    yield "status", str(label)
        for name in ("title", "error_description", "message", "msg", "status_msg", "detail", "error", "errors"):
            yield from _read(value.get(name), depth - 1)
        param = value.get("param")
        if isinstance(param, str) and param not in ("", "None"):
            # Xiaomi puts the words that help here: recording error-mimo-400-model.
            yield ("words", param) if " " in param else ("param", param.replace("[", ".").replace("]", ""))
        # OpenRouter's inner body; MiniMax's status; an error beside a partial answer (error-openrouter-200-choice-…).
        if isinstance(metadata := value.get("metadata"), dict):
            yield from _read(metadata.get("raw"), depth - 1)
        yield from _read(value.get("base_resp"), depth - 1)
        if isinstance(choices := value.get("choices"), list):
            yield from _read([choice.get("error") for choice in choices if isinstance(choice, dict)], depth - 1)


def _read_words(text: str, depth: int) -> Iterator[_Said]:
    text = text[:_LONGEST_TEXT].strip()
    if not text:
        return
    complaints = list(_COMPLAINT.finditer(text))
    if complaints:
        for complaint in complaints[:5]:
            path = _join_path(re.findall(r"[\w-]+", complaint["loc"]))
            yield from _read_complaint(path, complaint["msg"])
        return
    yield "words", text
    start = text.find("{")
    if start >= 0:  # LiteLLM quotes the body that it got inside its own words
        try:
            inner, _ = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError):
            return
        yield from _read(inner, depth - 1)


def _read_complaint(path: str, words: str) -> Iterator[_Said]:
    yield "param", path
    yield "words", f"{path}: {words}" if path else words


def _join_path(parts: Any) -> str:
    if not isinstance(parts, list | tuple):
        return str(parts)
    return ".".join(str(part) for part in parts if part != "body")


def _read_page(text: str) -> ErrorBody:
    text = text[:_LONGEST_TEXT]
    found = next((match[1] for title in _TITLES if (match := title.search(text))), "")
    plain = " ".join(unescape(_NOT_SHOWN.sub(" ", text)).split())
    return ErrorBody(shorten(unescape(_NOT_SHOWN.sub(" ", found))), plain, is_page=True)
