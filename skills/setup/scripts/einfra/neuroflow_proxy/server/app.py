"""The routes. The only importer of fastapi."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from urllib.parse import unquote

from fastapi import FastAPI, Request, Response
from starlette.routing import Route

from ..errors import Kind, ProxyError
from ..provider.client import Transport, UpstreamClient
from ..settings import Settings, load_settings, secrets_of
from ..translate.tokens import estimate_input_tokens
from ..version import VERSION
from ..wire import messages_api as api
from ..wire.codec import dumps
from ..wire.messages_api import JSON
from .answers import send_error, send_json
from .asgi import ASGIApp, Receive, Scope, Send
from .body import ClientGone, read_json_object
from .exchange import Exchange
from .guard import Guard
from .live_settings import LiveSettings
from .recording import Recorder, RecordingClient
from .state import ProxyState

_log = logging.getLogger("neuroflow_proxy")

# A client whose base URL already ends in /v1 asks for /v1/v1/…
_PREFIXES = ("/v1", "/v1/v1")
LARGE_BODY_BYTES = 512 * 1024
_MODEL_PREFIX = "anthropic/"


def create_app(
    settings: Settings | None = None,
    *,
    transport: Transport | None = None,
    load: Callable[[], Settings] = load_settings,
) -> FastAPI:
    """Build the server. `load` is called again when the integrations file changes; `transport` replaces the network."""
    live = LiveSettings(settings or load(), load, time.monotonic)
    state = ProxyState(live, _client(live, transport))

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with state.client:
            state.model_list.refresh()
            yield
            await state.model_list.close()

    app = FastAPI(title="neuroflow-proxy", version=VERSION, openapi_url=None, lifespan=lifespan)
    app.add_middleware(Guard, token=lambda: live.current().token)
    endpoints = Endpoints(state)
    routes = app.router.routes
    for prefix in _PREFIXES:
        routes.append(Route(f"{prefix}/messages", Raw(endpoints.messages), methods=["POST"]))
        routes.append(Route(f"{prefix}/messages/count_tokens", Raw(endpoints.count_tokens), methods=["POST"]))
        routes.append(Route(f"{prefix}/models", endpoints.models, methods=["GET"]))
        routes.append(Route(f"{prefix}/models/{{model_id:path}}", endpoints.model, methods=["GET"]))
    routes.append(Route("/stats", endpoints.stats, methods=["GET"]))
    routes.append(Route("/healthz", endpoints.health, methods=["GET"]))
    routes.append(Route("/", endpoints.health, methods=["GET"]))
    routes.append(Route("/api/hello", endpoints.hello, methods=["GET"]))
    app.add_exception_handler(404, endpoints.unknown_route)
    app.add_exception_handler(405, endpoints.unknown_route)
    return app


class Raw:
    """An ASGI endpoint that writes its own answer; what it raises is worded as the Messages API words errors."""

    def __init__(self, handler: ASGIApp) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._handler(scope, receive, send)
        except ProxyError as error:
            await send_error(send, error)
        except ClientGone:
            return  # nobody is left to answer


class Endpoints:
    """What each route does."""

    def __init__(self, state: ProxyState) -> None:
        self._state = state

    async def messages(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`POST /v1/messages`, streaming or not."""
        body, size = await read_json_object(receive)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        settings = self._state.settings.current()
        if size > LARGE_BODY_BYTES:  # documents are read and long histories translated beside the others' streams
            exchange = await asyncio.to_thread(Exchange, self._state, settings, body, headers)
        else:
            exchange = Exchange(self._state, settings, body, headers)
        await exchange.answer(receive, send)

    async def count_tokens(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`POST /v1/messages/count_tokens`: an estimate, made here."""
        body, _ = await read_json_object(receive)
        settings = self._state.settings.current()
        factor = self._state.memory_of(settings).token_factor_of(settings.model)
        await send_json(send, {"input_tokens": estimate_input_tokens(body, factor=factor)})

    async def models(self, request: Request) -> Response:
        """`GET /v1/models`, in the form of which Claude Code's model picker takes what it can use."""
        entries = [model_entry(_MODEL_PREFIX + model_id, model_id) for model_id in await self._state.model_ids()]
        page = {
            "data": entries,
            "has_more": False,
            "first_id": entries[0]["id"] if entries else None,
            "last_id": entries[-1]["id"] if entries else None,
        }
        return _json(page)

    async def model(self, request: Request) -> Response:
        """`GET /v1/models/{id}`: a Claude id is always known, because it is served by the configured model."""
        asked = unquote(request.path_params["model_id"])
        model_id = asked.removeprefix(_MODEL_PREFIX)
        if model_id.startswith("claude") or model_id in await self._state.model_ids():
            return _json(model_entry(asked, model_id))
        return _refusal(ProxyError(f"The provider has no model {model_id!r}.", kind=Kind.NOT_FOUND))

    async def health(self, request: Request) -> Response:
        return _json(self._state.health())

    async def stats(self, request: Request) -> Response:
        """`GET /stats`: guarded by the token, because it tells what was done."""
        return _json(self._state.report())

    async def hello(self, request: Request) -> Response:
        return _json({"status": "ok"})

    async def unknown_route(self, request: Request, error: Exception) -> Response:
        words = f"{request.method} {request.url.path} is not served by this proxy."
        return _refusal(ProxyError(words, kind=Kind.NOT_FOUND))


def model_entry(model_id: str, display_name: str) -> JSON:
    return {"type": "model", "id": model_id, "display_name": display_name, "created_at": "1970-01-01T00:00:00Z"}


def _client(live: LiveSettings, transport: Transport | None) -> UpstreamClient:
    folder = live.current().recordings
    if folder is None:
        return UpstreamClient(transport)
    _log.warning("PROXY_DEBUG: requests and answers are recorded in %s, without keys", folder)
    return RecordingClient(Recorder(folder, lambda: secrets_of(live.current())), transport)


def _json(value: JSON, status: int = 200) -> Response:
    return Response(dumps(value), status_code=status, media_type="application/json")


def _refusal(error: ProxyError) -> Response:
    return _json(api.error(error.outcome.error_type, error.full_message), error.outcome.status)
