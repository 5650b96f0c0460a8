"""What `setup --dry-run` tells: each file that set-up would change, and how."""

from collections.abc import Sequence
from pathlib import Path

from ..settings import FIRST_PORT, CustomLlm, read_section
from ..wire.messages_api import JSON
from .claude_code import Variable, variables_for
from .claude_settings import BESIDE_VARIABLES, user_settings
from .connect import ONBOARDED, Connect, connected, is_newcomer, settings_file, state_file
from .features import PERMISSIONS, permissions
from .flow import Plan
from .flowie import shared_fields, shared_file
from .git_guard import rule_needed
from .json_file import parse, read_bytes, section_of
from .keys import last_four
from .place import Place
from .report import Report
from .undo import ENV, Journal, with_fields


def would_change(plan: Plan, place: Place, journal: Journal) -> Report:
    """What set-up would write. Of the key, the last four letters; ports and tokens are found when it is done."""
    before = read_section(plan.path) if plan.path.is_file() else None
    planned = plan.section(
        proxy_port=before.proxy_port if before else FIRST_PORT, proxy_token=before.proxy_token if before else None
    )
    fields = {
        name: value
        for name, value in plan.answers.items()
        if (getattr(planned, name) != getattr(before, name) if before else value is not None)
    }
    if "api_key" in fields:
        fields["api_key"] = last_four(str(fields["api_key"]))
    files: dict[str, JSON] = {str(plan.path): fields} if fields else {}
    written = [plan.path] if fields else []
    wanted = variables_for(planned, place)
    ours = [settings_file(plan.path, place)] if plan.connect is Connect.SETTINGS else []
    for settings in dict.fromkeys([*ours, *connected(journal)]):
        if changes := _settings_changes(settings, wanted, planned, journal):
            files[str(settings)] = changes
            written += [settings] if settings != user_settings(place) else []
    if plan.skips_login and is_newcomer(place):
        files[str(state_file(place))] = {ONBOARDED: True}
    if plan.flowie:
        files[str(shared_file(plan.flowie))] = shared_fields(plan.answers)
    for rule in filter(None, (rule_needed(path, env=place.env) for path in written)):
        files.setdefault(str(rule.file), {})[rule.line] = "a new line"
    told = []
    for file, changes in files.items():
        told += [f"{file} would get:", *(f"  {name}: {_plain(value)}" for name, value in changes.items())]
    return Report(
        {"dry_run": True, "files": files}, [*(told or ["Nothing would change."]), "Nothing has been changed."]
    )


def _settings_changes(path: Path, wanted: Sequence[Variable], section: CustomLlm, journal: Journal) -> JSON:
    """What would change in one of Claude Code's settings. Values of variables are not shown: one may be a key."""
    before = parse(path, read_bytes(path))
    after = with_fields(path, before, journal, section=ENV, fields={name: value for name, value, *_ in wanted})
    granted = permissions(path, section, journal)
    if granted is not None:
        after = with_fields(path, after, journal, section=PERMISSIONS, fields=granted)
    env = _changed(section_of(path, before, ENV), section_of(path, after, ENV))
    allowed = _changed(section_of(path, before, PERMISSIONS), section_of(path, after, PERMISSIONS))
    return {
        **{name: None if value is None else "…" for name, value in env.items()},
        **{name: value for name, value in BESIDE_VARIABLES.items() if name not in before},
        **{f"{PERMISSIONS}.{name}": value for name, value in allowed.items()},
    }


def _changed(before: JSON, after: JSON) -> JSON:
    """What is not as it was; None where it is gone."""
    names = dict.fromkeys([*after, *before])
    return {name: after.get(name) for name in names if after.get(name) != before.get(name)}


def _plain(value: object) -> str:
    return "none of its own" if value is None else str(value)
