"""What would keep a key from being written to a place: told when the place is chosen, before anything is done."""

import os
from collections.abc import Mapping
from pathlib import Path

from ..errors import SettingsError
from .git_guard import nearest_existing, tracked
from .integrations import OTHER_SCOPE


def obstacle(path: Path, *, env: Mapping[str, str]) -> SettingsError | None:
    """Why the file must not or cannot be written, if so."""
    folder = nearest_existing(path.parent)
    if not os.access(folder, os.W_OK):
        return SettingsError(f"{folder} cannot be written to.", hint=OTHER_SCOPE)
    return tracked(path, env=env)
