"""The status line for Claude Code: where its script is kept, and the lines with which a person turns it on."""

import json
import shlex
import shutil
import sys
from pathlib import Path

from .claude_settings import user_settings
from .files import make_private_folder
from .instance import Instances
from .place import Place
from .report import Report

_SCRIPT = Path(__file__).resolve().parents[1] / "alone" / "statusline.py"
_EVERY_S = 5


def status_line(place: Place, instances: Instances) -> Report:
    """Put the script where no update moves it, and say what turns it on: Claude Code's settings are not touched."""
    make_private_folder(instances.state)
    script = instances.state / _SCRIPT.name
    shutil.copyfile(_SCRIPT, script)
    # The interpreter below every virtual environment: it is still there when the environment of this run is not.
    python = Path(getattr(sys, "_base_executable", sys.executable))
    # Claude Code hands this to a POSIX shell on Windows too, where a backslash would be no separator.
    command = shlex.join([python.as_posix(), "-I", "-S", script.as_posix()])
    settings = {"statusLine": {"type": "command", "command": command, "refreshInterval": _EVERY_S}}
    file = user_settings(place)
    lines = json.dumps(settings, indent=2, ensure_ascii=False).splitlines()
    is_there = file.exists()
    return Report(
        {"script": str(script), "file": str(file), "settings": settings},
        [
            f"Add this to {file}, beside what is there:" if is_there else f"Write this to {file}:",
            "",
            *(lines[1:-1] if is_there else lines),
            "",
            "To turn it off, take it out again.",
        ],
    )
