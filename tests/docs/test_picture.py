"""The terminal picture of set-up in the README is what a person sees. NEUROFLOW_TEST_UPDATE=1 takes it anew."""

import re
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are not driven on Windows", allow_module_level=True)

from pathlib import Path

from neuroflow_proxy.setup.command import STARTER
from tests.docs.pages import is_up_to_date
from tests.setup.terminal import ENTER, Terminal, at_a_terminal
from tests.setup.user import KEY, User, somebody

AS_STARTED = {STARTER: "python3 scripts/setup"}


def test_the_readme_shows_the_set_up_as_it_is(tmp_path: Path) -> None:
    with (
        somebody(tmp_path) as user,
        at_a_terminal(user, "setup", "--base-url", user.base_url, **AS_STARTED) as terminal,
    ):
        terminal.see("API key")
        terminal.type(KEY, ENTER)
        terminal.see("mistral-small")
        choice = terminal.text
        terminal.type(ENTER)
        for question in ("small work", "Where should this apply?", "How should Claude Code", "Skip that?"):
            terminal.see(question)
            terminal.settle()
            terminal.type(ENTER)
        assert terminal.end() == 0
        picture = f"```text\n$ python3 scripts/setup\n{shown(choice, user)}\n  ⋮\n{shown(closing(terminal), user)}\n```"
    assert is_up_to_date("README.md", "picture", picture), "run with NEUROFLOW_TEST_UPDATE=1 to take the picture anew"


def closing(terminal: Terminal) -> str:
    """What is said after the last answer, as it was written: a screen would break the long lines."""
    written = re.sub(r"\x1b[\[(][0-9;?]*[ -/]*[@-~]|\r", "", terminal.everything.decode())
    return written[written.rindex("Started: ") :].strip()


def shown(text: str, user: User) -> str:
    """Without what is different each time: places, ports, times, the name of the log."""
    text = text.replace(str(user.project), "~/project").replace("~/výzkum", "~/project").replace(str(user.home), "~")
    text = text.replace(user.base_url, "http://127.0.0.1:8000/v1")
    text = re.sub(r"127\.0\.0\.1:4\d{3}\b", "127.0.0.1:4001", text)
    text = re.sub(r"after [\d.]+ s", "after 0.1 s", text)
    return re.sub(r"/[^/\s]+\.log\b", "/….log", text)
