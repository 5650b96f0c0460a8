"""What the shorter verbs do and have to tell: `data` for programs, `lines` for people. The key is in neither."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import Kind, SettingsError, UpstreamError
from ..settings import refuse_clear_text
from .asker import Unattended, Wishes
from .claude_code import connection_for, variables_for
from .claude_settings import model_saved_for_no_proxy, outranking, user_settings
from .connect import launch, refresh
from .flow import usual_base_url
from .flowie import commit_undone
from .instance import Instances, Say
from .keys import provider_name
from .live_models import choices_of, working_key
from .model_table import facts, table
from .place import Place
from .platforms import Shell
from .report import NO_KEY_PRINTED, Report, address, facts_of
from .shells import lines
from .starting import ensure_running
from .switch import Switch, switch
from .undo import Journal
from .urls import to_base_url
from .voice import Voice


def undo(place: Place, instances: Instances) -> Report:
    """End the proxy, and put every file back as it was before set-up."""
    for path in _places_of_settings(place):
        journal = Journal(instances.state, path)
        if journal.entries() or instances.under_a_former_name(path):
            with instances.lock(path):
                instances.stop(path)
                instances.forget(path)  # while the journal is there: who is killed here can undo again
                changed = journal.undo()
                instances.leave(path)
            for file in changed:
                commit_undone(file, place)
            left = next((one for one in _places_of_settings(place) if Journal(instances.state, one).entries()), None)
            saved = model_saved_for_no_proxy(place)
            return Report(
                {
                    "undone": True,
                    "files": [str(file) for file in changed],
                    "left": str(left) if left else None,
                    "saved_model": saved,
                },
                [
                    *(f"{'Restored' if file.exists() else 'Removed'}: {file}" for file in changed),
                    "The proxy is stopped.",
                    *([f"Now {left} applies here; `configure.py undo` again undoes that as well."] if left else []),
                    *([_saved_model(saved, user_settings(place))] if saved else []),
                ],
            )
    return Report({"undone": False, "files": [], "left": None, "saved_model": None}, ["There is nothing to undo here."])


def claude(place: Place, instances: Instances, say: Say, *, arguments: Sequence[str]) -> int:
    """Run Claude Code on the proxy, which is started if it does not run. Returns the exit code."""
    if place.configured()[1].proxy_mode == "custom":
        start(place, instances, say)
    path, section = place.configured()
    return launch(variables_for(section, place), arguments, instances.log(path).with_suffix(".claude"), place)


def use(
    place: Place,
    instances: Instances,
    say: Say,
    *,
    model: str | None,
    small_model: str | None,
    tiers: Mapping[str, str],
) -> Report:
    """Another model, from the next request on."""
    switched = switch(place, instances, model=model, small_model=small_model, tiers=tiers)
    section = switched.section
    wanted = variables_for(section, place)
    with instances.lock(switched.path):
        refreshed = refresh(wanted, Journal(instances.state, switched.path), place)
    for warning in switched.warnings:
        say(warning)
    beside = [f"{section.small_model} for small requests"] if section.small_model else []
    beside += [f"{name} for {tier}" for tier, name in section.tiers.items()]
    return Report(
        facts_of(switched.path, section, switched.record)
        | {
            "changed": section != switched.before,
            "active": switched.is_taken_up,
            "warnings": switched.warnings,
            "claude_settings": [str(file) for file in refreshed],
            "variables": {variable.name: variable.value for variable in wanted if not variable.is_key},
        },
        [f"{', '.join([section.model, *beside])} (before: {switched.before.model}).", _effect(switched)],
    )


def start(place: Place, instances: Instances, say: Say, *, port: int | None = None, again: bool = False) -> Report:
    """Let the proxy run; with `again`, end it first."""
    path, section = place.configured()
    if section.proxy_mode == "direct":
        raise SettingsError(
            f"There is no proxy to start: Claude Code asks {connection_for(section).url} directly.",
            hint="`configure.py setup --proxy-mode custom` puts the proxy in between.",
        )
    with instances.lock(path):
        started, _ = ensure_running(
            path, section, {}, port=port, again=again, instances=instances, env=place.env, say=say
        )
        _, section = place.configured()
        refresh(variables_for(section, place), Journal(instances.state, path), place)
    record = started.record
    manner = "Started" if started.is_new else "Already running"
    return Report(
        {"configured": True} | facts_of(path, section, record) | {"new": started.is_new},
        [f"{manner}: {section.model} through {address(record.port)} (pid {record.pid})."],
    )


def stop(place: Place, instances: Instances) -> Report:
    """End the proxy."""
    for path in _places_of_settings(place):
        if instances.find(path):
            with instances.lock(path):
                if instances.stop(path):
                    return Report({"stopped": True, "integrations": str(path)}, ["The proxy is stopped."])
    return Report({"stopped": False}, ["No proxy was running."])


def models(wishes: Wishes, place: Place, voice: Voice, *, limit: int | None, width: int | None = None) -> Report:
    """The provider's live chat models, best first, in a table of no more than `width` letters."""
    in_use = place.in_use()
    base_url = to_base_url(wishes.base_url) if wishes.base_url else usual_base_url(place)
    is_in_use = in_use is not None and in_use[1].base_url.rstrip("/") == base_url
    if not (wishes.allows_http or is_in_use):
        refuse_clear_text(base_url)
    asker = Unattended(takes_defaults=True, has_model=True)
    _, listing = working_key(wishes.key, base_url, place, provider=provider_name(base_url), asker=asker, voice=voice)
    if listing.ids is None:
        raise UpstreamError(
            f"{base_url} has no list of models.",
            hint="If that is the right base URL, name the model: `configure.py setup --model ID`.",
            kind=Kind.NOT_FOUND,
        )
    choices = choices_of(listing, base_url)
    current = in_use[1].model if in_use else None
    shown = choices[:limit]
    listed = table(shown, current, width=width)
    told = [
        {
            "id": choice.id,
            "note": choice.note,
            "recommended": choice.is_recommended,
            "current": choice.id == current,
        }
        | facts(choice)
        for choice in shown
    ]
    return Report(
        {"base_url": base_url, "models": told, "left_out": len(choices) - len(shown)},
        [listed.head, *listed.rows],
    )


def env(place: Place, say: Say, *, shell: Shell, explain: bool) -> Report:
    """The lines that connect Claude Code."""
    found = variables_for(place.configured()[1], place)
    printed = [variable for variable in found if not variable.is_key]
    if len(printed) < len(found):
        say(NO_KEY_PRINTED)
    if outranked := outranking(found, place):
        say(outranked.words)
    return Report(
        {"shell": str(shell), "variables": {variable.name: variable.value for variable in printed}},
        lines(shell, printed, explain=explain),
    )


def _saved_model(model: str, file: Path) -> str:
    return (
        f"Claude Code still begins with {model}: `/model` has saved it in {file}, which is not ours to change. "
        "Choose another with `/model`."
    )


def _effect(switched: Switch) -> str:
    """From when on a switch holds, and what is left to do for it."""
    if switched.section.proxy_mode == "direct":
        return "It applies to sessions of Claude Code that are started from now on."
    if switched.record is None:
        return "The proxy is not running. `configure.py start` starts it."
    if switched.is_taken_up:
        return "The proxy has read this: it applies from the next request on."
    return f"The proxy has not read this yet; its log, {switched.record.log}, says why."


def _places_of_settings(place: Place) -> Iterator[Path]:
    """The file that applies; if it is broken or gone while its proxy runs, wherever it could have been."""
    try:
        in_use = place.in_use()
    except SettingsError:
        in_use = None
    if in_use:
        yield in_use[0]
    else:
        yield from place.possible_paths()
