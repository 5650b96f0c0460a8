"""The provider's live list of models: asked by the server while it runs and by set-up before it does."""

import asyncio

from ..errors import Kind, UpstreamError
from .client import Endpoint, UpstreamClient
from .faults import classify

_NO_SUCH_ROUTE = (404, 405, 501)


async def fetch_model_ids(client: UpstreamClient, endpoint: Endpoint, *, provider: str) -> list[str]:
    """Ask the provider for its models. Raises `UpstreamError`, of the kind `NOT_FOUND` where there is no such list."""
    status, headers, body, value = await client.get_json(endpoint, "/models")
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
    return [entry["id"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]


def list_model_ids(base_url: str, api_key: str, *, provider: str) -> list[str]:
    """The same, for those who are no server: one client for one question."""

    async def ask() -> list[str]:
        async with UpstreamClient() as client:
            return await fetch_model_ids(client, Endpoint(base_url, api_key), provider=provider)

    return asyncio.run(ask())
