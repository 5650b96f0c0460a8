"""The provider of the benchmarks: speaks both APIs from bytes that were built before, so that it is fast.

Knows three paths: `/v1/chat/completions` and `/v1/messages`, which stream the same words, each in its own API, and
`/v1/models`. What to say is set for all at once by `POST /say` (see `Say`), because proxies pass on no more than they
understand. Run it as `python -m bench.upstream PORT`.

In a paced answer each piece of text is the time at which it was written, so that whoever reads it knows how old it is.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import httptools

HOST = "127.0.0.1"
MODEL = "bench-model"
WORDS = (" the", " proxy", " is", " as", " fast", " as", " it", " can", " be", ",", " and", " costs", " nothing", ".")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Say:
    """What every answer is: so many pieces of text; `per_s` of them a second, or 0 for as fast as they are taken."""

    chunks: int = 1
    per_s: float = 0.0


@dataclass(frozen=True)
class Wire:
    """One API's way to say a text: the bytes of its first events, of one piece, and of its last events."""

    begin: bytes
    piece: Callable[[str], bytes]
    end: bytes


def framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _sse(value: Any, name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(value).encode() + b"\n\n"


def _chunk(delta: dict[str, str] | None, finish: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    head = {"id": "chatcmpl-0123456789abcdef", "object": "chat.completion.chunk", "created": 1760000000, "model": MODEL}
    return _sse({**head, "choices": choices, **more})


def _event(event: dict[str, Any]) -> bytes:
    return _sse(event, event["type"])


USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
CHAT = Wire(
    begin=framed(_chunk({"role": "assistant", "content": ""})),
    piece=lambda text: _chunk({"content": text}),
    end=framed(_chunk({}, "stop")) + framed(_chunk(None, usage=USAGE)) + framed(b"data: [DONE]\n\n") + b"0\r\n\r\n",
)
MESSAGE = {"id": "msg_0123456789abcdef", "type": "message", "role": "assistant", "model": MODEL, "content": []}
MESSAGES = Wire(
    begin=framed(
        _event({"type": "message_start", "message": {**MESSAGE, "usage": {"input_tokens": 10, "output_tokens": 1}}})
    )
    + framed(_event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
    piece=lambda text: _event(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    ),
    end=framed(_event({"type": "content_block_stop", "index": 0}))
    + framed(
        _event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 20}})
        + _event({"type": "message_stop"})
    )
    + b"0\r\n\r\n",
)
WIRES = {b"/v1/chat/completions": CHAT, b"/chat/completions": CHAT, b"/v1/messages": MESSAGES}
MODELS = json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode()


def stamp() -> bytes:
    """Now, in microseconds of the machine's monotonic clock, as a text of fixed length."""
    return b"@%016d;" % (time.monotonic_ns() // 1000)


class Provider(asyncio.Protocol):
    """One connection."""

    say = Say()
    _transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._body: list[bytes] = []
        self._left = 0
        self._is_paused = False
        self._timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._url = b""
        self._body.clear()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, data: bytes) -> None:
        if self._url == b"/say":
            self._body.append(data)

    def on_message_complete(self) -> None:
        url = self._url.partition(b"?")[0]
        if url == b"/say":
            Provider.say = Say(**json.loads(b"".join(self._body)))
            self._json(b"{}")
        elif url.endswith(b"/models"):
            self._json(MODELS)
        elif url not in WIRES:
            self._transport.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}")
        else:
            self._answer(url)

    def connection_lost(self, error: Exception | None) -> None:
        self._left = 0
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._timer is None:
            self._pour()

    def _json(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        self._transport.write(head + body)

    def _answer(self, url: bytes) -> None:
        self._wire = WIRES[url]
        self._pieces, self._around_stamp = PIECES[url], AROUND_STAMP[url]
        self._left = self.say.chunks
        self._timer = None
        if self.say.per_s:
            self._transport.write(HEAD + self._wire.begin)
            self._began = time.monotonic()
            self._interval = 1 / self.say.per_s
            self._said = 0
            self._timer = self._loop.call_later(self._interval, self._tick)
        elif self._left == 1:
            self._transport.write(HEAD + self._wire.begin + self._pieces[0] + self._wire.end)
        else:
            self._transport.write(HEAD + self._wire.begin)
            self._pour()

    def _pour(self) -> None:
        """Write one piece, as a model does, and the next when everyone else has had a turn."""
        if self._left <= 0 or self._is_paused:
            return
        self._left -= 1
        self._transport.write(self._pieces[self._left % len(WORDS)])
        if self._left:
            self._loop.call_soon(self._pour)
        else:
            self._transport.write(self._wire.end)

    def _tick(self) -> None:
        """Write the piece that is due, and go to sleep until the next is."""
        before, after = self._around_stamp
        self._transport.write(before + stamp() + after)
        self._said += 1
        if self._said == self._left:
            self._left = 0
            self._transport.write(self._wire.end)
            return
        due = self._began + (self._said + 1) * self._interval
        self._timer = self._loop.call_later(max(0.0, due - time.monotonic()), self._tick)


PIECES = {url: [framed(wire.piece(word)) for word in WORDS] for url, wire in WIRES.items()}
_STAMP = "@" + 16 * "0" + ";"
AROUND_STAMP = {url: framed(wire.piece(_STAMP)).split(_STAMP.encode()) for url, wire in WIRES.items()}


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Provider, HOST, port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1])))
