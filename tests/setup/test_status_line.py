"""What `configure.py statusline` hands out works as it is, for as long as the person keeps it."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.setup.user import User


@pytest.mark.skipif(sys.platform == "win32", reason="Claude Code's shell on Windows is one that is installed with it")
def test_the_command_that_is_printed_prints_a_line(user: User) -> None:
    told = user.run("statusline", "--json").json
    assert told["file"] == str(user.home / ".claude" / "settings.json")
    ran = subprocess.run(
        ["sh", "-c", told["settings"]["statusLine"]["command"]],
        env={"HOME": str(user.home)},
        input=b'{"model": {"id": "some-model"}}',
        capture_output=True,
        check=True,
    )
    assert ran.stdout.decode() == "some-model \N{MIDDLE DOT} not through the proxy\n"


def test_nothing_that_an_update_removes_is_named(user: User) -> None:
    command = shlex.split(user.run("statusline", "--json").json["settings"]["statusLine"]["command"])
    assert Path(command[-1]).parent == user.state
    assert Path(command[0]) != Path(sys.executable) or sys.prefix == sys.base_prefix


def test_what_is_printed_is_a_whole_file_where_there_is_none(user: User) -> None:
    whole = user.run("statusline").stdout
    assert "statusLine" in json.loads(whole[whole.index("{") : whole.rindex("}") + 1])
    (user.home / ".claude").mkdir()
    (user.home / ".claude" / "settings.json").write_text("{}")
    assert (
        f"beside what is there:\n\n  {whole[whole.index('{') :].splitlines()[1].strip()}"
        in user.run("statusline").stdout
    )


def test_no_settings_of_claude_code_are_touched(user: User) -> None:
    user.run("statusline")
    assert not (user.home / ".claude").exists()
