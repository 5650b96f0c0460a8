"""Every command that the documentation tells people to run is run, by a test here or by one that is named."""

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from neuroflow_proxy.demo.provider import DEMO_KEY, DemoProvider
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.flags import parse
from neuroflow_proxy.settings import INTEGRATIONS_NAME
from neuroflow_proxy.setup.command import Command
from neuroflow_proxy.setup.instance import Instances
from neuroflow_proxy.setup.platforms import machine_name, state_dir
from tests.docs.commands import PAGES, Told, in_blocks, in_text
from tests.docs.pages import ROOT
from tests.live import cannot
from tests.start.outside import copy_skill, outside_environment, uv
from tests.start.test_bootstrap import load_bootstrap

BLOCKS = [told for page in PAGES for told in in_blocks(page)]
NAMED = [told for page in PAGES for told in in_text(page)]

# What is not run here: where it is, or why nowhere.
ELSEWHERE = {
    r"claude": "tests/e2e/test_claude_code.py",
    r"echo .* \| claude plugin configure .*": "tests/e2e/test_plugin.py",
    r"python3 scripts/demo": "tests/start/test_bootstrap.py",
    r"python3 scripts/bench.*": "tests/bench/test_bench.py",
    r"python3 scripts/check": "it is what runs all tests, this one too",
    r"uvx --from \./dist/\S+\.whl neuroflow-proxy setup": "tests/e2e/test_newcomer.py",
    r"npx skills add <owner>/<repo>": "tests/e2e/test_newcomer.py",
    r"uv run \S+/proxy\.py": "tests/start/test_ways_to_start.py",
    r"cd \S+ && uv run .* uvicorn proxy:app --port 4001": "tests/start/test_ways_to_start.py",
    r".* --provider openrouter.*": "it asks a provider on the internet; its flags are parsed below",
    r".* --base-url https://llm\.example\.org.*": "there is no such provider; its flags are parsed below",
    r".*configure\.py env --shell powershell .*": "tests/setup/test_shells.py",
    r"\.venv/bin/python -m tests\.recordings\.draft .*": "tests/setup/test_record.py",
}
# These ask questions, so they are run at a terminal, up to the first one.
ASKING = re.compile(r"python3 scripts/setup|uv run \S+configure\.py\"? setup")
# Exit codes other than 0 that are no failure: the doctor finds that no session is connected here.
MAY_END_WITH = {"doctor": {0, 3}, "record": {0, 3}}


def place_of(told: Told) -> str | None:
    """What `ELSEWHERE` says of a command."""
    return next((where for pattern, where in ELSEWHERE.items() if re.fullmatch(pattern, told.words)), None)


def is_setup(words: str) -> bool:
    return "scripts/setup" in words or "configure.py" in words


@pytest.mark.parametrize("pattern", ELSEWHERE)
def test_nothing_is_excused_that_nobody_is_told_to_run(pattern: str) -> None:
    assert [told for told in BLOCKS if re.fullmatch(pattern, told.words)]
    where = ELSEWHERE[pattern]
    assert (ROOT / where).exists() or " " in where


def test_every_command_is_run_here_or_excused() -> None:
    assert [told for told in BLOCKS if not (is_setup(told.words) or place_of(told))] == []


@pytest.mark.parametrize("told", [*NAMED, *(told for told in BLOCKS if is_setup(told.words))], ids=str)
def test_every_command_is_one_that_the_command_line_takes(told: Told) -> None:
    if "scripts/check" in told.words:
        assert told.words.rpartition("check")[2].strip() in ("", "--fast", "--nightly")
        return
    found = re.search(r"(configure\.py\"?|scripts/setup|scripts/demo)( [^|)]*)?", told.words)
    assert found
    arguments = shlex.split(found[2] or "")
    if found[1] == "scripts/setup" and (not arguments or arguments[0].startswith("-")):
        arguments.insert(0, "setup")
    if found[1] == "scripts/demo":
        arguments.insert(0, "demo")
    if "--help" not in arguments:
        parse(arguments, Command("configure.py"))  # MODEL, PATH and the like stand for a word of the reader's own


class Reader:
    """Somebody who does what a page says, line by line, from an empty home."""

    def __init__(self, folder: Path, base_url: str) -> None:
        self.skill = copy_skill(folder).parents[1]
        self.home = folder / "home"
        self.file = folder / "project" / ".neuroflow" / "integrations.json"
        outside = outside_environment(self.home)
        self.env = outside | {
            "OPENAI_BASE_URL": base_url,
            "OPENAI_API_KEY": DEMO_KEY,
            "E_INFRA_API_TOKEN": DEMO_KEY,
            "NEUROFLOW_PROXY_INTEGRATIONS": str(self.file),
            "CLAUDE_SKILL_DIR": str(self.skill),
            "PATH": os.pathsep.join([str(self._stand_ins(folder)), str(Path(uv()).parent), outside["PATH"]]),
        }

    def _stand_ins(self, folder: Path) -> Path:
        """`claude` says what it would ask, and `python3` is the one that is old enough here."""
        stand_ins = folder / "bin"
        stand_ins.mkdir()
        for name, script in {
            "claude": 'echo "claude asks $ANTHROPIC_BASE_URL"',
            "python3": f'exec "{sys.executable}" "$@"',
        }.items():
            path = stand_ins / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        return stand_ins

    def runs(self, words: str) -> None:
        """Run one line as it stands, in the folder that its paths are relative to."""
        cwd = self.skill if "uv run scripts/" in words else ROOT
        if ASKING.fullmatch(words):
            self._is_asked(words, cwd)
            words += " --yes" if words.endswith(" setup") else " setup --yes"  # and that is how it goes on
        ran = self._run(["bash", "-c", words], cwd)
        verb = next((verb for verb in MAY_END_WITH if f" {verb}" in words), "")
        assert ran.returncode in MAY_END_WITH.get(verb, {0}), f"{words}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
        assert "Traceback" not in ran.stderr

    def is_set_up(self) -> None:
        self._run(
            [sys.executable, "-m", "neuroflow_proxy", "setup", "--yes", "--no-proof"], self.skill
        ).check_returncode()

    def _run(self, command: list[str], cwd: Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=cwd,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def _is_asked(self, words: str, cwd: Path) -> None:
        import pexpect

        child = pexpect.spawn(
            "bash", ["-c", words], cwd=str(cwd), env=self.env | {"TERM": "xterm-256color"}, timeout=60
        )
        try:
            child.expect(r"\?.*(service|API key)")
            child.send("\x03")
            child.expect(pexpect.EOF)
        finally:
            child.close(force=True)

    def leaves(self) -> None:
        state = state_dir(sys.platform, self.env, self.home)
        instances = Instances(state, host=machine_name(sys.platform, socket.gethostname()))
        for file in (self.file, self.home / INTEGRATIONS_NAME):
            instances.stop(file)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    if sys.platform == "win32":
        pytest.skip("these are the commands of Linux and macOS")
    with ExitStack() as stack:
        reader = Reader(tmp_path, stack.enter_context(running(DemoProvider())))
        stack.callback(reader.leaves)
        yield reader


def to_be_run(page: str) -> list[str]:
    """The page's own commands, in its order, and then those that its tables and sentences spell out."""
    blocks = [told.words for told in BLOCKS if told.page == page and not place_of(told)]
    named = [told.words for told in NAMED if told.page == page and "scripts/setup" in told.words]
    return blocks + [words for words in dict.fromkeys(named) if not re.search(r"[<A-Z]", words)]


@pytest.mark.parametrize("page", [page for page in PAGES if to_be_run(page)])
def test_a_page_can_be_followed_from_its_first_command_to_its_last(page: str, reader: Reader) -> None:
    commands = to_be_run(page)
    if any("python3 scripts/" in words for words in commands) and not load_bootstrap().is_ready():
        cannot("the checkout is not set up: run scripts/check once")
    for words in commands:
        if not reader.file.exists() and not ASKING.fullmatch(words):
            reader.is_set_up()  # this line does not stand at the beginning of what it is a part of
        reader.runs(words)
