"""Writing files that hold secrets: for the user alone, and either the old content or the new, never a part of it."""

import contextlib
import glob
import os
import time
from pathlib import Path

from .acl import leave_to_user, system_folder

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
_TEMPORARY = ".{name}.{pid}.tmp"
_REPLACE_TRIES = 20
_REPLACE_PAUSE_S = 0.05


def write_private(path: Path, data: bytes) -> None:
    """Put `data` at `path` atomically, with mode 0600. A link is followed, not replaced."""
    path = path.resolve()
    make_private_folder(path.parent)
    remove_leftovers(path)
    temporary = temporary_beside(path, os.getpid())
    try:
        with open(open_private(temporary), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def temporary_beside(path: Path, pid: int) -> Path:
    """Where the process `pid` writes what will be at `path`."""
    return path.with_name(_TEMPORARY.format(name=path.name, pid=pid))


def backup_of(path: Path) -> Path:
    """Where what was at `path` before set-up is kept beside it."""
    return path.with_name(f"{path.name}.bak")


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files beside `path` of writers that were killed: what is in them may be a key."""
    path = path.resolve()
    for leftover in path.parent.glob(_TEMPORARY.format(name=glob.escape(path.name), pid="*")):
        if not _is_running(leftover.suffixes[-2][1:]):
            leftover.unlink(missing_ok=True)


def open_private(path: Path) -> int:
    """A descriptor to write `path` anew, as a file for the user alone."""
    binary = getattr(os, "O_BINARY", 0)  # without it Windows would write each line end as two bytes
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | binary, PRIVATE_FILE)
    if os.name == "nt":
        leave_to_user(path, system_folder())
    else:
        with contextlib.suppress(OSError):  # a file that was there keeps its mode; some file systems have no modes
            path.chmod(PRIVATE_FILE)
    return descriptor


def make_private_folder(folder: Path) -> None:
    """Make `folder` for the user alone, unless it is there already; then its mode is the user's business."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def _is_running(pid: str) -> bool:
    import psutil  # here, because leftovers are rare

    return pid.isdecimal() and psutil.pid_exists(int(pid))


def _replace(source: Path, target: Path) -> None:
    """`os.replace`, with patience: on Windows it fails for as long as another process has the target open."""
    for tries_left in reversed(range(_REPLACE_TRIES)):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if not tries_left or os.name != "nt":
                raise
            time.sleep(_REPLACE_PAUSE_S)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable, on systems and file systems that can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
