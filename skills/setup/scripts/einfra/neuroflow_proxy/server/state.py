"""What the server holds for as long as it lives."""

import secrets
import time
from collections import Counter
from dataclasses import asdict

from ..models.kinds import is_chat_model
from ..models.learned import Learned
from ..provider.admission import Admission
from ..provider.client import Endpoint, UpstreamClient
from ..provider.memory import ProviderMemory
from ..provider.models_list import fetch_model_ids
from ..settings import Settings
from ..translate.tiers import resolve_model
from ..version import VERSION, build
from ..wire.messages_api import JSON
from .live_settings import LiveSettings
from .model_list import ModelList
from .stats import Stats


class ProxyState:
    """Settings, the client towards the provider, and what has been learned and counted so far."""

    def __init__(self, settings: LiveSettings, client: UpstreamClient) -> None:
        self.settings = settings
        self.client = client
        self.instance_id = settings.current().instance_id or secrets.token_hex(8)
        self.stats = Stats()
        self.ignored_fields: Counter[str] = Counter()
        self.model_list = ModelList(self._fetch_model_ids)
        self._memories: dict[tuple[str, str], ProviderMemory] = {}
        self._started_at = time.monotonic()
        self._build = build()  # of the code that runs, whatever lies there later

    def health(self) -> JSON:
        """What `/healthz` tells: nothing secret."""
        settings = self.settings.current()
        return {
            "service": "neuroflow-proxy",
            "status": "ok",
            "version": VERSION,
            "build": self._build,
            "instance_id": self.instance_id,
            "model": settings.model,
            "small_model": settings.small_model,
        }

    def report(self) -> JSON:
        """What `/stats` tells: numbers, and what was learned; nothing of any conversation."""
        settings = self.settings.current()
        memory = self.memory_of(settings)
        memory.allow(settings.max_concurrent_requests)
        queue = memory.admission.snapshot()
        return {
            **self.health(),
            "provider": settings.provider,
            "settings_stamp": self.settings.stamp,
            "settings_problem": self.settings.problem,
            "recordings": str(settings.recordings) if settings.recordings else None,
            "uptime_s": round(time.monotonic() - self._started_at, 1),
            "queue": {
                "limit": queue.limit,
                "running": queue.running,
                "waiting": [
                    {"position": waiting.position, "waited_s": round(waiting.waited_s, 1)} for waiting in queue.waiting
                ],
            },
            "last_turn": self.stats.last_turn,
            "models": self.stats.as_json(),
            "learned": {model: describe(learned) for model, learned in memory.learned.items()},
            "ignored_fields": dict(self.ignored_fields),
        }

    def memory_of(self, settings: Settings) -> ProviderMemory:
        """What is remembered of the provider that the settings name."""
        provider = settings.base_url, settings.api_key
        memory = self._memories.get(provider)
        if memory is None:  # threads ask as well, and all are to have the same
            memory = self._memories.setdefault(provider, ProviderMemory(endpoint_of(settings), Admission()))
        return memory

    def model_named_in(self, body: JSON, settings: Settings) -> str:
        """The provider's id of the model that a request names; the chosen one if it names none."""
        requested = body.get("model")
        if not isinstance(requested, str) or self.settings.is_former(requested):
            requested = ""
        return resolve_model(
            requested,
            big=settings.model,
            small=settings.small_model,
            tiers=settings.tiers,
            known=self.model_list.ids,
        )

    async def model_ids(self) -> list[str]:
        """The configured models, and the chat models that the provider lists."""
        settings = self.settings.current()
        listed = filter(is_chat_model, await self.model_list.current())
        return list(dict.fromkeys([settings.model, settings.small_model, *listed]))

    async def _fetch_model_ids(self) -> list[str]:
        settings = self.settings.current()
        return await fetch_model_ids(self.client, endpoint_of(settings), provider=settings.provider)


def endpoint_of(settings: Settings) -> Endpoint:
    """The provider's endpoint."""
    return Endpoint(base_url=settings.base_url, api_key=settings.api_key)


def describe(learned: Learned) -> JSON:
    """What was learned of a model, without what was not."""
    lessons = {**asdict(learned), "dropped_params": sorted(learned.dropped_params)}
    return {name: lesson for name, lesson in lessons.items() if lesson}
