"""Where operating systems differ, one function for each difference; the platform comes in as an argument.

Values of `platform` are those of `sys.platform`. Nothing here looks at the machine it runs on, so every branch can be
tested on any of them.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypedDict

APP = "neuroflow-proxy"


class Shell(StrEnum):
    """The shells for which lines can be printed."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"
    CMD = "cmd"


class Detached(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that let a child outlive its parent and the terminal."""

    start_new_session: bool
    creationflags: int


def home_without_links(platform: str, home: Path) -> Path:
    """The home by the name by which the current folder is told: where home is a link, by what stands behind it.

    On Windows both keep the drive letter that they were reached by.
    """
    return home if platform == "win32" else home.resolve()


def state_dir(platform: str, env: Mapping[str, str], home: Path) -> Path:
    """The user's folder for state that is no setting: instance files and logs."""
    if platform == "win32":
        local = env.get("LOCALAPPDATA")
        return (Path(local) if local else home / "AppData" / "Local") / APP
    if platform == "darwin":
        return home / "Library" / "Application Support" / APP
    # The XDG base directory specification wants relative values ignored.
    xdg = Path(env.get("XDG_STATE_HOME", ""))
    return (xdg if xdg.is_absolute() else home / ".local" / "state") / APP


def managed_settings(platform: str) -> Path:
    """Where an administrator puts settings of Claude Code that stand over everybody's own."""
    if platform == "win32":
        return Path("C:/Program Files/ClaudeCode/managed-settings.json")
    if platform == "darwin":
        return Path("/Library/Application Support/ClaudeCode/managed-settings.json")
    return Path("/etc/claude-code/managed-settings.json")


def machine_name(platform: str, hostname: str) -> str:
    """What tells machines apart that share one home, as the login nodes of a cluster do.

    Laptops do not share homes, and their names change with the network that they are in.
    """
    return "this-machine" if platform in ("darwin", "win32") else hostname


def detached(platform: str) -> Detached:
    """How a child is started that must outlive the parent."""
    if platform == "win32":
        detached_process, create_new_process_group = 0x00000008, 0x00000200  # named in subprocess on Windows only
        return {"creationflags": detached_process | create_new_process_group}
    return {"start_new_session": True}


def default_shell(platform: str, env: Mapping[str, str]) -> Shell:
    """The shell that the user most likely sits at."""
    if platform == "win32" and "MSYSTEM" not in env:  # MSYSTEM: Git Bash and its relatives
        return Shell.POWERSHELL
    name = re.split(r"[/\\]", env.get("SHELL", ""))[-1].removesuffix(".exe")
    return Shell(name) if name in (Shell.ZSH, Shell.FISH) else Shell.BASH


def sid_in(answer: str) -> str:
    """The user's own id in what `whoami /user /fo csv /nh` prints; empty if it is not there. Names can be anything."""
    found = re.search(r'"(S-1-[0-9-]+)"', answer)
    return found[1] if found else ""


def only_for(sid: str, path: Path) -> list[str]:
    """The command with which Windows takes a file from everybody but one user; nothing is inherited any more."""
    return ["icacls", str(path), "/inheritance:r", "/grant:r", f"*{sid}:F"]


def grants_in(answer: str, path: Path) -> list[str]:
    """Who has rights to a file, in what `icacls FILE` prints: one name a line, the first behind the file's own."""
    lines = (line.removeprefix(str(path)).strip() for line in answer.splitlines())
    return [found[1] for line in lines if (found := re.fullmatch(r"(.+?):(?:\([A-Z,]+\))+", line))]
