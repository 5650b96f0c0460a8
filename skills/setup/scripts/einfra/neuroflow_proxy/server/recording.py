"""Recordings of what was asked and what the provider answered, to look for a fault. Only with `PROXY_DEBUG`.

One folder for each request that was sent, in the form in which recorded answers are replayed: `request.json`,
`response.sse` (a stream, as it was on the wire) or `response.json`, `status` where it is not 200, `headers.json`,
`reads.json` (the sizes of the network's reads, where nothing had to be taken out), and `recording.json`, which says
when it was and how it ended. Keys are taken out, long texts of the request are cut, an answer is kept up to a limit,
the oldest recordings go when there is no more room, and all of it is for the user alone.

Writing takes some milliseconds of everybody's time, and no failure of it touches an answer.
"""

import logging
import os
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from ..provider.client import Endpoint, UpstreamAnswer, UpstreamClient
from ..version import VERSION
from ..wire.codec import InvalidJSON, dumps, loads
from ..wire.redaction import redact_body

MAX_TEXT_CHARS = 20_000
MAX_REQUEST_BYTES = 4 * 1024 * 1024
MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_RECORDINGS = 100
MAX_TOTAL_BYTES = 64 * 1024 * 1024

# Others tell more of the account than of the answer (cookies, organisations, request ids).
_HEADERS = re.compile(r"content-type|content-encoding|retry-after|x-should-retry|(x-)?rate-?limit.*")

_log = logging.getLogger("neuroflow_proxy")


@dataclass(slots=True)
class Tape:
    """One request, and as much of its answer as there is room for."""

    request: bytes
    status: int
    headers: Mapping[str, str]
    answer: bytearray = field(default_factory=bytearray)
    reads: list[int] = field(default_factory=list)
    ended: str = "left"
    """`whole`, `broken off` by the provider, or `left` by us."""

    def add(self, data: bytes) -> None:
        kept = data[: MAX_ANSWER_BYTES - len(self.answer)]
        if kept:
            self.answer += kept
            self.reads.append(len(kept))

    @property
    def is_stream(self) -> bool:
        told = "event-stream" in self.headers.get("content-type", "")
        return told or self.answer.lstrip().startswith((b"data:", b"event:", b":"))


class Recorder:
    """Writes recordings below `folder`. `secrets` is asked each time, because settings may change."""

    def __init__(self, folder: Path, secrets: Callable[[], Collection[str]]) -> None:
        self.folder = folder
        self._secrets = secrets
        self._numbers = count(1)

    def keep(self, tape: Tape) -> None:
        """Write one recording, and remove the oldest beyond the limits."""
        try:
            self._write(tape)
            self._make_room()
        except OSError as error:
            _log.warning("nothing was recorded: %s", error)

    def _write(self, tape: Tape) -> None:
        secrets, now = self._secrets(), datetime.now(UTC)
        request, model = _request(tape.request, secrets)
        answer = redact_body(bytes(tape.answer), secrets)
        headers = {name: value for name, value in tape.headers.items() if _HEADERS.fullmatch(name)}
        about = {
            "at": now.isoformat(timespec="seconds"),
            "proxy": VERSION,
            "ended": tape.ended,
            "is_cut": len(tape.answer) >= MAX_ANSWER_BYTES,
        }
        files = {
            "request.json": request,
            "response.sse" if tape.is_stream else "response.json": answer,
            "headers.json": redact_body(dumps(headers), secrets),
            "recording.json": dumps(about),
        }
        if tape.status != 200:
            files["status"] = str(tape.status).encode()
        if answer == tape.answer:
            files["reads.json"] = dumps(tape.reads)
        name = f"{now:%Y%m%dT%H%M%S}-{next(self._numbers):04d}-{re.sub(r'[^A-Za-z0-9.-]+', '-', model)[:60]}"
        _make_folder(self.folder)
        unfinished = self.folder / f".{name}"
        unfinished.mkdir(mode=0o700)
        for file, data in files.items():
            descriptor = os.open(unfinished / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
            with open(descriptor, "wb") as opened:
                opened.write(data)
        unfinished.rename(self.folder / name)

    def _make_room(self) -> None:
        folders = sorted(path for path in self.folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in folders]
        for folder in folders:
            if len(sizes) <= MAX_RECORDINGS and sum(sizes) <= MAX_TOTAL_BYTES:
                break
            shutil.rmtree(folder)
            del sizes[0]


class RecordingClient(UpstreamClient):
    """A client of whose conversations recordings are made."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    async def chat(self, endpoint: Endpoint, body: bytes, *, silence_s: float) -> UpstreamAnswer:
        answer = await super().chat(endpoint, body, silence_s=silence_s)
        return _TapedAnswer(answer, Tape(body, answer.status, answer.headers), self._recorder)


class _TapedAnswer(UpstreamAnswer):
    """An answer that is written down while it is read, and kept when it is closed."""

    def __init__(self, answer: UpstreamAnswer, tape: Tape, recorder: Recorder) -> None:
        self.status, self.headers = answer.status, answer.headers
        self._answer = answer
        self._tape = tape
        self._recorder = recorder

    @property
    def has_ended(self) -> bool:
        return self._answer.has_ended

    async def aclose(self) -> None:
        if self.has_ended:  # nobody reads on when all that matters was said
            self._tape.ended = "whole"
        self._recorder.keep(self._tape)
        await self._answer.aclose()

    async def next_piece(self) -> bytes:
        try:
            data = await self._answer.next_piece()
        except Exception:
            self._tape.ended = "broken off"
            raise
        if data:
            self._tape.add(data)
        else:
            self._tape.ended = "whole"
        return data


_BINARY = getattr(os, "O_BINARY", 0)  # without it Windows would write each line end as two bytes


def _make_folder(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def _request(body: bytes, secrets: Collection[str]) -> tuple[bytes, str]:
    """What is kept of a request, and the model that it names."""
    redacted = redact_body(body, secrets)
    try:
        value = loads(redacted)
    except InvalidJSON:
        return redacted[:MAX_REQUEST_BYTES], "unknown"
    value = _shortened(value)
    kept = dumps(value)
    if len(kept) > MAX_REQUEST_BYTES:  # a very long conversation; the rest says what kind of request it was
        kept = dumps({name: part for name, part in value.items() if name not in ("messages", "tools")})
    return kept, str(value.get("model", "unknown"))


def _shortened(value: Any) -> Any:
    """The value with long texts cut: images and documents are most of a request, and seldom to blame."""
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, str) and len(value) > MAX_TEXT_CHARS:
        return f"{value[:MAX_TEXT_CHARS]} [and {len(value) - MAX_TEXT_CHARS} more characters]"
    return value
