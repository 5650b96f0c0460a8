"""JSON files that belong to people: read whole, changed in a few fields, written back in their own manner.

Order, unknown fields, indentation, line ends and a byte order mark stay. A file that is not a JSON object is never
overwritten.
"""

import json
import re
from pathlib import Path

from ..errors import SettingsError
from ..wire.messages_api import JSON
from ..wire.plain_json import InvalidJSON, loads

_BOM = b"\xef\xbb\xbf"


def read_bytes(path: Path) -> bytes:
    """What is in the file; nothing if there is none. Raises `SettingsError`."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error


def parse(path: Path, data: bytes) -> JSON:
    """The JSON object in `data`, which was read from `path`. Raises `SettingsError` that says where it breaks."""
    if not data.strip():
        return {}
    try:
        document = loads(data)
    except InvalidJSON as error:
        raise SettingsError(
            f"{path} is not valid JSON: {error}.", hint="Fix or remove it; it was not changed."
        ) from error
    if not isinstance(document, dict):
        raise SettingsError(f"{path} must hold a JSON object.", hint="Fix or remove it; it was not changed.")
    return document


def section_of(path: Path, document: JSON, name: str) -> JSON:
    """One section of a document, empty if it has none. Raises `SettingsError` if it is no object."""
    section = document.get(name, {})
    if not isinstance(section, dict):
        raise SettingsError(f"{path} is not as it should be: {name} must be an object.", hint="Fix or remove it.")
    return section


def render(document: JSON, *, like: bytes) -> bytes:
    """`document` as people's files look, in the manner of the file that it replaces."""
    indent = re.search(rb"\{\s*?\n([ \t]+)\S", like)
    text = json.dumps(document, ensure_ascii=False, indent=indent[1].decode() if indent else 2)
    try:
        data = text.encode()
    except UnicodeEncodeError:  # an unpaired surrogate: only its escape can stand in UTF-8
        data = json.dumps(document, indent=2).encode()
    if not like or like.endswith(b"\n"):
        data += b"\n"
    if b"\r\n" in like:
        data = data.replace(b"\n", b"\r\n")
    return (_BOM if like.startswith(_BOM) else b"") + data


def cannot_write(path: Path, error: OSError, *, hint: str) -> SettingsError:
    return SettingsError(f"{error.filename or path} cannot be written: {error.strerror}.", hint=hint)
