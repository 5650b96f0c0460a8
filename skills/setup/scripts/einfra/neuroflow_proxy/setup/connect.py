"""Connecting Claude Code: writing its settings, or starting it with the variables in its environment."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from ..wire.plain_json import dumps
from .claude_code import Variable, find_claude
from .claude_settings import (
    BESIDE_VARIABLES,
    SHELL,
    claude_folder,
    project_settings,
    repository_root,
    sources,
    user_settings,
    winner,
)
from .files import write_private
from .git_guard import exposure, keep_out_of_git, rule_needed
from .integrations import Scope
from .json_file import parse, read_bytes
from .place import Place
from .undo import ENV, Journal, set_fields

ONBOARDED = "hasCompletedOnboarding"


class Connect(StrEnum):
    """How Claude Code gets to know of the proxy."""

    SETTINGS = "settings"
    PRINT = "print"
    LAUNCH = "launch"


def settings_file(integrations: Path, place: Place) -> Path:
    """The settings of Claude Code that reach as far as an integrations file does."""
    if integrations.resolve() == place.paths()[Scope.MACHINE].resolve():
        return user_settings(place)
    folder = integrations.parent.parent
    # Ours hold below their folder, those of Claude Code do not: one that is started here must look into them.
    is_read = folder in (place.cwd, repository_root(place.cwd)) or folder not in place.cwd.parents
    return project_settings(folder if is_read else place.cwd)


def refuse_settings(path: Path, place: Place, *, with_key: bool) -> None:
    """Raise `SettingsError` if our variables cannot be set in Claude Code's settings. Changes nothing."""
    parse(path, read_bytes(path))
    if path != user_settings(place):
        rule_needed(path, env=place.env)
    elif with_key and (problem := exposure(path, env=place.env)):
        # Some keep their home's settings in a repository, where a token of this machine's own is no harm and a key is.
        raise problem


def write_settings(path: Path, variables: Sequence[Variable], journal: Journal, place: Place) -> bool:
    """Set our variables in Claude Code's settings; nothing else there is touched. Returns whether that changed them."""
    refuse_settings(path, place, with_key=any(variable.is_key for variable in variables))
    if path != user_settings(place):
        keep_out_of_git(path, env=place.env, before_change=journal.remember_line)
    fields = {variable.name: variable.value for variable in variables}
    is_changed = set_fields(path, journal, section=ENV, fields=fields)
    theirs = parse(path, read_bytes(path))
    if any(theirs.get(name, value) != value for name, value in BESIDE_VARIABLES.items()):
        return is_changed  # somebody has decided otherwise
    return set_fields(path, journal, section=None, fields=BESIDE_VARIABLES) or is_changed


def connected(journal: Journal) -> list[Path]:
    """The settings of Claude Code that were written before, and are still there."""
    return [path for entry in journal.entries() if entry.section == ENV and (path := Path(entry.path)).exists()]


def refresh(variables: Sequence[Variable], journal: Journal, place: Place) -> list[Path]:
    """Bring the settings that were written before up to date. Returns those that changed."""
    return [path for path in connected(journal) if write_settings(path, variables, journal, place)]


def is_newcomer(place: Place) -> bool:
    """Whether Claude Code has never been started here, so that it would first ask for an account at Anthropic."""
    path = state_file(place)
    return not parse(path, read_bytes(path)).get(ONBOARDED)


def skip_login(journal: Journal, place: Place) -> bool:
    """Let Claude Code begin without the questions of a first start."""
    return set_fields(state_file(place), journal, section=None, fields={ONBOARDED: True})


def launch(variables: Sequence[Variable], arguments: Sequence[str], private_file: Path, place: Place) -> int:
    """Run Claude Code in this terminal, on the proxy. Returns its exit code, unless it takes this process's place."""
    values = {variable.name: variable.value for variable in variables}
    command = [find_claude(place), *arguments]
    found = sources(place)
    deciding = [winner(found, name) for name in values]
    if any(source and source.name != SHELL for source in deciding):
        # Settings files stand over the environment, and a file that is named on the command line over them.
        write_private(private_file, dumps({ENV: values}))
        command[1:1] = ["--settings", str(private_file)]
    env = {**place.env, **values}
    if sys.platform == "win32":  # where a program that takes another's place leaves the shell waiting for nobody
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return subprocess.run(command, env=env, check=False).returncode  # noqa: S603
    os.execve(command[0], command, env)  # noqa: S606


def state_file(place: Place) -> Path:
    """Where Claude Code keeps what it has learned of its user."""
    folder = claude_folder(place)
    return (folder if place.env.get("CLAUDE_CONFIG_DIR") else folder.parent) / ".claude.json"
