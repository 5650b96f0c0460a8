"""Whatever moment a command is killed at: no half-written file, no orphan, the next run completes, undo restores."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("there is no such kill", allow_module_level=True)

from tests.setup.killed import run_killed
from tests.setup.user import KEY, User, processes_of, somebody

BEFORE = {
    ".neuroflow/integrations.json": b'\xef\xbb\xbf{\r\n    "zotero": {"key": "theirs"}\r\n}',
    ".claude/settings.local.json": b'{"permissions": {"deny": []}, "env": {"EDITOR": "vi", "ANTHROPIC_MODEL": "opus"}}',
    ".gitignore": b"*.tmp",
    "data/table.csv": b"a,b\n",
}

SETUP = ("setup", "--key-stdin", "--yes", "--no-proof", "--connect", "settings", "--skip-login")
USE = ("use", "qwen3.5-122b", "--small-model", "mistral-small-4")


def project_in_a_repository(user: User) -> dict[str, bytes]:
    """Something to lose. Returns all that is in the home."""
    for name, data in BEFORE.items():
        path = user.project / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    (user.home / ".claude.json").write_text('{"theme": "dark"}')
    subprocess.run(["git", "init", "--quiet"], cwd=user.project, env=user.env, check=True)
    return files_of(user)


def files_of(user: User) -> dict[str, bytes]:
    """Everything but the lock, which stays."""
    return {
        str(path.relative_to(user.home)): path.read_bytes()
        for path in user.home.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def assert_nothing_is_half_written(user: User) -> None:
    for path in user.home.rglob("*"):
        if path.is_file() and path.suffix in (".json", ".bak", ".undo"):
            json.loads(path.read_bytes().decode("utf-8-sig"))


def in_every_state(tmp_path: Path, stride: int, prepare: Sequence[str], *victim: str) -> Iterator[User]:
    """Somebody whose command was killed before its first, second, … change, and once not at all; it is run again then.

    After the test has looked at it, undo must restore all that was there.
    """
    killed: str | None = ""
    for step in count(1, stride):
        with somebody(tmp_path / str(step)) as user:
            before = project_in_a_repository(user)
            if prepare:
                told(user, *prepare)
            killed = run_killed(user, step, *completed(user, victim), stdin=KEY)
            assert_nothing_is_half_written(user)
            told(user, *victim)
            yield user
            told(user, "undo")
            after = files_of(user)
            changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
            assert (changed, processes_of(user)) == (set(), []), f"killed {killed}"
        if killed is None:
            break
    assert step > 5, "changes are not counted any more"


def completed(user: User, arguments: Sequence[str]) -> list[str]:
    return [*arguments, "--base-url", user.base_url] if arguments[0] == "setup" else list(arguments)


def told(user: User, *arguments: str) -> dict[str, Any]:
    ran = user.run(*completed(user, arguments), "--json", stdin=KEY)
    assert ran.code == 0, ran.stdout
    return ran.json


AT_EVERY_CHANGE = pytest.param(1, marks=pytest.mark.nightly, id="at every change")  # each costs some seconds


@pytest.mark.parametrize("stride", [pytest.param(23, id="at some changes"), AT_EVERY_CHANGE])
def test_a_set_up_that_is_killed(stride: int, tmp_path: Path) -> None:
    for user in in_every_state(tmp_path, stride, (), *SETUP):
        status = told(user, "status")
        assert (status["running"], status["model"]) == (True, "kimi-k2.5")
        assert processes_of(user) == [status["pid"]]
        written = json.loads((user.project / ".claude" / "settings.local.json").read_bytes())
        assert written["env"]["ANTHROPIC_BASE_URL"] == status["url"]
        assert written["env"]["EDITOR"] == "vi"


@pytest.mark.parametrize("stride", [pytest.param(13, id="at some changes"), AT_EVERY_CHANGE])
def test_an_undo_that_is_killed(stride: int, tmp_path: Path) -> None:
    for user in in_every_state(tmp_path, stride, SETUP, "undo"):
        assert processes_of(user) == []


@pytest.mark.parametrize("stride", [AT_EVERY_CHANGE])
def test_a_switch_that_is_killed(stride: int, tmp_path: Path) -> None:
    for user in in_every_state(tmp_path, stride, SETUP, *USE):
        status = told(user, "status")
        assert (status["model"], status["small_model"]) == ("qwen3.5-122b", "mistral-small-4")
        assert processes_of(user) == [status["pid"]]
        written = json.loads((user.project / ".claude" / "settings.local.json").read_bytes())
        assert written["env"]["ANTHROPIC_MODEL"] == "qwen3.5-122b"


@pytest.mark.parametrize("stride", [AT_EVERY_CHANGE])
def test_a_restart_that_is_killed(stride: int, tmp_path: Path) -> None:
    for user in in_every_state(tmp_path, stride, SETUP, "restart"):
        assert processes_of(user) == [told(user, "status")["pid"]]
