"""What is set up, and whether it runs. People wait for it, and prompts and hooks call it: nothing heavy is loaded."""

from ..presets import messages_url
from ..settings import CustomLlm
from ..wire.messages_api import JSON
from .health import ask_stats
from .instance import Instances
from .keys import last_four
from .place import Place
from .process import Record
from .report import Report, address, facts_of


def status(place: Place, instances: Instances) -> Report:
    """What is set up, and whether it runs."""
    in_use = place.in_use()
    if in_use is None:
        return Report(
            {"configured": False, "running": False},
            ["Nothing is set up yet for this folder or this machine. Run `configure.py setup`."],
        )
    path, section = in_use
    record = instances.running(path)
    stats = ask_stats(record.port, section.proxy_token) if record else None
    small = f", {section.small_model} for small requests" if section.small_model else ""
    small += "".join(f", {model} for {tier}" for tier, model in section.tiers.items())
    key = f"the key {last_four(section.api_key)}" if section.api_key else "no key"
    return Report(
        {"configured": True} | facts_of(path, section, record) | {"stats": stats},
        [
            f"{section.model}{small} at {section.base_url}, with {key}.",
            _proxy(section, record),
            f"Settings are in {path}.",
            *(_usage(stats) if stats else []),
        ],
    )


def _usage(stats: JSON) -> list[str]:
    from .usage import usage_lines  # what is known of models need not be loaded where no proxy runs

    return usage_lines(stats)


def _proxy(section: CustomLlm, record: Record | None) -> str:
    is_direct = section.proxy_mode == "direct"
    asks = f"Claude Code asks {messages_url(section.base_url)} directly. " if is_direct else ""
    if record:
        return f"{asks}The proxy is running on {address(record.port)} (pid {record.pid}); its log is {record.log}."
    return asks.rstrip() or "The proxy is not running. `configure.py start` starts it."
