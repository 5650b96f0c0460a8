"""Writing our section of `.neuroflow/integrations.json` and leaving everything else in that file as it is.

Reading and checking is `settings.py`'s; keeping the file out of git is `git_guard.py`'s.
"""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from ..settings import INTEGRATIONS_NAME, SECTION
from .files import PRIVATE_FILE, backup_of, write_private
from .json_file import cannot_write, parse, read_bytes, render, section_of

OTHER_SCOPE = "Free the way to it, or choose the other scope: `--scope project` or `--scope machine`."


class Scope(StrEnum):
    """For whom the settings hold: this project, or everything that this user does on this machine."""

    PROJECT = "project"
    MACHINE = "machine"


def path_for(scope: Scope, cwd: Path, home: Path) -> Path:
    """The integrations file of a scope."""
    return (home if scope is Scope.MACHINE else project_folder(cwd, home)) / INTEGRATIONS_NAME


def project_folder(cwd: Path, home: Path) -> Path:
    """The project that `cwd` is in: the nearest folder with a `.neuroflow` or a `.git`; else `cwd` itself."""
    for folder in (cwd, *cwd.parents):
        if folder == home:
            break
        if (folder / INTEGRATIONS_NAME.parent).is_dir() or (folder / ".git").exists():
            return folder
    return cwd


def state_name(path: Path) -> str:
    """By which files in the user's state folder know an integrations file, however its path is spelt."""
    return name_of(str(path.resolve()))


def name_of(path: str) -> str:
    """The same for a path without links, whether it is there or not."""
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def save_section(path: Path, changes: Mapping[str, object], *, again: bool = False) -> bool:
    """Set the fields `changes` of our section; None removes one. Returns whether the file was changed.

    Order, unknown fields, other sections, indentation and line ends stay. What was there before is kept beside it,
    with the suffix `.bak`; a command that has changed the file before says `again`, and the backup stays what it was
    then. A file that is not a JSON object is never overwritten.
    """
    old = read_bytes(path)
    document = parse(path, old)
    section = section_of(path, document, SECTION)
    merged = {name: value for name, value in {**section, **changes}.items() if name not in changes or value is not None}
    new = render({**document, SECTION: merged}, like=old)
    try:
        if new == old:
            if path.stat().st_mode & ~PRIVATE_FILE & 0o777:
                path.chmod(PRIVATE_FILE)  # it holds a key, whoever made it
            return False
        if old and not again:
            write_private(backup_of(path), old)
        write_private(path, new)
    except OSError as error:
        raise cannot_write(path, error, hint=OTHER_SCOPE) from error
    return True
