"""What a running proxy has counted, in words for people. Pure: the answer of `/stats` in, lines out."""

from collections.abc import Iterator

from ..models.profiles import profile_for
from ..models.providers import adapted
from ..settings import CustomLlm
from ..wire.messages_api import JSON


def usage_lines(stats: JSON) -> list[str]:
    """What was served, model by model, and what is going on now."""
    return list(_lines(stats))


def prompt_tokens(stats: JSON, model: str) -> int:
    """How long the longest request to a model was; 0 if there was none."""
    tokens: int = stats["models"].get(model, {}).get("longest_prompt_tokens", 0)
    return tokens


def learned_window(model: str, stats: JSON | None) -> int | None:
    """A model's context window as the provider told it while the proxy ran; None if it did not."""
    return stats["learned"].get(model, {}).get("context_window") if stats else None


def learned_windows(stats: JSON | None) -> dict[str, int]:
    """The context windows, by model, that the provider told while the proxy ran."""
    return {
        model: window for model in (stats or {"learned": ()})["learned"] if (window := learned_window(model, stats))
    }


def window_of(model: str, section: CustomLlm, stats: JSON | None) -> int:
    """A model's context window as the provider told it, else as the settings have it, else as its profile says."""
    told = learned_window(model, stats) or section.context_windows.get(model)
    return adapted(profile_for(model), section.base_url, window=told).context_window


def _lines(stats: JSON) -> Iterator[str]:
    queue = stats["queue"]
    running, waits = queue["running"], [waiting["waited_s"] for waiting in queue["waiting"]]
    if running or waits:
        longest = f", the longest for {max(waits):.0f} s" if waits else ""
        yield f"Now: {running} of {queue['limit']} running, {len(waits)} waiting for a place{longest}."
    for model, counted in stats["models"].items():
        failed = {outcome: count for outcome, count in counted["outcomes"].items() if outcome != "ok"}
        facts = [f"{counted['requests']} request{'s' if counted['requests'] != 1 else ''}"]
        facts += [f"{count} {outcome}" for outcome, count in failed.items()]
        if counted["median_first_byte_s"] is not None:
            facts.append(f"first byte after {counted['median_first_byte_s']:.1f} s")
        if counted["median_tokens_per_s"] is not None:
            facts.append(f"{counted['median_tokens_per_s']:.0f} tokens/s")
        tokens = counted["input_tokens"] + counted["cached_tokens"]
        if tokens:
            facts.append(f"{counted['cached_tokens'] / tokens:.0%} of the input from the provider's cache")
        if counted["retries"]:
            facts.append(f"{counted['retries']} retried")
        if counted["mended"]:
            facts.append("repairs: " + ", ".join(f"{kind} {count}x" for kind, count in counted["mended"].items()))
        yield f"{model}: {', '.join(facts)}."
    if stats.get("recordings"):
        yield f"PROXY_DEBUG is on: requests and answers are recorded in {stats['recordings']}."
    if stats["settings_problem"]:
        yield f"The settings cannot be read any more; the last valid ones stay in force: {stats['settings_problem']}"
