"""A lock between processes: one set-up, start or stop at a time for each integrations file.

The operating system holds it and lets go of it when its holder dies, however that happens, so no stale lock can be
left. The file itself stays behind and means nothing; the holder of the lock may remove it.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InstanceError
from .files import PRIVATE_FILE, make_private_folder

_PAUSE_S = 0.05

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def exclusive(path: Path, *, timeout_s: float = 60) -> Iterator[None]:
    """Hold the lock at `path`. Raises `InstanceError` if somebody else holds it for too long."""
    deadline = time.monotonic() + timeout_s
    while (descriptor := _locked(path)) is None:
        if time.monotonic() > deadline:
            raise InstanceError(
                "Another set-up, start or stop for the same settings has not come to its end.",
                hint="Let it finish, or end it; then run this again.",
            )
        time.sleep(_PAUSE_S)
    try:
        yield
    finally:
        os.close(descriptor)  # which lets go of the lock as well


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock; None if somebody else does, or has removed the file in this moment."""
    make_private_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        if _try_lock(descriptor) and os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except FileNotFoundError:
        pass  # removed by the one who held it until now
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
