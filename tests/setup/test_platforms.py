"""What differs between systems, tried for each of them on whichever this is."""

import sys
from pathlib import Path

import pytest

from neuroflow_proxy.setup.platforms import (
    Shell,
    default_shell,
    detached,
    home_without_links,
    machine_name,
    state_dir,
)

HOME = Path("/srv/people/jana")


@pytest.mark.parametrize(
    ("platform", "env", "folder"),
    [
        ("linux", {}, HOME / ".local/state/neuroflow-proxy"),
        ("linux", {"XDG_STATE_HOME": "/var/tmp/state"}, Path("/var/tmp/state/neuroflow-proxy")),
        ("linux", {"XDG_STATE_HOME": "relative"}, HOME / ".local/state/neuroflow-proxy"),
        ("darwin", {}, HOME / "Library/Application Support/neuroflow-proxy"),
        ("win32", {"LOCALAPPDATA": "D:/jana/Local"}, Path("D:/jana/Local/neuroflow-proxy")),
        ("win32", {}, HOME / "AppData/Local/neuroflow-proxy"),
    ],
)
def test_state_is_kept_where_the_system_wants_it(platform: str, env: dict[str, str], folder: Path) -> None:
    assert state_dir(platform, env, HOME) == folder


@pytest.mark.parametrize(
    ("platform", "env", "shell"),
    [
        ("linux", {"SHELL": "/bin/bash"}, Shell.BASH),
        ("linux", {"SHELL": "/usr/local/bin/fish"}, Shell.FISH),
        ("darwin", {"SHELL": "/bin/zsh"}, Shell.ZSH),
        ("linux", {"SHELL": "/bin/dash"}, Shell.BASH),
        ("linux", {}, Shell.BASH),
        ("win32", {}, Shell.POWERSHELL),
        ("win32", {"MSYSTEM": "MINGW64", "SHELL": r"C:\Git\usr\bin\bash.exe"}, Shell.BASH),
    ],
)
def test_the_shell_is_guessed(platform: str, env: dict[str, str], shell: Shell) -> None:
    assert default_shell(platform, env) is shell


def test_a_detached_child_gets_a_session_of_its_own_or_what_windows_has_for_it() -> None:
    assert detached("linux") == detached("darwin") == {"start_new_session": True}
    assert detached("win32") == {"creationflags": 0x208}


def test_only_machines_that_may_share_a_home_are_told_apart() -> None:
    assert machine_name("linux", "login1") != machine_name("linux", "login2")
    assert machine_name("darwin", "at-home") == machine_name("darwin", "dhcp-17.example.org")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_home_that_is_a_link_is_named_as_the_folder_in_it_is_but_on_windows(tmp_path: Path) -> None:
    real, link = tmp_path / "storage", tmp_path / "home"
    real.mkdir()
    link.symlink_to(real)
    assert home_without_links("linux", link) == home_without_links("darwin", link) == real.resolve()
    assert home_without_links("win32", link) == link
