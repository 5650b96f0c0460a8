"""From a bare clone and a Python to a ready `.venv`: what every script in this folder calls first.

Needs nothing but the standard library and a network path to a package index. It keeps to the checkout: uv goes into
`.cache/tools`, apart from the environment that uv then manages (`uv sync` removes what the lock does not name, uv
itself included). It is idempotent, and a ready checkout costs one hash of two small files.

The syntax stays at what Python 3.7 reads, so that an old Python gets as far as the sentence that says so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
import subprocess
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 11)
UV = "uv==0.13.9"

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".cache" / "tools"
VENV = ROOT / ".venv"
PLAIN_VENV = ROOT / ".cache" / "plain"
ACCELERATORS = ("httptools", "msgspec", "uvloop")
# What uv is told: who uses the project needs a sixth of what its tests need, by size.
TO_DEVELOP = ()  # type: tuple[str, ...]
TO_USE = ("--no-dev", "--extra", "search")
STAMP = "ready.txt"
# For a program that works in other people's folders: else a `queue.py` there, or in PYTHONPATH, is run for ours.
ISOLATED = ("-I",)
BIN = "Scripts" if os.name == "nt" else "bin"
EXE = ".exe" if os.name == "nt" else ""


def ready(options: tuple[str, ...] = TO_DEVELOP) -> Path:
    """Do all set-up that is still missing, to develop or to use it. Returns the Python of the project's environment."""
    found = sys.version_info[:2]
    if found < OLDEST_PYTHON:
        sys.exit(
            f"Python {'.'.join(map(str, OLDEST_PYTHON))} or newer is needed; this is {'.'.join(map(str, found))} "
            f"({sys.executable}). Run the same command with a newer one, for example python3.13."
        )
    python = VENV / BIN / f"python{EXE}"
    if not is_ready(options):
        _sync(VENV, "the packages of uv.lock", options)
    return python


def ready_without_accelerators() -> Path:
    """The Python of a second environment that is as the first, but without what is only there for speed."""
    without = tuple(f"--no-install-package={name}" for name in ACCELERATORS)
    if not _is_synced(PLAIN_VENV, without):
        _sync(PLAIN_VENV, "the same without what is only there for speed", without)
    return PLAIN_VENV / BIN / f"python{EXE}"


def is_ready(options: tuple[str, ...] = TO_DEVELOP) -> bool:
    """Whether `.venv` is what the lock, the interpreter and the place of the checkout ask for."""
    return _is_synced(VENV, TO_DEVELOP) or _is_synced(VENV, options)


def hand_over(arguments: list[str], options: tuple[str, ...] = TO_USE) -> None:
    """Become the project's Python with these arguments; never returns."""
    python = str(ready(options))
    # What the program's hints are to call it: `scripts/setup` takes every verb, whoever of its neighbours was started.
    starter = os.path.join(os.path.dirname(sys.argv[0]), "setup")
    os.environ["NEUROFLOW_PROXY_COMMAND"] = f"{os.path.basename(sys.executable)} {shlex.quote(starter)}"
    if os.name == "nt":  # exec* on Windows lets go of the terminal before the program has ended
        sys.exit(subprocess.call([python, *arguments]))
    os.execv(python, [python, *arguments])  # noqa: S606 (no shell is the point)


def _sync(venv: Path, what: str, options: tuple[str, ...]) -> None:
    uv = install_uv()
    # VIRTUAL_ENV names whatever environment the caller happens to be in, which is not the one to fill.
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    environment.update(UV_PROJECT_ENVIRONMENT=str(venv), UV_PYTHON_DOWNLOADS="never")
    environment.setdefault("UV_SYSTEM_CERTS", "1")  # as pip does: many institutions' networks have a root of their own
    _say(f"installing {what} into {venv.relative_to(ROOT)}")
    _run([uv, "sync", "--frozen", "--quiet", "--python", _base_python(), *options], environment)
    (venv / STAMP).write_text(_state(options), "utf-8")


def _is_synced(venv: Path, options: tuple[str, ...]) -> bool:
    return _says(venv / STAMP, _state(options)) and (venv / BIN / f"python{EXE}").exists()


def _state(options: tuple[str, ...]) -> str:
    """What the environment is made from: another lock, interpreter or place asks for a new `uv sync`."""
    digest = hashlib.sha256()
    for name in ("uv.lock", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return f"{UV} {_base_python()} {sys.version_info[:3]} {ROOT} {digest.hexdigest()} {' '.join(options)}\n"


def _base_python() -> str:
    """The interpreter behind this one, the same whether or not an environment is active."""
    return os.path.realpath(sys.executable)


def install_uv() -> str:
    """Install uv into an environment of its own, unless it is there. Returns its path."""
    uv = TOOLS / BIN / f"uv{EXE}"
    if _says(TOOLS / STAMP, UV) and uv.exists():
        return str(uv)
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            f"This Python ({sys.executable}) comes without ensurepip, so no virtual environment can be made with it. "
            "On Debian and Ubuntu: sudo apt install python3-venv. Then run the same command again."
        )
    _say("installing uv into .cache/tools")
    _run([sys.executable, "-m", "venv", "--clear", str(TOOLS)])
    _run([str(TOOLS / BIN / f"python{EXE}"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV])
    (TOOLS / STAMP).write_text(UV, "utf-8")
    return str(uv)


def _says(stamp: Path, state: str) -> bool:
    return stamp.is_file() and stamp.read_text("utf-8") == state


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    # In the checkout, wherever the person is: uv looks for the project to install from the folder that it runs in, and
    # Python, with -m, for modules.
    status = subprocess.call(command, env=environment, cwd=str(ROOT))
    if status:
        sys.exit(f"Set-up failed: `{' '.join(command)}` ended with status {status}; its own words stand above.")


def _say(what: str) -> None:
    print(f"set-up: {what}", file=sys.stderr, flush=True)
