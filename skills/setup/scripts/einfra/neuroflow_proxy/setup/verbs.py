"""What each verb does and has to tell: `data` for programs, `lines` for people. The key is in neither."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from ..errors import SettingsError
from ..models.profiles import profile_for
from ..models.providers import adapted
from ..settings import FIRST_PORT, CustomLlm, parse_section, read_section
from ..wire.messages_api import JSON
from .catalog import is_up
from .claude_code import Connection, Variable, variables
from .connect import Connect, is_newcomer, launch, refresh, settings_file, skip_login, write_settings
from .flow import (
    Asker,
    Outcome,
    Plan,
    Unattended,
    Wishes,
    answered,
    carry_out,
    new_token,
    offered,
    usual_base_url,
    working_key,
)
from .instance import Instances, Say, Started
from .integrations import save_section
from .keys import last_four, provider_name
from .model_table import facts, rows
from .place import Place
from .platforms import Shell
from .presets import preset_of
from .proof import prove
from .report import Report, address, facts_of
from .shells import lines
from .switch import switch
from .undo import Journal
from .urls import to_base_url

_NEWCOMER = (
    "It was never started here, so it will first ask for an account at Anthropic. Who has none: run this again with "
    "`--skip-login`, or start it with `configure.py claude`.",
)
# Claude Code must have some token, and a proxy without one of its own takes any.
_ANY_TOKEN = "any"  # noqa: S105


def setup(wishes: Wishes, place: Place, asker: Asker, instances: Instances, say: Say, *, shell: Shell) -> Report:
    """Get what is missing answered, write it down, start the proxy, and say how to connect."""
    plan = answered(wishes, place, asker, say)
    if wishes.is_dry_run:
        return _would_change(plan, place)
    outcome = carry_out(plan, place, instances, say)
    section, record = outcome.section, outcome.started.record
    wanted = _variables(section, place)
    connect = lines(shell, wanted)
    proof, shown = _proved(outcome, say) if wishes.proves else (None, [])
    settings, told = _connect(outcome, wanted, connect, place, instances, shell=shell)
    changed = "written now" if outcome.is_changed else "unchanged"
    return Report(
        facts_of(plan.path, section, record)
        | {
            "changed": outcome.is_changed,
            "gitignore": str(outcome.ignore_file) if outcome.ignore_file else None,
            "new": outcome.started.is_new,
            "shell": str(shell),
            "connect": connect,
            "claude_settings": str(settings) if settings else None,
            "asks_for_account": settings is not None and is_newcomer(place),
            "launch": plan.connect is Connect.LAUNCH,
            "proof": proof,
        },
        [
            f"{_manner(outcome.started)}: {section.model} at {section.base_url}, through {address(record.port)}.",
            f"Settings are in {plan.path}, {changed}; the log is {record.log}.",
            *shown,
            *told,
        ],
    )


def _would_change(plan: Plan, place: Place) -> Report:
    """What set-up would write. Of the key, the last four letters; ports and tokens are found when it is done."""
    before = read_section(plan.path) if plan.path.is_file() else None
    fields = {name: value for name, value in plan.answers.items() if value != getattr(before, name, None)}
    if "api_key" in fields:
        fields["api_key"] = last_four(str(fields["api_key"]))
    files: dict[str, JSON] = {str(plan.path): fields} if fields else {}
    if plan.connect is Connect.SETTINGS:
        planned = parse_section({**plan.answers, "proxy_port": before.proxy_port if before else FIRST_PORT})
        names = [variable.name for variable in _variables(planned, place)]
        files[str(settings_file(plan.path, place))] = dict.fromkeys(names, "…")
    told = [
        f"{file}: {', '.join(f'{name} {value}' for name, value in changes.items())}" for file, changes in files.items()
    ]
    return Report(
        {"dry_run": True, "files": files}, [*(told or ["Nothing would change."]), "Nothing has been changed."]
    )


def _proved(outcome: Outcome, say: Say) -> tuple[JSON, list[str]]:
    """Whether the chosen model is fit for work with tools, and if not, which to take."""
    section, record = outcome.section, outcome.started.record
    say(f"Asking {section.model} to use a tool.")
    proof = prove(record.port, section.proxy_token or _ANY_TOKEN, section.model)
    told = asdict(proof) | {"ok": not proof.problem, "next_best": None}
    if not proof.problem:
        return told, [f"Proved with {section.model}: {proof.words}."]
    others = [choice.id for choice in outcome.plan.choices if choice.id != section.model and is_up(choice)]
    told["next_best"] = others[0] if others else None
    mend = f"`configure.py use {others[0]}` takes the next best." if others else "`configure.py models` shows others."
    return told, [f"Not fit for work with tools: {section.model}: {proof.words}", mend]


def _connect(
    outcome: Outcome,
    wanted: Sequence[Variable],
    printed: Sequence[str],
    place: Place,
    instances: Instances,
    *,
    shell: Shell,
) -> tuple[Path | None, list[str]]:
    """Connect Claude Code as was wished. Returns the settings that say so, if any, and what to tell."""
    plan = outcome.plan
    journal = Journal(instances.state, plan.path)
    with instances.lock(plan.path):
        if plan.skips_login:
            skip_login(journal, place)
        if plan.connect is not Connect.SETTINGS:
            refresh(wanted, journal, place)
        else:
            settings = settings_file(plan.path, place)
            write_settings(settings, wanted, journal, place)
    if plan.connect is Connect.SETTINGS:
        return settings, [
            f"Claude Code is connected: {settings} says so, for sessions that run already as well.",
            "Run `claude`, and let it trust this folder if it asks: before that it does not look into them.",
            *(_NEWCOMER if is_newcomer(place) else ()),
            "`configure.py undo` puts everything back as it was.",
        ]
    if plan.connect is Connect.LAUNCH:
        return None, []
    return None, ["", f"To connect Claude Code, paste this into {shell}, then run `claude`:", "", *printed]


def undo(place: Place, instances: Instances) -> Report:
    """End the proxy, and put every file back as it was before set-up."""
    for path in _places_of_settings(place):
        journal = Journal(instances.state, path)
        if journal.entries():
            with instances.lock(path):
                instances.stop(path)
                changed = journal.undo()
            return Report(
                {"undone": True, "files": [str(file) for file in changed]},
                [*(f"As it was before: {file}" for file in changed), "The proxy does not run any more."],
            )
    return Report({"undone": False, "files": []}, ["There is nothing to undo here."])


def claude(place: Place, instances: Instances, say: Say, *, arguments: Sequence[str]) -> int:
    """Run Claude Code on the proxy, which is started if it does not run. Returns the exit code."""
    start(place, instances, say)
    path, section = place.configured()
    return launch(_variables(section, place), arguments, instances.log(path).with_suffix(".claude"), place)


def use(place: Place, instances: Instances, say: Say, *, model: str | None, small_model: str | None) -> Report:
    """Another model, from the next request on."""
    switched = switch(place, instances, model=model, small_model=small_model)
    section, record = switched.section, switched.record
    with instances.lock(switched.path):
        refreshed = refresh(_variables(section, place), Journal(instances.state, switched.path), place)
    for warning in switched.warnings:
        say(warning)
    if record is None:
        effect = "The proxy does not run. `configure.py start` starts it."
    elif switched.is_taken_up:
        effect = "The proxy has taken it up: it holds from the next request on."
    else:
        effect = f"The proxy has not taken it up yet; its log, {record.log}, says why."
    small = f", {section.small_model} for small requests" if section.small_model else ""
    return Report(
        facts_of(switched.path, section, record)
        | {
            "changed": section != switched.before,
            "active": switched.is_taken_up,
            "warnings": switched.warnings,
            "claude_settings": [str(file) for file in refreshed],
            "variables": {variable.name: variable.value for variable in _variables(section, place)},
        },
        [f"{section.model}{small} (before: {switched.before.model}).", effect],
    )


def start(place: Place, instances: Instances, say: Say, *, port: int | None = None, again: bool = False) -> Report:
    """Let the proxy run; with `again`, end it first."""
    path, section = place.configured()

    def write_down(chosen: int) -> None:
        save_section(path, {"proxy_port": chosen, "proxy_token": section.proxy_token or new_token()})

    with instances.lock(path):
        running = instances.running(path)
        if running and (again or port not in (None, running[0].port)):
            instances.stop(path)
        started = instances.start(
            path,
            port=port or section.proxy_port,
            on_port=write_down,
            secret=section.api_key,
            env=place.env,
            say=say,
        )
        _, section = place.configured()
        refresh(_variables(section, place), Journal(instances.state, path), place)
    record = started.record
    return Report(
        {"configured": True} | facts_of(path, section, record) | {"new": started.is_new},
        [f"{_manner(started)}: {section.model} through {address(record.port)} (pid {record.pid})."],
    )


def stop(place: Place, instances: Instances) -> Report:
    """End the proxy."""
    for path in _places_of_settings(place):
        if instances.find(path):
            with instances.lock(path):
                if instances.stop(path):
                    return Report({"stopped": True, "integrations": str(path)}, ["The proxy has ended."])
    return Report({"stopped": False}, ["No proxy was running."])


def models(wishes: Wishes, place: Place, say: Say, *, limit: int | None) -> Report:
    """The provider's live chat models, best first."""
    in_use = place.in_use()
    base_url = to_base_url(wishes.base_url) if wishes.base_url else usual_base_url(place)
    asker = Unattended(takes_defaults=True, has_model=True)
    _, ids = working_key(wishes.key, base_url, place, provider=provider_name(base_url), asker=asker, say=say)
    choices = offered(ids, base_url)
    current = in_use[1].model if in_use else None
    shown = choices[:limit]
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
        rows(shown, current),
    )


def env(place: Place, *, shell: Shell, explain: bool) -> Report:
    """The lines that connect Claude Code."""
    found = _variables(place.configured()[1], place)
    return Report(
        {"shell": str(shell), "variables": {variable.name: variable.value for variable in found}},
        lines(shell, found, explain=explain),
    )


def _variables(section: CustomLlm, place: Place) -> list[Variable]:
    profile = adapted(profile_for(section.model), section.base_url)
    connection = Connection(
        port=section.proxy_port,
        token=section.proxy_token or _ANY_TOKEN,
        provider=preset.title if (preset := preset_of(section.base_url)) else section.provider,
        model=section.model,
        small_model=section.small_model or section.model,
        context_window=profile.context_window,
        max_output_tokens=profile.max_output_tokens,
    )
    return variables(connection, place.env)


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


def _manner(started: Started) -> str:
    return "Started" if started.is_new else "Running already"
