"""Another model for the conversation that is going on: one field in the file, which the proxy reads again by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..settings import CustomLlm, read_section
from ..wire.messages_api import JSON
from .connect import connected
from .flow import with_tiers, with_windows
from .health import ask_stats, wait_until_read
from .instance import Instances
from .integrations import save_section
from .live_models import ask_listing
from .place import Place
from .process import Record
from .undo import Journal
from .usage import learned_windows, prompt_tokens, window_of


@dataclass(frozen=True, slots=True)
class Switch:
    """What came of a switch. `is_taken_up`: the running proxy answers with the new model already."""

    path: Path
    before: CustomLlm
    section: CustomLlm
    record: Record | None
    is_taken_up: bool
    warnings: list[str]


def switch(
    place: Place, instances: Instances, *, model: str | None, small_model: str | None, tiers: Mapping[str, str]
) -> Switch:
    """Write the models that were named into the file that applies here, if the provider has them.

    In `tiers`, an empty id takes a tier's own model away.
    """
    path, before = place.configured()
    listing = ask_listing(before.base_url, before.api_key, provider=before.provider)
    changes: dict[str, object] = {"model": listing.named(model), "small_model": listing.named(small_model)}
    changes = {name: value for name, value in changes.items() if value}
    if tiers:
        changes["tiers"] = with_tiers(before.tiers, tiers, listing) or None
    with instances.lock(path):
        record = instances.running(path)
        stats = ask_stats(record.port, before.proxy_token) if record else None
        told = {**listing.windows, **learned_windows(stats)}
        models = (model or before.model, small_model, *tiers.values())
        save_section(path, {**changes, "context_windows": with_windows(before, told, models) or None})
    section = read_section(path) or before
    return Switch(
        path,
        before,
        section,
        record,
        is_taken_up=record is not None and wait_until_read(record.port, section.proxy_token, path),
        warnings=_warnings(before, section, stats, has_settings=bool(connected(Journal(instances.state, path)))),
    )


def _warnings(before: CustomLlm, section: CustomLlm, stats: JSON | None, *, has_settings: bool) -> list[str]:
    """What a switch does not do. Claude Code reads its settings again at once, but not its environment."""
    told = []
    old, new = (window_of(one.model, one, stats) for one in (before, section))
    used = prompt_tokens(stats, before.model) if stats else 0
    if used >= new and new != old:
        told.append(
            f"Requests to {before.model} held up to {used:,} tokens, and {section.model} takes only {new:,}: "
            "the next one may be refused. Type /compact in Claude Code first."
        )
    who = "A Claude Code that `configure.py claude` has started" if has_settings else "Claude Code"
    again = "is restarted" if has_settings else "is restarted with what `configure.py env` prints now"
    if new != old:
        told.append(f"{section.model} takes {new:,} tokens. {who} goes on counting with {old:,} until it {again}.")
    if section.tiers != before.tiers:
        told.append(f"{who} goes on with the models that its tiers had until it {again}.")
    return told
