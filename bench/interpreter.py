"""Which Python the subjects run on, and environments made with it, kept in `.cache/bench`.

How an interpreter was built changes what the same program costs by a quarter and more, so a run says which it was.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache"
HERE = Path(sys.executable)


class NotHere(Exception):
    """A subject is not installed; the message says how it can be."""


class Interpreter(NamedTuple):
    """What `yardstick.py` finds out about one."""

    version: str
    says_optimised: bool
    work_ms: float
    """CPU for a fixed piece of work, in milliseconds."""


@cache
def described(python: Path) -> Interpreter:
    """Run an interpreter to learn about it."""
    ran = subprocess.run(  # noqa: S603
        [python, "-I", Path(__file__).with_name("yardstick.py")], capture_output=True, check=True
    )
    return Interpreter(**json.loads(ran.stdout))


@cache
def locked(python: Path) -> Path:
    """The Python of an environment made with this one that has what users get, in the versions of the lock."""
    home = _home("locked", python)
    sync = ("sync", "--quiet", "--frozen", "--no-dev", "--no-install-project", "--python", str(python))
    _uv(*sync, UV_PROJECT_ENVIRONMENT=str(home))
    return home / "bin" / "python"


@cache
def having(name: str, python: Path, *packages: str) -> Path:
    """The Python of an environment made with this one that has these packages; made when it is first asked for."""
    home = _home(name, python)
    made = home / "bin" / "python"
    if not (home / "whole").exists():
        _uv("venv", "--quiet", "--clear", "--python", str(python), str(home))
        _uv("pip", "install", "--quiet", "--python", str(made), *packages)
        (home / "whole").touch()
    return made


def _home(name: str, python: Path) -> Path:
    return CACHE / "bench" / (name + re.sub(r"[^\w.-]", "-", str(python.resolve())))


def _uv(*arguments: str, **env: str) -> None:
    own = CACHE / "tools" / "bin" / "uv"
    uv = str(own) if own.exists() else shutil.which("uv")
    if uv is None:
        raise NotHere("there is no uv: run `python3 scripts/check` once")
    if subprocess.call([uv, *arguments], cwd=ROOT, env=os.environ | env):  # noqa: S603
        raise NotHere(f"`uv {' '.join(arguments)}` failed; its own words stand above")
