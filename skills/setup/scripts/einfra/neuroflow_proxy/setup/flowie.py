"""Keeping what is no secret in the folder that neuroflow syncs between machines: provider, models, mode. Never a key.

The folder is the person's own repository. One file is written there and committed, and nothing is ever pushed: that is
the business of whoever syncs it.
"""

from collections.abc import Mapping
from pathlib import Path

from ..errors import ProxyError, SettingsError
from ..settings import INTEGRATIONS_NAME, SECTION, SECTION_SCHEMA
from .git import Git
from .json_file import parse, read_bytes, section_of
from .place import Place
from .undo import Journal, set_fields

_SIGN = "sync.json"
_MESSAGE = "Set the model service of Claude Code"
_MESSAGE_BACK = "Take back the model service of Claude Code"
_FIELDS = SECTION_SCHEMA["properties"]
_SECRET = [name for name, rule in _FIELDS.items() if rule.get("writeOnly")]
SHARED = [name for name in _FIELDS if name not in (*_SECRET, "proxy_port")]
"""The fields that may leave this machine. The port could, too, but means nothing elsewhere."""


def flowie_folder(place: Place) -> Path | None:
    """The folder, where this home has one."""
    folder = place.home / INTEGRATIONS_NAME.parent / "flowie"
    return folder if (folder / _SIGN).is_file() else None


def shared_file(folder: Path) -> Path:
    """The one file that is written there."""
    return folder / INTEGRATIONS_NAME.name


def shared_fields(answers: Mapping[str, object]) -> dict[str, object]:
    """What of the answers may leave this machine."""
    return {name: answers[name] for name in SHARED if answers.get(name) is not None}


def refuse_secrets(folder: Path, key: str) -> None:
    """Raise `SettingsError` if the folder's file holds a key already: it is on its way to other machines."""
    path = shared_file(folder)
    written = read_bytes(path)
    kept = section_of(path, parse(path, written), SECTION)
    if any(kept.get(name) for name in _SECRET) or (key and key.encode() in written):
        raise SettingsError(f"{path} holds a key, and that folder is synced.", hint="Take the key out of it first.")


def share(folder: Path, answers: Mapping[str, object], journal: Journal, place: Place) -> str:
    """Write what is no secret into the folder's integrations file, and commit it. Returns what became of it."""
    path = shared_file(folder)
    is_changed = set_fields(path, journal, section=SECTION, fields=shared_fields(answers))
    problem = commit(path, _MESSAGE, place)
    if problem:
        return f"What is no secret is in {path}, but git did not take it: {problem}"
    return f"What is no secret is in {path}, {'written and committed' if is_changed else 'unchanged'}."


def commit_undone(path: Path, place: Place) -> None:
    """Commit that the file has been put back, if it is the folder's."""
    if path.parent == flowie_folder(place):
        commit(path, _MESSAGE_BACK, place)


def commit(path: Path, message: str, place: Place) -> str:
    """Commit one file, where its folder is in a repository. Returns what git has against it."""
    git = Git(path.parent, place.env)
    try:
        return git.commit(path, message) if git.is_there and git.has_work_tree() else "there is no repository"
    except ProxyError as error:
        return error.message
