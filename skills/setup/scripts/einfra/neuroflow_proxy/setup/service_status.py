"""What the provider's status service says: of its models, up or down, how busy, how fast; and what is announced.

It is never waited for long. e-INFRA CZ has such a service beside the gateway, without a key. It can be down when the
gateway is up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..errors import ProxyError
from ..wire.hosts import is_this_machine
from ..wire.messages_api import JSON
from .keys import is_einfra

LIMIT_S = 2.0
_BELOW_HOST = "/status/api/v1"


@dataclass(frozen=True, slots=True)
class Load:
    """How a model is now. Numbers are None where the service does not tell."""

    is_up: bool
    running: int | None = None
    waiting: int | None = None
    tokens_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Announcement:
    """What the operators have to say. `type` is theirs: outage, warning, information, operational."""

    type: str
    message: str


def ask_loads(base_url: str) -> Mapping[str, Load]:
    """The models' loads by id in lower case: nothing if there is no such service, or it is slow or down."""
    models = _ask(base_url, "/models")
    if not isinstance(models, list):
        return {}
    return {
        model["model_name"].lower(): _load(model)
        for model in models
        if isinstance(model, dict) and isinstance(model.get("model_name"), str)
    }


def ask_announcement(base_url: str) -> Announcement | None:
    """What is announced now, if anything is."""
    config = _ask(base_url, "/config")
    message = config.get("announcement_message") if isinstance(config, dict) else None
    if not isinstance(message, str) or not message.strip():
        return None
    kind = config.get("announcement_type")
    return Announcement(kind if isinstance(kind, str) and kind else "information", " ".join(message.split()))


def _ask(base_url: str, path: str) -> Any:
    """What the service answers; None if there is none, or it is slow or down."""
    import asyncio  # here, because `status` has no use for it and is to be quick

    if not (is_einfra(base_url) or is_this_machine(base_url)):  # this machine: a tunnel to the gateway, perhaps
        return None
    parts = urlsplit(base_url)
    return asyncio.run(_answer(f"{parts.scheme}://{parts.netloc}{_BELOW_HOST}", path))


async def _answer(service_url: str, path: str) -> Any:
    from ..provider.client import Endpoint, UpstreamClient

    async with UpstreamClient() as client:
        try:
            _, _, _, answer = await client.get_json(Endpoint(service_url, ""), path, limit_s=LIMIT_S)
        except ProxyError:
            return None
    return answer


def _load(model: JSON) -> Load:
    latest = model.get("latest")
    numbers = latest if isinstance(latest, dict) else {}

    def number(name: str) -> float | None:
        value = numbers.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    running, waiting = number("num_requests_running"), number("num_requests_waiting")
    return Load(
        is_up=model.get("status") == "online",
        running=None if running is None else round(running),
        waiting=None if waiting is None else round(waiting),
        tokens_per_s=number("generation_tokens_rate_per_request"),
    )
