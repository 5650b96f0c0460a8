"""Claude Code at a terminal, with somebody at it."""

import json
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pexpect

from tests.e2e.claude import install_claude, minimal_environment
from tests.e2e.conftest import Session
from tests.setup.terminal import COLUMNS, DOWN, ENTER, ROWS, Terminal

ESC = "\x1b"
_POINTER = re.compile(r"❯ (\d+)\.\s+(\S+) .*")


@contextmanager
def at_a_terminal(
    session: Session,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    permission_mode: str | None = "acceptEdits",
) -> Iterator[Terminal]:
    """Start `claude` in the session's project, past the questions of a first start, and wait for its prompt.

    Without a `permission_mode` it takes the one of its settings, or its default.
    """
    answered = {"hasCompletedOnboarding": True, "projects": {str(session.project): {"hasTrustDialogAccepted": True}}}
    folder = session.home / ".claude"
    folder.mkdir(exist_ok=True)
    (folder / ".claude.json").write_text(json.dumps(answered), "utf-8")
    connection = dict(session.connection if env is None else env)
    child = pexpect.spawn(
        install_claude(session.version),
        [*(["--permission-mode", permission_mode] if permission_mode else []), *arguments],
        cwd=str(session.project),
        env=minimal_environment(session.home) | connection | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
        dimensions=(ROWS, COLUMNS),
    )
    try:
        terminal = Terminal(child)
        terminal.see("❯")
        yield terminal
    finally:
        child.kill(signal.SIGKILL)
        child.wait()
        child.close()


def say(terminal: Terminal, words: str) -> None:
    """Type something and send it."""
    terminal.type(words)
    terminal.see(f"❯\N{NO-BREAK SPACE}{words}")
    terminal.type(ENTER)


def choose_model(terminal: Terminal, model: str) -> None:
    """Take a model of the gateway's from the list of `/model`, for this session."""
    say(terminal, "/model")
    terminal.see("Select model")
    while True:
        pointed = _POINTER.search(terminal.text)
        assert pointed, terminal.text
        if pointed[2] == model and "From gateway" in pointed[0]:
            break
        terminal.type(DOWN)
        terminal.see(f"❯ {int(pointed[1]) + 1}.")
    terminal.type("s")
    terminal.see(f"Yes, switch to {model}")
    terminal.type(ENTER)
    terminal.see(f"Set model to {model}")
