"""The real Claude Code: installed by version into a cache folder, run on nothing but what is given to it.

The one place that names the versions. A run sees an empty environment, a home of its own, and a base URL that must be
loopback: neither the tester's account nor any network is ever within reach.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.cache import CACHE, CannotInstall, kept, run_installer
from tests.live import cannot, printed_by

CURRENT = "2.1.330"
# What a bare install under Node 20 picks; it asks and answers differently.
OLDER = "2.1.197"

PACKAGE = "@anthropic-ai/claude-code"
INSTALLED = CACHE / "claude-code"


@dataclass(frozen=True)
class Finished:
    """A run of `claude -p --output-format stream-json` that has ended."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """What Claude Code told on its standard output, one JSON object a line."""
        # Not splitlines, which also cuts at the U+0085 and U+2028 that may stand in a text.
        return [json.loads(line) for line in self.stdout.split("\n") if line.startswith("{")]

    @property
    def result(self) -> dict[str, Any]:
        """The closing event: whether the run succeeded, its text, its usage.

        Each agent that was in the background when a turn closed makes one more turn.
        """
        results = [event for event in self.events if event["type"] == "result"]
        assert results, self.story
        return results[-1]

    @property
    def text(self) -> str:
        return str(self.result.get("result", ""))

    def blocks(self, kind: str) -> list[dict[str, Any]]:
        """The content blocks of one kind in all messages, in order: `thinking`, `tool_use`, `tool_result`, …"""
        contents = [event["message"]["content"] for event in self.events if event["type"] in ("assistant", "user")]
        return [
            block for content in contents if isinstance(content, list) for block in content if block["type"] == kind
        ]

    @property
    def story(self) -> str:
        """All that is known of the run, for the message of a failed assertion."""
        # The first line lists everything that Claude Code can do.
        told = "\n".join(line for line in self.stdout.split("\n") if '"subtype":"init"' not in line)
        return f"claude ended with {self.returncode}\n--- stdout\n{told}\n--- stderr\n{self.stderr}"


def run_claude(
    args: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    home: Path,
    version: str = CURRENT,
    timeout_s: float = 90,
) -> Finished:
    """Run `claude` to its end, with the variables of `env` and no others but the few that every program needs.

    Fails, after ending it with all its children, if it takes longer than `timeout_s`.
    """
    host = urlsplit(env["ANTHROPIC_BASE_URL"]).hostname or ""
    assert host == "localhost" or ip_address(host).is_loopback, f"{host} is not this machine"
    # A fault should show in seconds, not after Claude Code's ten retries.
    environment = minimal_environment(home) | {"CLAUDE_CODE_MAX_RETRIES": "2"} | dict(env)
    with subprocess.Popen(
        [install_claude(version), *args],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _kill_group(process)
            stdout, stderr = process.communicate()
            pytest.fail(f"not done after {timeout_s} s\n{Finished(-1, stdout, stderr).story}")
        except BaseException:
            _kill_group(process)
            raise
    return Finished(process.returncode, stdout, stderr)


def minimal_environment(home: Path) -> dict[str, str]:
    """The empty environment, but for what no program can do without."""
    return {
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home / ".claude"),
        "PATH": "/usr/bin:/bin",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "NO_PROXY": "127.0.0.1,localhost",
    }


def install_claude(version: str = CURRENT) -> str:
    """The path of the binary; installs it the first time. Skips the test where that cannot be, except in CI."""
    try:
        return str(_installed(version))
    except CannotInstall as error:
        cannot(f"Claude Code {version} cannot be installed: {error}")


_failures: dict[str, str] = {}  # once is enough: npm takes a minute to give up


def _installed(version: str) -> Path:
    if sys.platform == "win32":
        raise CannotInstall("these tests do not drive it on Windows yet")
    if version in _failures:
        raise CannotInstall(_failures[version])
    try:
        home = kept(INSTALLED / version, partial(_install, version))
    except CannotInstall as error:
        _failures[version] = str(error)
        raise
    return home / "node_modules" / ".bin" / "claude"


def _install(version: str, home: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise CannotInstall("there is no npm on the PATH")
    run_installer([npm, "install", "--prefix", home, "--no-audit", "--no-fund", f"{PACKAGE}@{version}"])
    binary = home / "node_modules" / ".bin" / "claude"
    said = run_installer([binary, "--version"], minimal_environment(home))
    if version not in said:
        raise CannotInstall(f"what npm installed calls itself {said!r}")


def _kill_group(process: "subprocess.Popen[str]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def ask_claude(prompt: str, *flags: str, project: Path, env: dict[str, str]) -> str:
    """Run the real Claude Code once, connected by `env` or by the settings that it finds. Returns what it printed."""
    return printed_by([install_claude(), "-p", prompt, *flags], cwd=project, env=env)


def claude_edits_a_file(project: Path, env: dict[str, str]) -> None:
    """Have it do one small piece of work."""
    note = project / "note.txt"
    note.write_text("Every word counts.\n")
    ask_claude("Change Every to Each in note.txt.", "--permission-mode", "acceptEdits", project=project, env=env)
    assert note.read_text() == "Each word counts.\n"
