"""Keeping a file with a secret out of git, before the secret is in it. Git itself is asked; nothing is guessed."""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from ..errors import SettingsError
from ..settings import INTEGRATIONS_NAME
from .files import backup_of, temporary_beside
from .git import Git

# By the folder of the file. Wide enough for backups and temporary files, and no wider.
_RULES = {
    INTEGRATIONS_NAME.parent.name: f"{INTEGRATIONS_NAME.parent.name}/",
    ".claude": "**/.claude/*settings.local.json*",  # with a slash inside, a rule holds beside its own file alone
}


class Rule(NamedTuple):
    """A line for a `.gitignore`."""

    file: Path
    line: str


def rule_needed(path: Path, *, env: Mapping[str, str]) -> Rule | None:
    """What has to be added so that git ignores `path` and what is written beside it; None if it does, or is not there.

    Raises `SettingsError` if git has the file already, or no rule of ours would help. Changes nothing.
    """
    path = path.resolve()
    git = _repository(path, env)
    if git is None:
        return None
    problem = _tracked(path, git)
    if problem:
        raise problem
    problem = _seen(path, git)
    if problem is None:
        return None
    line = _RULES.get(path.parent.name)
    if line is None:
        raise problem
    return Rule(git.root() / ".gitignore", line)


def keep_out_of_git(
    path: Path, *, env: Mapping[str, str], before_change: Callable[[Path, str], None] = lambda file, line: None
) -> Path | None:
    """Make sure that git ignores `path` and what is written beside it. Returns the `.gitignore` that was changed.

    `before_change` is told that file, and the line that will be added to it. Raises `SettingsError` if git has the file
    already, or cannot be brought to ignore it.
    """
    rule = rule_needed(path, env=env)
    if rule is None:
        return None
    before_change(rule.file, rule.line)
    _append_line(rule.file, rule.line)
    if exposure(path, env=env):
        raise SettingsError(
            f"Git would still take {path} although {rule.file} names {rule.line}.",
            hint=f"Some other rule, like !{rule.line} in a .gitignore further down, brings it back. Remove that rule.",
        )
    return rule.file


def exposure(path: Path, *, env: Mapping[str, str]) -> SettingsError | None:
    """What is wrong, if git has the file or would take it. Changes nothing."""
    path = path.resolve()
    git = _repository(path, env)
    return (_tracked(path, git) or _seen(path, git)) if git else None


def tracked(path: Path, *, env: Mapping[str, str]) -> SettingsError | None:
    """What is wrong, if git has the file already: then a line in `.gitignore` is not enough."""
    path = path.resolve()
    git = _repository(path, env)
    return _tracked(path, git) if git else None


def nearest_existing(folder: Path) -> Path:
    """The folder itself, or the one in which it would have to be made."""
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _repository(path: Path, env: Mapping[str, str]) -> Git | None:
    git = Git(nearest_existing(path.parent), env)
    return git if git.is_there and git.has_work_tree() else None


def _secrets(path: Path) -> list[Path]:
    """Not only the file itself: its backup and its temporary files hold the same."""
    return [path, backup_of(path), temporary_beside(path, pid=0)]


def _tracked(path: Path, git: Git) -> SettingsError | None:
    found = git.tracked(_secrets(path))
    if not found:
        return None
    root, names = shlex.quote(str(git.root())), " ".join(map(shlex.quote, found))
    return SettingsError(
        f"Git tracks {found[0]}, so a key in it would be published with the next push.",
        hint=(
            "Take it out with these two commands. If a key was in it, make a new one.\n"
            f"  git -C {root} rm --cached {names}\n"
            f'  git -C {root} commit -m "Keep keys out of git"'
        ),
    )


def _seen(path: Path, git: Git) -> SettingsError | None:
    if git.ignores(_secrets(path)):
        return None
    return SettingsError(
        f"Git does not ignore {path}, so a key in it could be published.",
        hint=f"Name it in {git.root() / '.gitignore'}.",
    )


def _append_line(path: Path, line: str) -> None:
    try:
        old = path.read_bytes() if path.exists() else b""
        newline = b"\r\n" if b"\r\n" in old else b"\n"
        separator = newline if old and not old.endswith(b"\n") else b""
        with path.open("ab") as file:
            file.write(separator + line.encode() + newline)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written ({error.strerror}), so git cannot be told to ignore the key.",
            hint=f"Add the line {line} to it, or use `--scope machine`.",
        ) from error
