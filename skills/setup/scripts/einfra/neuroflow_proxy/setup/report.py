"""What a verb has to tell, and the facts that several of them tell alike. Of the key, only its end."""

from dataclasses import dataclass
from pathlib import Path

from ..presets import messages_url
from ..settings import CustomLlm
from ..wire.messages_api import JSON
from .keys import last_four
from .ports import LOOPBACK
from .process import Record

NO_KEY_PRINTED = (
    "ANTHROPIC_AUTH_TOKEN is missing: there it is the provider's key, which is never printed. `configure.py claude` "
    "starts Claude Code with it, and `configure.py setup --connect settings` writes it into its settings."
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a verb has to tell: `data` for programs, `lines` for people."""

    data: JSON
    lines: list[str]
    exit_code: int = 0


def facts_of(path: Path, section: CustomLlm, record: Record | None) -> JSON:
    """What programs are told of one setting and its proxy."""
    port = record.port if record else section.proxy_port
    return {
        "integrations": str(path),
        "provider": section.provider,
        "base_url": section.base_url,
        "key": last_four(section.api_key) if section.api_key else None,
        "model": section.model,
        "small_model": section.small_model,
        "tiers": dict(section.tiers),
        "running": record is not None,
        "mode": section.proxy_mode,
        "url": messages_url(section.base_url) if section.proxy_mode == "direct" else address(port),
        "port": port,
        "pid": record.pid if record else None,
        "log": record.log if record else None,
    }


def address(port: int) -> str:
    """Where the proxy on `port` is reached."""
    return f"http://{LOOPBACK}:{port}"
