"""What people's files held before set-up changed them, and putting it back.

A file is put back field by field, or line by line: what somebody else has changed in it meanwhile stays. Where nobody
has, it ends as it was, byte for byte, and a file that was not there is gone again.

What was in a file may be a key of somebody's. The journal is for the user alone, and gone when it has been undone.
"""

import base64
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..errors import SettingsError
from ..settings import SECTION
from ..wire.messages_api import JSON
from ..wire.plain_json import InvalidJSON, dumps, loads
from .files import backup_of, remove_leftovers, write_private
from .integrations import name_of, state_name
from .json_file import cannot_write, parse, read_bytes, render, section_of

ENV = "env"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file as it was before one of its sections was changed. `names` are the fields of `section` that were set;
    none: the section as a whole.

    With `are_lines`, the file is no JSON, and `names` are the lines that were added to it.
    """

    path: str
    section: str | None
    """None: the fields stand at the top of the document."""
    names: tuple[str, ...]
    original: str | None
    """What was in it, in base 64; None if it was not there."""
    are_lines: bool = False

    @property
    def place(self) -> tuple[str, str | None]:
        return self.path, self.section

    @property
    def data(self) -> bytes:
        return base64.b64decode(self.original or "")


class Journal:
    """The entries that belong to one integrations file. Hold its lock to add to them."""

    def __init__(self, state: Path, integrations: Path) -> None:
        self._path = state / f"{state_name(integrations)}.undo"
        self._folder = integrations.resolve().parent.parent

    def entries(self) -> list[Entry]:
        return _entries(self._path)

    def of_others(self, path: Path, section: str | None) -> list[Entry]:
        """What other set-ups of this home have set in the same place, as in the state of Claude Code."""
        found: list[Entry] = []
        for journal in self._path.parent.glob("*.undo"):
            with contextlib.suppress(SettingsError):  # one that is broken says nothing
                found += _entries(journal) if journal != self._path else []
        return [entry for entry in found if entry.place == (str(path.resolve()), section)]

    def join(self, path: Path, *, section: str | None, names: Sequence[str]) -> None:
        """Rely on fields that another set-up has set to what they are to be: who is undone last puts them back."""
        entries = self.entries()
        if (str(path.resolve()), section) in [entry.place for entry in entries]:
            return
        for other in self.of_others(path, section):
            shared = tuple(name for name in names if name in other.names)
            if shared:
                self._write([*entries, replace(other, names=shared)])
                return

    def follow(self, integrations: Path) -> None:
        """Take over what was kept while the integrations file was there, before its folder was moved."""
        former, folder = self._path.with_name(f"{name_of(str(integrations))}.undo"), integrations.parent.parent
        entries = [
            replace(entry, path=str(self._folder / path.relative_to(folder))) if path.is_relative_to(folder) else entry
            for entry in _entries(former)
            for path in (Path(entry.path),)
        ]
        if entries and not self.entries():
            self._write(entries)
        if self.entries() == entries:
            former.unlink(missing_ok=True)

    def remember(
        self, path: Path, *, section: str | None = None, names: Sequence[str] = (), are_lines: bool = False
    ) -> None:
        """Keep what is in the file before it is changed for the first time."""
        path = path.resolve()
        entries = {entry.place: entry for entry in self.entries()}
        place = (str(path), section)
        known = entries.get(place)
        if known:
            entries[place] = replace(known, names=tuple(dict.fromkeys([*known.names, *names])))
        else:
            original = base64.b64encode(path.read_bytes()).decode() if path.exists() else None
            entries[place] = Entry(str(path), section, tuple(names), original, are_lines)
        self._write(entries.values())

    def remember_line(self, path: Path, line: str) -> None:
        """Remember what is in a file of lines, such as `.gitignore`, to which `line` will be added."""
        self.remember(path, names=[line], are_lines=True)

    def undo(self) -> list[Path]:
        """Put every file back. Returns those that are changed or gone now."""
        entries = self.entries()
        for path in (self._path, *(Path(entry.path) for entry in entries)):
            remove_leftovers(path)
        # The last first: what a file held when its second section was set has our first one in it.
        own = [alone for entry in entries if not entry.are_lines and (alone := self._without_shared(entry))]
        changed = [Path(entry.path) for entry in reversed(own) if _put_back(entry)]
        # Lines keep secrets out of git. Where a file of ours is still there, somebody has put something into it since.
        left = [entry for entry in entries if entry.original is None and Path(entry.path).exists()]
        for entry in entries:
            if entry.are_lines and not any(_keeps_out(entry, other) for other in left) and _take_out(entry):
                changed.append(Path(entry.path))
        self._path.unlink(missing_ok=True)
        return list(dict.fromkeys(changed))

    def _write(self, entries: Iterable[Entry]) -> None:
        write_private(self._path, dumps([asdict(entry) for entry in entries]))

    def _without_shared(self, entry: Entry) -> Entry | None:
        """The entry without the fields that another set-up still relies on; None if nothing is left of it."""
        relied_on = {name for other in self.of_others(Path(entry.path), entry.section) for name in other.names}
        names = tuple(name for name in entry.names if name not in relied_on)
        return replace(entry, names=names) if names or not entry.names else None


def _entries(path: Path) -> list[Entry]:
    try:
        found = loads(path.read_bytes())
        return [Entry(**{**entry, "names": tuple(entry["names"])}) for entry in found]
    except FileNotFoundError:
        return []
    except (OSError, InvalidJSON, TypeError, KeyError) as error:
        raise SettingsError(
            f"{path} cannot be read, so what was before is not known: {error}.", hint="Remove it."
        ) from error


def set_fields(path: Path, journal: Journal, *, section: str | None, fields: Mapping[str, object]) -> bool:
    """Set fields in somebody's JSON file, and remember what it held. Returns whether it was changed.

    Fields that were set before and are not among these are put back as they were.
    """
    old = read_bytes(path)
    document = parse(path, old)
    new = with_fields(path, document, journal, section=section, fields=fields)
    if new == document:
        journal.join(path, section=section, names=tuple(fields))
        return False
    try:
        journal.remember(path, section=section, names=tuple(fields))
        write_private(path, render(new, like=old))
    except OSError as error:
        raise cannot_write(path, error, hint="`configure.py env` prints the lines instead.") from error
    return True


def with_fields(
    path: Path, document: JSON, journal: Journal, *, section: str | None, fields: Mapping[str, object]
) -> JSON:
    """What `set_fields` makes of the document in the file."""
    place = (str(path.resolve()), section)
    known = next((entry for entry in journal.entries() if entry.place == place), None)
    if known:
        dropped = tuple(name for name in known.names if name not in fields)
        document = _without(replace(known, names=dropped), document, parse(path, known.data)) if dropped else document
    if section is None:
        return {**document, **fields}
    return {**document, section: {**section_of(path, document, section), **fields}}


def _put_back(entry: Entry) -> bool:
    path = Path(entry.path)
    current = read_bytes(path)
    original = parse(path, entry.data)
    document = _without(entry, parse(path, current), original)
    data = entry.data if document == original else render(document, like=current)
    try:
        if entry.section == SECTION and not entry.names:
            backup_of(path).unlink(missing_ok=True)  # it may hold the key
        if entry.original is None and not document:
            path.unlink(missing_ok=True)
            if path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()
            return bool(current)
        if data != current:
            write_private(path, data)
    except OSError as error:
        raise cannot_write(path, error, hint="Free the way to it, then run `configure.py undo` again.") from error
    return data != current


def _keeps_out(lines: Entry, entry: Entry) -> bool:
    """Whether the lines can be what keeps a file out of git that had a section of ours, and with it a secret."""
    return entry.section is not None and Path(entry.path).is_relative_to(Path(lines.path).parent)


def _take_out(entry: Entry) -> bool:
    """Take the lines out again that were added to a file."""
    path = Path(entry.path)
    current = read_bytes(path)
    ours = {name.encode() for name in entry.names}
    data = b"".join(line for line in current.splitlines(keepends=True) if line.strip() not in ours)
    if data.rstrip(b"\r\n") == entry.data.rstrip(b"\r\n"):
        data = entry.data  # a line break may have been added to its last line
    try:
        if entry.original is None and not data:
            path.unlink(missing_ok=True)
        elif data != current:
            path.write_bytes(data)
    except OSError as error:
        raise cannot_write(path, error, hint=f"Take {', '.join(entry.names)} out of it yourself.") from error
    return data != current


def _without(entry: Entry, document: JSON, original: JSON) -> JSON:
    """`document` with the entry's fields as they were in `original`."""
    if entry.section is None:
        return _restored(document, original, entry.names)
    section, before = document.get(entry.section), original.get(entry.section)
    if entry.names and isinstance(section, dict):
        restored = _restored(section, before if isinstance(before, dict) else {}, entry.names)
        if restored or before is not None:
            return {**document, entry.section: restored}
        return {name: value for name, value in document.items() if name != entry.section}
    return _restored(document, original, (entry.section,))


def _restored(values: JSON, before: JSON, names: Sequence[str]) -> JSON:
    kept = {name: before.get(name, value) if name in names else value for name, value in values.items()}
    return {name: value for name, value in kept.items() if name not in names or name in before} | {
        name: before[name] for name in names if name in before
    }
