"""The models that the built-in provider plays, as data. What they are called and how they differ is e-INFRA CZ's list.

Nothing in the rest of the package may learn from here: what is known of real models stands in `models/`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..wire.messages_api import JSON
from .rules.families import alternating_roles, kimi_ids, mistral_ids, reasoning_before_calls, text_only
from .strict import Rule


@dataclass(frozen=True, slots=True)
class DemoModel:
    """One chat model. `rules` are its demands beyond those that hold for all."""

    id: str
    window: int = 131_072
    thinks: bool = False
    """Whether it reasons if nothing is said about it."""
    switch: str | None = None
    """The key in `chat_template_kwargs` that turns reasoning on and off; None: it cannot be switched."""
    reasoning_field: str = "reasoning_content"
    wants_reasoning_back: bool = False
    tool_ids: str = "chatcmpl-tool-{n:032x}"
    tells_window: bool = False
    """Whether the list says how long its window is: vLLM's own does, LiteLLM's does not."""
    rules: tuple[Rule, ...] = ()

    def is_thinking(self, body: JSON) -> bool:
        switches = body.get("chat_template_kwargs")
        asked = switches.get(self.switch) if isinstance(switches, dict) else None
        return asked if isinstance(asked, bool) else self.thinks

    def rules_for(self, body: JSON) -> tuple[Rule, ...]:
        if self.wants_reasoning_back and self.is_thinking(body):
            return (*self.rules, reasoning_before_calls)
        return self.rules


def _kimi(id: str) -> DemoModel:
    return DemoModel(
        id,
        window=262_144,
        thinks=True,
        switch="thinking",
        wants_reasoning_back=True,
        tool_ids="functions.{name}:{n}",
        rules=(kimi_ids,),
    )


EINFRA_MODELS = (
    _kimi("kimi-k2.5"),
    _kimi("kimi-k2.6"),
    _kimi("kimi"),
    DemoModel("qwen3.5-122b", window=262_144, thinks=True, switch="enable_thinking"),
    DemoModel(
        "deepseek-v3.2",
        window=163_840,
        switch="thinking",
        reasoning_field="reasoning",
        wants_reasoning_back=True,
        rules=(text_only,),
    ),
    DemoModel(
        "deepseek-v3.2-thinking",
        window=163_840,
        thinks=True,
        reasoning_field="reasoning",
        wants_reasoning_back=True,
        rules=(text_only,),
    ),
    DemoModel("glm-4.7", thinks=True, switch="enable_thinking", reasoning_field="reasoning", rules=(text_only,)),
    DemoModel("qwen3-coder-next", window=262_144, rules=(text_only,)),
    DemoModel("mistral-small-4", tool_ids="demo{n:05d}", rules=(mistral_ids, alternating_roles)),
    DemoModel("gpt-oss-120b", thinks=True, reasoning_field="reasoning", rules=(text_only,)),
)

NOT_FOR_CHAT = (
    "qwen3-embedding-4b",
    "nomic-embed-text-v1.5",
    "multilingual-e5-large-instruct",
    "qwen3-reranker-4b",
    "whisper-large-v3",
)
"""What stands in the same list and answers no chat."""


def model_list(models: Sequence[DemoModel]) -> JSON:
    """What `GET /v1/models` answers."""
    ids = [*(model.id for model in models), *NOT_FOR_CHAT]
    told = {model.id: {"max_model_len": model.window} for model in models if model.tells_window}
    entries = [{"id": id, "object": "model", "created": 1677610602, "owned_by": "openai"} for id in ids]
    return {"object": "list", "data": [entry | told.get(str(entry["id"]), {}) for entry in entries]}


def status_list(models: Sequence[DemoModel], now: datetime) -> list[JSON]:
    """What the status service answers about them: all online, some busier than others; names in its own spelling."""
    return [
        {
            "id": number,
            "model_name": model.id.capitalize(),
            "namespace": "llm",
            "container": f"serve-{number}",
            "status": "online",
            "first_seen": "2026-04-01T08:00:00Z",
            "last_seen": now.isoformat(timespec="seconds"),
            "uptime": [True] * 48,
            "latest": {
                "num_requests_running": number * 3,
                "num_requests_waiting": number // 4,
                "kv_cache_usage_perc": round(number / 20, 2),
                "generation_tokens_rate": 120.0 * number,
                "generation_tokens_rate_per_request": 40.0,
                "gpu_count": {"H100": 8},
            },
        }
        for number, model in enumerate(models)
    ]
