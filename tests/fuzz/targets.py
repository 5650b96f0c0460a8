"""What is fuzzed: each target takes any bytes, and fails by an exception. Seeds are what was really seen.

The first bytes of an input say where the rest is cut, so that a fuzzer that knows only bytes can learn to cut.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from neuroflow_proxy.errors import RequestError
from neuroflow_proxy.fragments import Finish, Fragment, Reasoning, Text, ToolCall
from neuroflow_proxy.models.learned import NOTHING_LEARNED
from neuroflow_proxy.models.profiles import FAMILIES, GENERIC
from neuroflow_proxy.rescue import spans
from neuroflow_proxy.rescue.stage import Rescue
from neuroflow_proxy.translate.message import MessageFold
from neuroflow_proxy.translate.request import to_chat_request
from neuroflow_proxy.translate.tokens import estimate_input_tokens
from neuroflow_proxy.wire.codec import InvalidJSON, dumps, loads
from neuroflow_proxy.wire.redaction import REDACTED, redact_body
from neuroflow_proxy.wire.sse import Event, SSEDecoder
from tests.chunks import chunk, sse
from tests.grammar import listen
from tests.leaks.negative import NEGATIVE
from tests.leaks.positive import POSITIVE
from tests.leaks.tools import TOOLS
from tests.recordings.cases import ROOT as RECORDINGS
from tests.streams import run

CUTS = 4
LONGEST = 20_000
"""Bytes of an input. What is quadratic shows long before, and fuzzers do better with short ones."""
_GOLDEN = Path(__file__).parents[1] / "golden"
_SEEN = [path.read_bytes() for path in sorted(_GOLDEN.glob("*/request.json"))]
_PROFILES = list({profile.family: profile for profile in (GENERIC, *(profile for _, profile in FAMILIES))}.values())
_TOOLS = tuple(TOOLS)
# What a lone closing tag does depends on what was passed on before it, and so on the cut.
_ORPHANS = (*spans.ORPHANS, "<|close|>")

# Put in the place of anything.
_ODD: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        10**30,
        0.5,
        "",
        " ",
        "text",
        "\ud800",
        [],
        {},
        [[]],
        [None],
        {"type": None},
        "tool",
        "system",
    ),
    *({"type": kind} for kind in ("text", "image", "document", "thinking", "redacted_thinking", "tool_use", "search")),
    {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "image", "source": {"type": "base64"}}]},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "%%%"}},
    {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": 1}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_9", "content": None}]},
    {"$ref": "#/properties/a", "properties": {"a": {"$ref": "#"}}},
    {"anyOf": [{"type": ["string", "null"]}, True], "enum": [], "required": "a"},
]

Target = Callable[[bytes], None]


def cut(data: bytes) -> tuple[bytes, list[bytes]]:
    """An input as a whole and in pieces."""
    head, whole = data[:CUTS], data[CUTS:]
    places = sorted({byte * (len(whole) + 1) // 256 for byte in head})
    return whole, [whole[a:b] for a, b in pairwise([0, *places, len(whole)])]


def decode(data: bytes) -> None:
    """Server-sent events: where the bytes are cut makes no difference."""
    whole, pieces = cut(data)
    assert _decoded([whole]) == _decoded(pieces)


def read(data: bytes) -> None:
    """A whole answer: whatever a provider sends, what goes out follows the grammar, streamed or not.

    Arguments that cannot be repaired are as the model wrote them, and the client tells the model.
    """
    _, pieces = cut(data)
    events = run(*pieces, tools=_TOOLS, with_sdk=False)
    said = listen(events)
    if said.error is None:
        fold = MessageFold()
        fold.feed(events)
        assert dumps(fold.message)


def rescue(data: bytes) -> None:
    """What a model writes: what is no call stays, calls are whole and known, and no cut matters."""
    whole, pieces = cut(data)
    text = whole.decode("utf-8", "replace")
    places = [len(piece.decode("utf-8", "replace")) for piece in pieces]
    at_once = _said(_rescued([text], TOOLS))
    for name, arguments in at_once[2]:
        assert name in TOOLS
        assert isinstance(arguments, dict)
    if any(tag in text for tag in _ORPHANS):
        return
    start, parts = 0, []
    for place in places:
        parts.append(text[start : start + place])
        start += place
    assert _said(_rescued([*parts, text[start:]], TOOLS)) == at_once
    assert _said(_rescued([text], {})) == ("So: " + text, "", [])
    if not at_once[2]:
        assert _without_bare_tags(at_once[0]) == _without_bare_tags("So: " + text)


def _without_bare_tags(text: str) -> str:
    """Blocks of such that call nothing are dropped."""
    return re.sub(r"</?[\w:]+>|\s", "", text)


def convert(data: bytes) -> None:
    """A client's request: translated or refused in words, for every family; the client's own is left as it was."""
    body = as_request(data[CUTS:])
    before = copy.deepcopy(body)
    for profile in _PROFILES:
        try:
            estimate_input_tokens(body)
            made = to_chat_request(
                body, model="some-model", profile=profile, learned=NOTHING_LEARNED, read_pdf=lambda pdf: ["one"]
            )
            sent = loads(dumps(made.body))
        except (RequestError, RecursionError):  # the router tells both to the client as its fault
            continue
        assert body == before
        asked = {call["id"] for message in sent["messages"] for call in message.get("tool_calls") or ()}
        assert {message["tool_call_id"] for message in sent["messages"] if message["role"] == "tool"} <= asked


def redact(data: bytes) -> None:
    """What is recorded: no named secret is left in it, and taking out twice is taking out once."""
    secret = "the-secret-of-4711"
    kept = redact_body(data[CUTS:], [secret])
    assert secret.encode() not in kept
    if REDACTED.encode() not in kept:
        assert redact_body(kept, [secret]) == kept


TARGETS: dict[str, Target] = {"sse": decode, "reader": read, "rescue": rescue, "request": convert, "redaction": redact}


def seeds(target: str) -> Iterator[bytes]:
    """What was really seen, for this target; without the recordings, what the repository itself holds."""
    head = bytes(range(40, 40 + CUTS))
    if target == "request":
        yield from (head + body[:LONGEST] for body in _SEEN)
        for number in range(64):  # tapes of changes, for a beginning
            yield head + bytes((number * step + step) % 256 for step in range(1, 40))
    elif target == "rescue":
        for text in (*(leak.raw for leak in POSITIVE), *NEGATIVE.values()):
            yield head + text.encode()
        yield from (head + path.read_bytes() for path in _recorded("raw.txt"))
    else:
        yield head + sse(chunk({"content": "Hello."}), chunk(finish="stop"))
        for leak in POSITIVE:
            yield head + sse(chunk({"content": leak.raw}), chunk(finish="stop"))
        yield from (head + path.read_bytes()[:LONGEST] for path in _recorded("response.*"))


def _decoded(pieces: list[bytes]) -> list[Event]:
    decoder = SSEDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.finish()


def as_request(data: bytes) -> dict[str, Any]:
    """The request that the bytes are; or else one that was seen, with the changes that the bytes name."""
    try:
        body = loads(data)
        if isinstance(body, dict):
            return body
    except InvalidJSON:
        pass
    tape = iter(data)
    body = loads(_SEEN[next(tape, 0) % len(_SEEN)])
    for first in tape:
        holder, key = body, list(body)[first % len(body)] if body else "messages"
        while isinstance(inner := holder.get(key) if isinstance(holder, dict) else holder[key], dict | list) and inner:
            step = next(tape, 255)
            if step >= 224:
                break
            holder, key = inner, list(inner)[step % len(inner)] if isinstance(inner, dict) else step % len(inner)
        what = next(tape, 0)
        if what >= 240 and isinstance(holder, list):
            del holder[key]
        else:
            holder[key] = copy.deepcopy(_ODD[what % len(_ODD)])
    return body


def _recorded(name: str) -> Iterator[Path]:
    return iter(sorted(RECORDINGS.glob(f"cases/*/{name}")))


def _rescued(pieces: list[str], tools: dict[str, Any]) -> list[Fragment]:
    stage = Rescue(tools)
    out = stage.feed([Text("So: ")])
    for piece in pieces:
        out += stage.feed([Text(piece)])
    return [*out, *stage.feed([Finish("stop")]), *stage.finish()]


def _said(fragments: list[Fragment]) -> tuple[str, str, list[tuple[str, Any]]]:
    return (
        "".join(fragment.text for fragment in fragments if isinstance(fragment, Text)),
        "".join(fragment.text for fragment in fragments if isinstance(fragment, Reasoning)),
        [(call.name, json.loads(call.arguments)) for call in fragments if isinstance(call, ToolCall)],
    )
