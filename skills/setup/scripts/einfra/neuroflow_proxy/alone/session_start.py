"""Starts the configured proxy when a session of Claude Code begins that would find nobody at its address.

Called by the plugin's SessionStart hook at the start of every session: so it is the standard library alone, in the
syntax of Python 3.7, and what it needs only for a start it imports only then. It does nothing unless this very session
asks a port of this machine, nobody listens there, and the settings in reach name that port. It waits for nothing and
never fails: Claude Code tries its first request again for as long as a start takes, and tells by itself if nobody ever
answers.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as a type checker knows it; importing `typing` would take longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Mapping

ADDRESS = "http://127.0.0.1:"  # what set-up writes
FIRST_PORT = 4001  # where a file names none, as in settings.py, which this may not import: it wants a newer Python
PATIENCE_S = 0.05  # Windows takes two seconds to say that nobody listens
DETACHED_ON_WINDOWS = 0x00000008 | 0x00000200  # DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP


def main(env: Mapping[str, str], cwd: str) -> str | None:
    """Start the proxy if it is wanted and missing. Returns what to tell the person, if anything."""
    base_url = env.get("ANTHROPIC_BASE_URL", "")
    port = base_url[len(ADDRESS) :].rstrip("/")
    is_off = env.get("CLAUDE_PLUGIN_OPTION_START_PROXY", "").lower() == "false"
    if is_off or not base_url.startswith(ADDRESS) or not port.isdigit():
        return None
    if is_listened_to(int(port)) or configured_port(env, cwd) != int(port):
        return None
    return start(port, cwd)


def is_listened_to(port: int) -> bool:
    import socket

    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S).close()
    except (OSError, OverflowError):
        return False
    return True


def configured_port(env: Mapping[str, str], cwd: str) -> int | None:
    """The port of the settings that apply in `cwd`: found as settings.py finds them."""
    import json

    named = env.get("NEUROFLOW_PROXY_INTEGRATIONS")
    for path in [named] if named else candidates(cwd):
        try:
            with open(path, "rb") as file:
                section = json.load(file).get("custom_llm")
        except (OSError, ValueError, AttributeError):
            continue
        if isinstance(section, dict):
            return section.get("proxy_port", FIRST_PORT) if section.get("proxy_mode") != "direct" else None
    return None


def candidates(cwd: str) -> list[str]:
    folders = [cwd]
    while os.path.dirname(folders[-1]) != folders[-1]:
        folders.append(os.path.dirname(folders[-1]))
    return [os.path.join(folder, ".neuroflow", "integrations.json") for folder in [*folders, os.path.expanduser("~")]]


def start(port: str, cwd: str) -> str:
    """Start the proxy and let it go."""
    import shutil
    import subprocess

    uv = shutil.which("uv")
    if uv is None:
        return f"The proxy on port {port} does not run, and there is no uv on the PATH to start it with."
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "configure.py")
    is_windows = sys.platform == "win32"
    subprocess.Popen(  # noqa: S603
        [uv, "run", "--quiet", script, "start"],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=not is_windows,
        creationflags=DETACHED_ON_WINDOWS if is_windows else 0,
    )
    return f"The proxy on port {port} did not run and is being started."


if __name__ == "__main__":
    words = main(os.environ, os.getcwd())
    if words:
        import json

        # What a hook prints goes to the model, unless it is this.
        print(json.dumps({"systemMessage": words}))
