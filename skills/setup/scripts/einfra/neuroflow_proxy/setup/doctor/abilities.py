"""What the chosen model can do, as measured: a few small requests, as Claude Code sends them. Nothing is guessed.

Where an answer does not tell, or comes too quickly to tell, it is said that this was not measured.
"""

import base64
import secrets
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

from ...errors import Kind, UpstreamError
from ...settings import CustomLlm
from ...wire.codec import InvalidJSON
from ...wire.messages_api import JSON
from ..claude_code import connection_for
from ..health import ask_stats
from ..messages_client import stream
from ..process import Record
from ..proof import prove
from ..usage import learned_window, window_of
from .check import Check

_LIMIT_S = 40.0
_ONE_PIECE_S = 0.1
"""Pieces that came within this time came as one."""
_TELLING_S = 0.5
"""An answer that took less says nothing of how it came."""
_MORE_THAN_ANY_WINDOW = 100_000_000
_COLOURS = {
    "red": b"\xff\x00\x00",
    "green": b"\x00\xa0\x00",
    "blue": b"\x00\x00\xff",
    "yellow": b"\xff\xff\x00",
    "black": b"\x00\x00\x00",
    "white": b"\xff\xff\xff",
}


@dataclass(slots=True)
class _Answer:
    """What came, and when; times are in seconds since the question."""

    text: str = ""
    thinking: str = ""
    text_at: list[float] = field(default_factory=list)
    ended_at: float = 0.0

    def add(self, event: JSON) -> None:
        delta = event.get("delta", {})
        if delta.get("type") == "text_delta":
            self.text += delta["text"]
            self.text_at.append(self.ended_at)
        elif delta.get("type") == "thinking_delta":
            self.thinking += delta["thinking"]


def abilities(section: CustomLlm, record: Record | None) -> Iterator[Check]:
    """Use of tools, streaming, reasoning, images, window. Stops where the model does not answer at all."""
    connection = connection_for(section)
    model = _Model(connection.url, connection.token, section.model)
    proof = prove(model.base_url, model.token, model.id)
    if proof.problem:
        mend = "configure.py models" if proof.may_another_do else "configure.py logs"
        yield Check("tool call", f"{model.id}: {proof.problem}", mend, proof.fault or Kind.BROKEN_ANSWER)
        if proof.first_token_s is None:
            return
    else:
        yield Check("tool call", f"{model.id}: {proof.words}.")
    for name, measure in (("streaming", _streaming), ("thinking", _thinking), ("vision", _vision)):
        try:
            yield measure(model)
        except UpstreamError as error:
            yield Check(name, f"Not measured: {error.message}")
            if error.kind is Kind.TIMEOUT:
                return
        except (InvalidJSON, KeyError):  # of a provider's own Messages API
            yield Check(name, "Not measured: the answer was none of the Messages API.")
    if record:
        yield _window(model, record, section)


@dataclass(frozen=True, slots=True)
class _Model:
    base_url: str
    token: str
    id: str

    def ask(self, content: object, *, max_tokens: int, thinks: bool = False, first_words: bool = False) -> _Answer:
        """Ask once. With `first_words`, hang up at the first of them. Raises `UpstreamError`."""
        body: JSON = {
            "model": self.id,
            "max_tokens": max_tokens,
            "messages": [{"role": "user", "content": content}],
            "thinking": {"type": "enabled", "budget_tokens": 1024} if thinks else {"type": "disabled"},
        }
        answer, began = _Answer(), time.monotonic()
        with closing(stream(self.base_url, self.token, body, timeout_s=_LIMIT_S)) as events:
            for event in events:
                answer.ended_at = time.monotonic() - began
                answer.add(event)
                if first_words and (answer.text or answer.thinking):
                    break
                if answer.ended_at > _LIMIT_S:
                    raise UpstreamError(f"No end within {_LIMIT_S:.0f} s.", kind=Kind.TIMEOUT)
        return answer


def _streaming(model: _Model) -> Check:
    answer = model.ask("Count from one to forty, in words.", max_tokens=400)
    pieces = answer.text_at
    if len(pieces) > 1 and pieces[-1] - pieces[0] > _ONE_PIECE_S:
        return Check("streaming", f"An answer came in {len(pieces)} pieces, over {pieces[-1] - pieces[0]:.1f} s.")
    if answer.ended_at < _TELLING_S:
        return Check("streaming", f"Not measured: all of the answer was there after {answer.ended_at:.2f} s.")
    return Check(
        "streaming",
        f"An answer came in one piece, after {answer.ended_at:.1f} s: something on the way holds it back.",
        "Look for an HTTP proxy, or a gateway, between here and the model.",
    )


def _thinking(model: _Model) -> Check:
    """Hung up on at the first thought, which is all that there is to know."""
    question = "Is 391 a prime number? Answer yes or no."
    asked = bool(model.ask(question, max_tokens=2048, thinks=True, first_words=True).thinking)
    unasked = bool(model.ask(question, max_tokens=2048, first_words=True).thinking)
    words = {
        (True, False): "It reasons where it is asked to, and not otherwise.",
        (True, True): "It reasons whether it is asked to or not.",
        (False, False): "It does not reason, or does not show it.",
        (False, True): "It reasons where it is asked not to, and not where it is asked to.",
    }
    return Check("thinking", words[asked, unasked])


def _vision(model: _Model) -> Check:
    """The colours are drawn by lot: a model that only guesses is right once in thirty times."""
    left, right = secrets.SystemRandom().sample(sorted(_COLOURS), 2)
    picture = base64.b64encode(_png(_COLOURS[left], _COLOURS[right])).decode()
    content = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": picture}},
        {"type": "text", "text": f"Which colour is the left half, which the right? Of: {', '.join(sorted(_COLOURS))}."},
    ]
    told = model.ask(content, max_tokens=200).text.lower()
    named = sorted((told.find(colour), colour) for colour in _COLOURS if colour in told)
    if [colour for _, colour in named] == [left, right]:
        return Check("vision", "It sees: it named both colours of a small picture.")
    return Check("vision", "It was shown a small picture, and did not name its two colours: it seems not to see.")


def _png(left: bytes, right: bytes, *, side: int = 64) -> bytes:
    """A picture of two colours (red, green, blue: one byte each), as a PNG file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + left * (side // 2) + right * (side // 2)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * side)) + chunk(b"IEND", b"")
    )


def _window(model: _Model, record: Record, section: CustomLlm) -> Check:
    """Asked for more than can be, a provider says how much there is; the proxy takes its word, and asks again."""
    try:
        model.ask("Say OK.", max_tokens=_MORE_THAN_ANY_WINDOW, first_words=True)
    except UpstreamError as error:
        return Check("window", f"Not measured: {error.message}")
    stats = ask_stats(record.port, section.proxy_token)
    learned = learned_window(model.id, stats)
    if learned:
        return Check("window", f"{learned:,} tokens, in the provider's own words.")
    known = f"{window_of(model.id, section, stats):,}"
    return Check("window", f"Not measured: the provider does not tell. Its family is known to take {known} tokens.")
