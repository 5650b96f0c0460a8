"""The verb `setup`, and what it has to tell: the answers, the proxy, the proof, and Claude Code connected."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..settings import CustomLlm
from ..wire.messages_api import JSON
from .asker import Asker, Wishes
from .catalog import is_stand_in, is_up
from .claude_code import Connection, Variable, connection_for, variables_for
from .claude_settings import Outranked, outranking, project_settings, user_settings
from .connect import ONBOARDED, Connect, is_newcomer, refresh, settings_file, skip_login, state_file, write_settings
from .dry_run import would_change
from .features import allow_auto_mode, words_on_features
from .flow import CarriedOut, Plan, answered, carry_out, with_windows
from .flowie import share
from .instance import Instances, Started
from .integrations import save_section
from .place import Place
from .platforms import Shell
from .proof import prove
from .report import NO_KEY_PRINTED, Report, facts_of
from .shells import lines
from .undo import ENV, Journal
from .voice import Voice

DIRECT_LOSSES = (
    "Without the proxy nothing mends what models get wrong: tool calls that leak into text or thoughts are lost, "
    "refused requests are not sent again, /model does not list the provider's models, and another model needs a new "
    "session."
)
_NEWCOMER = (
    "Claude Code has never been started here, and its first start does not read a project's settings: it ends in "
    "“Unable to connect to Anthropic services”, or asks for an account. If you have none, run this again with "
    "`--skip-login`, or start Claude Code with `configure.py claude`."
)


def setup(wishes: Wishes, place: Place, asker: Asker, instances: Instances, voice: Voice, *, shell: Shell) -> Report:
    """Get what is missing answered, write it down, start the proxy, and connect Claude Code."""
    try:
        plan = answered(wishes, place, asker, voice)
    except KeyboardInterrupt:
        voice.say("Nothing has been changed.")
        raise
    if wishes.is_dry_run:
        return would_change(plan, place, Journal(instances.state, plan.path))
    try:
        outcome = carry_out(plan, place, instances, voice)
        proof: JSON | None = None
        shown: list[str] = []
        if wishes.proves:
            outcome, proof, shown = _proved(outcome, asker, instances, voice)
        wanted = variables_for(outcome.section, place)
        # Made before anything is written: there are values that a shell's line cannot carry.
        printed = lines(shell, [variable for variable in wanted if not variable.is_key])
        connected = _connect(outcome, wanted, place, instances)
        return _told(outcome, connected, proof, shown, printed, shell=shell)
    except KeyboardInterrupt:
        voice.say(
            "Set-up is not complete. `configure.py setup` again finishes it, and `configure.py undo` takes it back."
        )
        raise


def _proved(
    outcome: CarriedOut, asker: Asker, instances: Instances, voice: Voice
) -> tuple[CarriedOut, JSON | None, list[str]]:
    """Whether the chosen model is fit for work with tools; if not, the next best is offered, and tried in its turn."""
    plan, section = outcome.plan, outcome.section
    candidates = [choice.id for choice in plan.choices if is_up(choice) and choice.id != section.model]
    told: list[str] = []
    while True:
        connection = connection_for(section)
        with voice.during(f"Asking {section.model} to use a tool."):
            proof = prove(connection.url, connection.token, section.model)
        other = candidates.pop(0) if proof.may_another_do and candidates else None
        if other is None or not asker.takes_instead(proof.verdict(section.model), other):
            break
        told.append(proof.verdict(section.model))
        windows = with_windows(section, plan.windows, (other,))
        with instances.lock(plan.path):
            changes = {"model": other, "context_windows": windows or None}
            save_section(plan.path, changes, again=outcome.is_changed)
        section = replace(section, model=other, context_windows=windows)
    outcome = replace(outcome, section=section)
    if not proof.problem:
        facts = asdict(proof) | {"ok": True, "next_best": None, "hint": ""}
        return outcome, facts, [*told, f"Tested {section.model}: {proof.words}."]
    verb = "models` shows others" if proof.may_another_do else "doctor` looks further"
    hint = f"`configure.py use {other}` takes the next best." if other else f"`configure.py {verb}."
    facts = asdict(proof) | {"ok": False, "next_best": other, "hint": hint}
    return outcome, facts, [*told, proof.verdict(section.model), hint]


@dataclass(frozen=True, slots=True)
class _Connected:
    """What was done so that Claude Code asks the proxy, or the provider."""

    settings: Path | None
    """Its settings, where they were written."""
    refreshed: list[Path]
    """Settings that an earlier set-up had written, and that had to be changed."""
    spared: Path | None
    """The file that now says that the questions of a first start have been answered."""
    asks_for_account: bool
    """Whether Claude Code will ask them all the same, since a project's settings do not reach its first start."""
    overridden_by: Path | None
    """Other settings of ours that apply where set-up was run."""
    outranked_by: Outranked | None
    """What keeps requests from here from arriving all the same."""
    shared: str
    """What became of what is kept in flowie; nothing if that is not wanted."""


def _connect(outcome: CarriedOut, wanted: Sequence[Variable], place: Place, instances: Instances) -> _Connected:
    """Connect Claude Code as was wished, and bring up to date what was connected before."""
    plan, section = outcome.plan, outcome.section
    journal = Journal(instances.state, plan.path)
    settings = settings_file(plan.path, place) if plan.connect is Connect.SETTINGS else None
    with instances.lock(plan.path):
        answers = {**plan.answers, "model": section.model}
        shared = share(plan.flowie, answers, journal, place) if plan.flowie else ""
        spared = state_file(place) if plan.skips_login and skip_login(journal, place) else None
        if settings not in (None, user_settings(place)):
            # Another folder's set-up may have spared the questions already: who is undone last puts that back.
            journal.join(state_file(place), section=None, names=(ONBOARDED,))
        if settings:
            write_settings(settings, wanted, journal, place)
        refreshed = refresh(wanted, journal, place)
        for written in {entry.path for entry in journal.entries() if entry.section == ENV}:
            allow_auto_mode(Path(written), section, journal)
    asks_for_account = settings not in (None, user_settings(place)) and is_newcomer(place)
    in_use = place.in_use()
    overridden_by = in_use[0] if in_use and in_use[0] != plan.path else None
    # Where Claude Code is started now, our variables are laid over all files; and if other settings of ours hold here,
    # it is right that it asks their proxy.
    is_to_arrive = plan.connect is not Connect.LAUNCH and in_use is not None and overridden_by is None
    outranked_by = outranking(wanted, place) if is_to_arrive else None
    return _Connected(settings, refreshed, spared, asks_for_account, overridden_by, outranked_by, shared)


def _told(
    outcome: CarriedOut,
    connected: _Connected,
    proof: JSON | None,
    shown: Sequence[str],
    printed: Sequence[str],
    *,
    shell: Shell,
) -> Report:
    """All that there is to tell. `shown` are the words for `proof`, `printed` the lines for `shell`."""
    plan, section, started = outcome.plan, outcome.section, outcome.started
    over = connected.overridden_by
    connection = connection_for(section)
    changed = "written now" if outcome.is_changed else "unchanged"
    chosen = [choice for choice in plan.choices if choice.id == section.model]
    return Report(
        facts_of(plan.path, section, started.record if started else None)
        | {
            "note": chosen[0].note if chosen else "",
            "changed": outcome.is_changed,
            "outranked_by": str(over) if over else None,
            "gitignore": str(outcome.ignore_file) if outcome.ignore_file else None,
            "new": started is not None and started.is_new,
            "shell": str(shell),
            "connect": list(printed),
            "claude_settings": str(connected.settings) if connected.settings else None,
            "connection_outranked_by": str(connected.outranked_by.path) if connected.outranked_by else None,
            "claude_settings_updated": [str(path) for path in connected.refreshed],
            "asks_for_account": connected.asks_for_account,
            "flowie": connected.shared or None,
            "launch": plan.connect is Connect.LAUNCH,
            "proof": proof,
            "features": words_on_features(section),
        },
        [
            *(f"{choice.id} is {choice.note}." for choice in chosen if is_stand_in(choice)),
            *_manner(started, connection, section),
            f"Settings are in {plan.path}, {changed}" + (f"; the log is {started.record.log}." if started else "."),
            *([f"But in this folder {over} overrides them, until `configure.py undo` removes it."] if over else []),
            *([connected.shared] if connected.shared else []),
            *shown,
            *words_on_features(section),
            *_next_steps(plan, connection, connected, printed, shell),
        ],
    )


def _manner(started: Started | None, connection: Connection, section: CustomLlm) -> list[str]:
    if started is None:
        return [f"Direct: {section.model} at {connection.url}, with no proxy in between.", DIRECT_LOSSES]
    manner = "Started" if started.is_new else "Already running"
    return [f"{manner}: {section.model} at {section.base_url}, through {connection.url}."]


def _next_steps(
    plan: Plan, connection: Connection, connected: _Connected, printed: Sequence[str], shell: Shell
) -> list[str]:
    settings = connected.settings
    but = [connected.outranked_by.words] if connected.outranked_by else []
    if settings:
        key = " That file now holds the provider's key." if connection.direct_url else ""
        folder = settings.parent.parent
        is_project = settings == project_settings(folder)
        words = f"This applies to {folder} only; `configure.py setup --scope machine` connects all folders."
        trust = ", and trust this folder if it asks: until then it ignores these settings"
        return [
            "",
            f"Claude Code is connected by {settings}; sessions that are already running use it as well.{key}",
            *but,
            f"Run `claude`{trust if is_project else ''}.",
            *([words] if is_project else []),
            *([_NEWCOMER] if connected.asks_for_account else []),
            *([f"The questions of its first start are skipped, by {connected.spared}."] if connected.spared else []),
            "`configure.py undo` puts everything back as it was.",
        ]
    if plan.connect is Connect.LAUNCH:
        return []
    without_key = [NO_KEY_PRINTED] if connection.direct_url else []
    paste = f"To connect Claude Code, paste this into {shell}, then run `claude`:"
    return ["", paste, "", *printed, *without_key, *but]
