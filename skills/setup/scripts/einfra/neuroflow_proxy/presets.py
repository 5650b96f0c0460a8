"""Providers that people use, as data: what to call them, where they are, where their keys are made and kept."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from .settings import EINFRA_BASE_URL

OWN_KEY = "Give the key that the service on this machine was started with."


@dataclass(frozen=True, slots=True)
class Preset:
    """One provider.

    `messages_url` is the base URL of its own Messages API, to which a client adds `/v1/messages`; empty if it has none.
    `variables` are those in which people keep its key. One without a `keys_page` runs on this machine.
    """

    name: str
    title: str
    base_url: str
    messages_url: str
    keys_page: str = ""
    variables: tuple[str, ...] = ()
    keys_note: str = ""

    @property
    def where_keys_are_made(self) -> str:
        """Where somebody finds a key that it takes."""
        return f"Keys are made at {self.keys_page}{self.keys_note}." if self.keys_page else OWN_KEY


PRESETS = (
    Preset(
        "einfra",
        "e-INFRA CZ",
        EINFRA_BASE_URL,
        "https://llm.ai.e-infra.cz",
        "https://chat.ai.e-infra.cz",
        ("EINFRA_API_KEY", "E_INFRA_API_TOKEN"),
        ": Settings, Account, API keys. They begin with sk-; the JWT token beside them is the wrong one",
    ),
    Preset(
        "minimax",
        "MiniMax",
        "https://api.minimax.io/v1",
        "https://api.minimax.io/anthropic",
        "https://platform.minimax.io",
        ("MINIMAX_API_KEY",),
    ),
    Preset(
        "moonshot",
        "Moonshot",
        "https://api.moonshot.ai/v1",
        "https://api.moonshot.ai/anthropic",
        "https://platform.moonshot.ai",
        ("MOONSHOT_API_KEY",),
    ),
    Preset(
        "deepseek",
        "DeepSeek",
        "https://api.deepseek.com/v1",
        "https://api.deepseek.com/anthropic",
        "https://platform.deepseek.com",
        ("DEEPSEEK_API_KEY",),
    ),
    Preset("mistral", "Mistral", "https://api.mistral.ai/v1", "", "https://console.mistral.ai", ("MISTRAL_API_KEY",)),
    Preset(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        "https://openrouter.ai/api",
        "https://openrouter.ai",
        ("OPENROUTER_API_KEY",),
    ),
    Preset("ollama", "Ollama on this machine", "http://127.0.0.1:11434/v1", "http://127.0.0.1:11434"),
    Preset("vllm", "vLLM on this machine", "http://127.0.0.1:8000/v1", "http://127.0.0.1:8000"),
)
EINFRA = PRESETS[0]


def preset_of(base_url: str) -> Preset | None:
    """The preset at this address: the same host, and on this machine the same port."""
    return next((preset for preset in PRESETS if urlsplit(preset.base_url).netloc == urlsplit(base_url).netloc), None)


def messages_url(base_url: str) -> str:
    """The base URL of a provider's own Messages API; empty if it is known to have none.

    Where nothing is known it is beside the other one, as gateways and servers have it: LiteLLM, vLLM, Ollama.
    """
    preset = preset_of(base_url)
    return preset.messages_url if preset else base_url.removesuffix("/v1")
