"""The built-in provider: an OpenAI-compatible server that is strict, scriptable and offline, as a raw ASGI application.

It answers as e-INFRA CZ's gateway does: the list of models, chat completions behind a key and a door that lets two in
at once, and the status service, which needs no key. What a chat is answered is decided by a script, or else by the
built-in agent. Everything that came in is in `requests`, for tests to look at.
"""

import asyncio
import time
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any, assert_never
from urllib.parse import urlsplit

from ..wire.codec import InvalidJSON, loads
from ..wire.messages_api import JSON
from .agent import plan
from .catalog import EINFRA_MODELS, DemoModel, model_list, status_list
from .connection import Connection, Receive, Scope, Send
from .encode import envelope, to_bytes, to_single, to_stream
from .gate import Gate, Limits, TurnedAway
from .rules.families import fits
from .script import Answer, Chunk, Cut, Hang, Pause, Raw, Script, Status, usage
from .strict import BASE, Rule, complaints
from .tokens import PromptCache, count_completion_tokens, count_prompt_tokens

DEMO_KEY = "sk-demo"
"""Opens the built-in provider and nothing else."""

EINFRA_LIMITS = Limits(at_once=2, waiting=20, patience_s=600.0)


@dataclass(slots=True)
class Received:
    """One request to `/v1/chat/completions`, and what became of it. Times are of `time.monotonic`."""

    body: Any
    connection: Connection
    arrived: float
    admitted: float | None = None
    ended: float | None = None
    """Told last, when the client may have had all of the answer for a moment."""
    disconnected: bool = False
    """The client went before the answer was complete."""

    @property
    def headers(self) -> dict[str, str]:
        return self.connection.headers

    @property
    def status(self) -> int | None:
        return self.connection.status


class DemoProvider:
    """The application. What tests may change between requests: `script`, `latency_s`, `status_models`, …"""

    def __init__(
        self,
        script: Script | None = None,
        *,
        keys: Collection[str] = (DEMO_KEY,),
        models: Sequence[DemoModel] = EINFRA_MODELS,
        rules: Sequence[Rule] | None = None,
        limits: Limits | None = EINFRA_LIMITS,
        latency_s: float = 0.0,
        remember: int = 10_000,
    ) -> None:
        """`rules` stand in for those of each model, `()` accepts anything; without `limits` everybody is let in.

        `requests` holds the last `remember` ones.
        """
        self.script = script
        self.latency_s = latency_s
        self.status_models: list[JSON] | None = status_list(models, datetime.now(UTC))
        """What the status service answers; None: it is down."""
        self.announcement: JSON = {"announcement_message": "", "announcement_type": "information"}
        """What the operators announce there."""
        self.requests: list[Received] = []
        self.most_in_flight = 0
        self._remember = remember
        self._in_flight = 0
        self._keys = keys
        self._models = {model.id: model for model in models}
        self._rules = rules
        self._limits = limits
        self._gate = Gate(limits) if limits else None
        self._cache = PromptCache()
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._respond(scope, Connection(scope, receive, send))
        else:
            raise RuntimeError(f"nobody here speaks {scope['type']}")

    async def _live(self, receive: Receive, send: Send) -> None:
        """Started and stopped, perhaps more than once: each event loop has lines of its own."""
        while (await receive())["type"] == "lifespan.startup":
            self._gate = Gate(self._limits) if self._limits else None
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    async def _respond(self, scope: Scope, connection: Connection) -> None:
        # Asked as a proxy is, for a whole URL; some servers split it and some do not.
        match scope["method"], urlsplit(scope["path"]).path:
            case "POST", "/v1/chat/completions":
                await self._chat(connection)
            case "GET", "/v1/models":
                listing = Status(200, model_list(list(self._models.values())))
                await connection.answer(self._refuse_key(connection) or listing)
            case "GET", "/status/api/v1/models":
                models = self.status_models
                down = Status(503, {"detail": "not ready"})
                await connection.answer(down if models is None else Status(200, models))
            case "GET", "/status/api/v1/config":
                await connection.answer(Status(200, self.announcement))
            case _, "/v1/chat/completions" | "/v1/models" | "/status/api/v1/models" | "/status/api/v1/config":
                await connection.answer(Status(405, {"detail": "Method Not Allowed"}))
            case _:
                await connection.answer(Status(404, {"detail": "Not Found"}))

    def _refuse_key(self, connection: Connection) -> Status | None:
        authorization = connection.headers.get("authorization", "")
        key = authorization.removeprefix("Bearer ")
        if key in self._keys and key != authorization:
            return None
        if not authorization:
            return _refusal(401, "Authentication Error, No api key passed in.", type="auth_error")
        message = f"Authentication Error, Invalid proxy server token passed. Received API Key = sk-...{key[-4:]}"
        return _refusal(401, message, type="token_not_found_in_db", param="key")

    async def _chat(self, connection: Connection) -> None:
        """Answer for as long as the client listens."""
        raw = await connection.read()
        try:
            body = loads(raw)
        except InvalidJSON:
            body = None
        request = Received(body, connection, time.monotonic())
        self.requests.append(request)
        del self.requests[: -self._remember]
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        answering = asyncio.create_task(self._answer(request))
        # At once with the answer's last byte: who has read that may ask again before all here is cleared away.
        answering.add_done_callback(self._count_out)
        leaving = asyncio.create_task(connection.gone())
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                await answering
            else:
                request.disconnected = not connection.was_cut
        finally:
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
            request.ended = time.monotonic()

    def _count_out(self, _: "asyncio.Task[None]") -> None:
        self._in_flight -= 1

    async def _answer(self, request: Received) -> None:
        connection = request.connection
        if refused := self._refuse_key(connection):
            await connection.answer(refused)
            return
        key = connection.headers["authorization"]
        try:
            async with self._gate.place(key) if self._gate else nullcontext():
                request.admitted = time.monotonic()
                await asyncio.sleep(self.latency_s)
                if refused := self._refuse_body(request.body):
                    await connection.answer(refused)
                else:
                    await self._play(self._compose(request.body), request.body, connection)
        except TurnedAway as turned_away:
            await connection.answer(turned_away.status)

    def _refuse_body(self, body: Any) -> Status | None:
        if not isinstance(body, dict):
            return _refusal(400, "Invalid request body: it must be a JSON object.")
        model = self._models.get(str(body.get("model")))
        if model is None:
            message = f"/chat/completions: Invalid model name passed in model={body.get('model')}."
            return _refusal(400, f"{message} Call `/v1/models` to view available models for your key.", param="model")
        rules = (*BASE, *model.rules_for(body), fits(model.window)) if self._rules is None else self._rules
        if wrong := complaints(body, rules):
            return _refusal(400, f"litellm.BadRequestError: OpenAIException - {'; '.join(wrong)}")
        return None

    def _compose(self, body: JSON) -> Answer:
        scripted = self.script(body) if self.script else None
        return plan(body, self._models[body["model"]]) if scripted is None else scripted

    async def _play(self, answer: Answer, body: JSON, connection: Connection) -> None:
        around = envelope(body["model"], id=f"chatcmpl-demo-{next(self._numbers)}", created=int(time.time()))
        completion, thoughts = count_completion_tokens(answer)
        prompt, cached = count_prompt_tokens(body), self._cache.reuse(body)
        counts = usage(prompt, completion, cached_tokens=cached, reasoning_tokens=thoughts)
        if body.get("stream"):
            wants_usage = body.get("stream_options", {}).get("include_usage")
            steps, content_type = to_stream(answer, counts if wants_usage else []), "text/event-stream; charset=utf-8"
        else:
            steps, content_type = to_single(answer, counts, around), "application/json"
        for step in steps:
            match step:
                case Chunk() | Raw():
                    if connection.status is None:
                        await connection.start(200, {"content-type": content_type})
                    await connection.write(to_bytes(step, around))
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case Status():
                    await connection.answer(step)
                    return
                case Cut(how):
                    if how == "end":
                        break
                    connection.cut(reset=how == "rst")
                    await _forever()
                case Hang():
                    await _forever()
                case _:
                    assert_never(step)
        if connection.status is None:
            await connection.start(200, {"content-type": content_type})
        await connection.write(b"", more=False)


async def _forever() -> None:
    """Until the client has gone, which cancels the answer."""
    await asyncio.Event().wait()


def _refusal(code: int, message: str, *, type: str = "invalid_request_error", param: str | None = None) -> Status:
    """An error in the form that LiteLLM gives to it."""
    return Status(code, {"error": {"message": message, "type": type, "param": param, "code": str(code)}})
