"""Windows has no file modes: a file is the user's alone if its access control list names nobody else.

Windows' own programs change and read such lists. They are started by their full path, because Windows would look for
them in the current folder first, which may be anybody's project.
"""

import subprocess
import sys
from functools import cache
from pathlib import Path

from .platforms import grants_in, only_for, sid_in

_TIMEOUT_S = 10

if sys.platform == "win32":
    import ctypes

    @cache
    def system_folder() -> Path:
        """Where Windows keeps its own programs."""
        buffer = ctypes.create_unicode_buffer(260)
        ctypes.windll.kernel32.GetSystemDirectoryW(buffer, len(buffer))
        return Path(buffer.value)

else:

    def system_folder() -> Path:
        """Where Windows keeps its own programs."""
        return Path("C:/Windows/System32")


def leave_to_user(path: Path, programs: Path) -> bool:
    """Take the file from everybody but the user. Returns whether that was done: some file systems have no lists."""
    sid = _own_id(programs)
    return bool(sid) and bool(_answer(programs, only_for(sid, path)))


def who_may(path: Path, programs: Path) -> list[str]:
    """Everybody whom the list of a file names; nobody if the system does not tell."""
    return grants_in(_answer(programs, ["icacls", str(path)]), path)


@cache
def _own_id(programs: Path) -> str:
    return sid_in(_answer(programs, ["whoami", "/user", "/fo", "csv", "/nh"]))


def _answer(programs: Path, command: list[str]) -> str:
    """What a program prints; nothing if it fails."""
    try:
        ended = subprocess.run(  # noqa: S603
            [str(programs / command[0]), *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return ended.stdout
