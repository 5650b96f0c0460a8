"""The routes: what is served where."""

import asyncio
import logging
import time
from collections.abc import Callable
from urllib.parse import unquote

from ..errors import Kind, ProxyError
from ..provider.client import UpstreamClient
from ..settings import Settings, load_settings
from ..translate.request_kind import RequestKind, request_kind
from ..translate.tokens import estimate_input_tokens
from ..wire.messages_api import JSON, LISTED_AS
from .answers import send_json
from .asgi import Receive, Scope, Send
from .body import read_json_object
from .exchange import Exchange
from .guard import Guard
from .live_settings import LiveSettings
from .recording import Recorder, RecordingClient
from .routing import Router
from .searching import SearchOnly
from .state import ProxyState

_log = logging.getLogger("neuroflow_proxy")

# A client whose base URL already ends in /v1 asks for /v1/v1/…
_PREFIXES = ("/v1", "/v1/v1")
LARGE_BODY_BYTES = 512 * 1024


def create_app(settings: Settings | None = None, *, load: Callable[[], Settings] = load_settings) -> "App":
    """Build the server. `load` is called again when the integrations file changes."""
    live = LiveSettings(settings or load(), load, time.monotonic)
    return App(ProxyState(live, _client(live)))


class App:
    """The ASGI application. `state` is what it holds for as long as it lives."""

    def __init__(self, state: ProxyState) -> None:
        self.state = state
        endpoints = Endpoints(state)
        health, hello, stats = endpoints.health, endpoints.hello, endpoints.stats
        routes = {
            ("GET", "/"): health,
            ("GET", "/healthz"): health,
            ("GET", "/stats"): stats,
            ("GET", "/api/hello"): hello,
        }
        below = {}
        for prefix in _PREFIXES:
            routes["POST", f"{prefix}/messages"] = endpoints.messages
            routes["POST", f"{prefix}/messages/count_tokens"] = endpoints.count_tokens
            routes["GET", f"{prefix}/models"] = endpoints.models
            below["GET", f"{prefix}/models/"] = endpoints.model
        router = Router(routes, below, start=self._start, stop=self._stop)
        self._guarded = Guard(router, token=lambda: state.settings.current().token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._guarded(scope, receive, send)

    async def _start(self) -> None:
        await self.state.client.__aenter__()
        self.state.model_list.refresh()

    async def _stop(self) -> None:
        await self.state.model_list.close()
        await self.state.client.__aexit__()


class Endpoints:
    """What each route does."""

    def __init__(self, state: ProxyState) -> None:
        self._state = state

    async def messages(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`POST /v1/messages`, streaming or not."""
        body, size = await read_json_object(receive)
        headers = dict(scope["headers"])  # whose names are in lower case, as ASGI wants it
        settings = self._state.settings.current()
        kind = request_kind(body)
        if kind is RequestKind.WEB_SEARCH:
            await SearchOnly(settings, body).answer(receive, send)
            return
        if size > LARGE_BODY_BYTES:  # documents are read and long histories translated beside the others' streams
            exchange = await asyncio.to_thread(Exchange, self._state, settings, body, kind, headers)
        else:
            exchange = Exchange(self._state, settings, body, kind, headers)
        await exchange.answer(receive, send)

    async def count_tokens(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`POST /v1/messages/count_tokens`: an estimate, made here."""
        body, _ = await read_json_object(receive)
        settings = self._state.settings.current()
        model = self._state.model_named_in(body, settings)
        factor = self._state.memory_of(settings).token_factor_of(model)
        await send_json(send, {"input_tokens": estimate_input_tokens(body, factor=factor)})

    async def models(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`GET /v1/models`, in the form of which Claude Code's model picker takes what it can use."""
        entries = [model_entry(LISTED_AS + model_id, model_id) for model_id in await self._state.model_ids()]
        page = {
            "data": entries,
            "has_more": False,
            "first_id": entries[0]["id"] if entries else None,
            "last_id": entries[-1]["id"] if entries else None,
        }
        await send_json(send, page)

    async def model(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`GET /v1/models/{id}`: a Claude id is always known, because it is served by the configured model."""
        asked = unquote(scope["path"].partition("/models/")[2])
        model_id = asked.removeprefix(LISTED_AS)
        if not model_id.startswith("claude") and model_id not in await self._state.model_ids():
            raise ProxyError(f"The provider has no model {model_id!r}.", kind=Kind.NOT_FOUND)
        await send_json(send, model_entry(asked, model_id))

    async def health(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_json(send, self._state.health())

    async def stats(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`GET /stats`: guarded by the token, because it tells what was done."""
        await send_json(send, self._state.report())

    async def hello(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_json(send, {"status": "ok"})


def model_entry(model_id: str, display_name: str) -> JSON:
    return {"type": "model", "id": model_id, "display_name": display_name, "created_at": "1970-01-01T00:00:00Z"}


def _client(live: LiveSettings) -> UpstreamClient:
    folder = live.current().recordings
    if folder is None:
        return UpstreamClient()
    _log.warning("PROXY_DEBUG: requests and answers are recorded in %s, without keys", folder)
    return RecordingClient(Recorder(folder, lambda: live.secrets))
