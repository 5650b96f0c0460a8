"""The provider's live list of models: asked by the server while it runs and by set-up before it does."""

import asyncio
from typing import Any

from ..errors import Kind, UpstreamError
from ..settings import LEAST_WINDOW, MOST_WINDOW
from .client import Endpoint, UpstreamClient
from .faults import classify

TIMEOUT_S = 10.0
_NO_SUCH_ROUTE = (404, 405, 501)

# OpenAI's form has no word for it. vLLM and SGLang; OpenRouter, Moonshot, Together; Groq; Mistral.
_WINDOW = ("max_model_len", "context_length", "context_window", "max_context_length")


async def fetch_model_ids(client: UpstreamClient, endpoint: Endpoint, *, provider: str) -> list[str]:
    """The ids alone."""
    return list(await fetch_models(client, endpoint, provider=provider))


async def fetch_models(client: UpstreamClient, endpoint: Endpoint, *, provider: str) -> dict[str, int | None]:
    """Ask the provider for its models: by id, the context window, where the list tells it.

    Raises `UpstreamError`, of the kind `NOT_FOUND` where there is no such list.
    """
    status, headers, body, value = await client.get_json(endpoint, "/models", limit_s=TIMEOUT_S)
    if status in _NO_SUCH_ROUTE:
        raise UpstreamError(
            f"{endpoint.base_url} has no list of models (HTTP {status}).",
            hint="If that is the right base URL, name the model: `configure.py setup --model ID`.",
            kind=Kind.NOT_FOUND,
        )
    if status != 200:
        raise classify(status, headers, body, provider=provider, model="")
    entries = value.get("data") if isinstance(value, dict) else value
    if not isinstance(entries, list):
        raise UpstreamError(
            f"{endpoint.base_url}/models is not a list of models.",
            hint="Check the base URL: it is the part before /chat/completions.",
            kind=Kind.BROKEN_ANSWER,
        )
    return {
        entry["id"]: _window_in(entry)
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    }


def list_models(base_url: str, api_key: str, *, provider: str) -> dict[str, int | None]:
    """As `fetch_models`, for a caller without an event loop and a client: both are made for this one request."""

    async def ask() -> dict[str, int | None]:
        async with UpstreamClient() as client:
            return await fetch_models(client, Endpoint(base_url, api_key), provider=provider)

    return asyncio.run(ask())


def _window_in(entry: dict[str, Any]) -> int | None:
    told = next((entry[name] for name in _WINDOW if entry.get(name)), None)
    is_window = isinstance(told, int) and LEAST_WINDOW <= told <= MOST_WINDOW
    return told if is_window else None
