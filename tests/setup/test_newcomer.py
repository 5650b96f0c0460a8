"""What a newcomer met who followed the README in odd places."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.setup.terminal import at_a_terminal
from tests.setup.user import User

CTRL_D = "\x04"


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_home_that_is_a_link_is_still_no_project(user: User, tmp_path: Path) -> None:
    """As on clusters: `/home/me` leads to some storage, and the shell's folder is named by where it leads."""
    link = tmp_path / "link"
    link.symlink_to(user.home)
    (user.home / ".neuroflow").mkdir()  # other programs keep things there
    linked = replace(user, home=link)
    told = linked.set_up("--yes", "--connect", "settings", "--no-proof", "--scope", "project").json
    assert Path(told["integrations"]) == user.file
    assert not (user.home / ".claude" / "settings.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX shell")
def test_what_is_not_set_up_starts_no_claude_code(user: User) -> None:
    command = " ".join([sys.executable, "-m", "neuroflow_proxy", "env"])
    ran = user.run("-c", f'eval "$({command})" && echo STARTED', command=["sh"])
    assert "STARTED" not in ran.stdout
    assert "Nothing is set up yet" in ran.stderr


def test_what_the_second_project_relies_on_stays_though_it_asked_for_nothing(user: User, tmp_path: Path) -> None:
    other = replace(user, project=tmp_path / "another project")
    other.project.mkdir()
    for one in (user, other):  # the second time Claude Code is no newcomer any more, so nobody is asked
        assert one.set_up("--yes", "--connect", "settings", "--no-proof").code == 0
    user.run("undo")
    assert json.loads((user.home / ".claude.json").read_text("utf-8")) == {"hasCompletedOnboarding": True}
    other.run("undo")
    assert not (user.home / ".claude.json").exists()


def test_auto_mode_reaches_settings_that_were_written_before(user: User) -> None:
    assert user.set_up("--yes", "--connect", "settings", "--no-proof").code == 0
    settings = user.project / ".claude" / "settings.local.json"

    def switch() -> object:
        return json.loads(settings.read_text("utf-8")).get("permissions", {}).get("disableAutoMode")

    assert switch() == "disable"
    user.run("setup", "--yes", "--no-proof", "--auto-mode", "model", "--json")
    assert switch() is None
    user.run("setup", "--yes", "--no-proof", "--auto-mode", "off", "--json")
    assert switch() == "disable"


def test_ctrl_d_is_ctrl_c(user: User) -> None:
    with at_a_terminal(user, "setup", "--base-url", user.base_url) as terminal:
        terminal.see("API key")
        terminal.type(CTRL_D)
        assert terminal.end() == 130
        assert "Nothing has been changed." in terminal.text
        assert b"Traceback" not in terminal.everything


@pytest.mark.parametrize("cloud", ["BEDROCK", "MANTLE", "ANTHROPIC_AWS", "ANTHROPIC_GOOGLE_CLOUD"])
def test_a_shell_that_leads_to_another_cloud_is_outranked(user: User, cloud: str) -> None:
    name = f"CLAUDE_CODE_USE_{cloud}"
    told = user.set_up("--yes", "--connect", "settings", "--no-proof", **{name: "1"}).json
    settings = json.loads(Path(told["claude_settings"]).read_text("utf-8"))
    assert settings["env"][name] == ""
    checks = user.run("doctor", "--json", "--no-proof", **{name: "1"}).json["checks"]
    assert all(check["state"] == "ok" for check in checks if check["name"] == "connection"), checks
