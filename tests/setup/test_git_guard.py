"""A real git is asked, and really ignores the file, before a key is in it."""

import os
import subprocess
from pathlib import Path

import pytest

from neuroflow_proxy.errors import SettingsError
from neuroflow_proxy.setup.git_guard import keep_out_of_git

ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}


def git(folder: Path, *arguments: str) -> str:
    finished = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=ENV, capture_output=True, text=True, check=True
    )
    return finished.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "můj projekt"
    root.mkdir()
    git(root, "init", "--quiet")
    return root


def file_in(folder: Path) -> Path:
    return folder / ".neuroflow" / "integrations.json"


def untracked(root: Path) -> str:
    return git(root, "status", "--porcelain", "--untracked-files=all")


def write_all(path: Path) -> None:
    """Everything that set-up may ever put there."""
    path.parent.mkdir(exist_ok=True)
    for name in (path.name, f"{path.name}.bak", f".{path.name}.77.tmp"):
        (path.parent / name).write_text("a key")


def test_a_file_that_nothing_ignores_is_ignored_before_it_is_there(repository: Path) -> None:
    path = file_in(repository)
    assert keep_out_of_git(path, env=ENV) == repository / ".gitignore"
    assert not path.parent.exists()
    write_all(path)
    assert untracked(repository) == "?? .gitignore\n"


def test_it_is_not_ignored_twice(repository: Path) -> None:
    keep_out_of_git(file_in(repository), env=ENV)
    before = (repository / ".gitignore").read_bytes()
    assert keep_out_of_git(file_in(repository), env=ENV) is None
    assert (repository / ".gitignore").read_bytes() == before


def test_a_folder_inside_the_repository_counts_as_well(repository: Path) -> None:
    inner = repository / "packages" / "one"
    inner.mkdir(parents=True)
    keep_out_of_git(file_in(inner), env=ENV)
    write_all(file_in(inner))
    assert untracked(repository) == "?? .gitignore\n"


def test_ignoring_the_file_alone_is_not_enough_for_its_backup(repository: Path) -> None:
    (repository / ".gitignore").write_text(".neuroflow/integrations.json\n")
    assert keep_out_of_git(file_in(repository), env=ENV)
    write_all(file_in(repository))
    assert untracked(repository) == "?? .gitignore\n"


@pytest.mark.parametrize("before", [b"*.log", b"*.log\n", b"*.log\r\n", b"*.log\r\n*.tmp"])
def test_the_lines_of_the_ignore_file_stay(repository: Path, before: bytes) -> None:
    ignore_file = repository / ".gitignore"
    ignore_file.write_bytes(before)
    keep_out_of_git(file_in(repository), env=ENV)
    after = ignore_file.read_bytes()
    assert after.startswith(before)
    assert after.split() == [*before.split(), b".neuroflow/"]
    assert after.count(b"\r\n") in (0, after.count(b"\n"))


@pytest.mark.parametrize("place", [".gitignore", ".git/info/exclude"])
def test_what_is_ignored_already_is_left_as_it_is(repository: Path, place: str) -> None:
    (repository / place).write_text("/.neuroflow\n")
    assert keep_out_of_git(file_in(repository), env=ENV) is None


def test_a_tracked_file_stops_everything_and_the_commands_shown_mend_it(repository: Path) -> None:
    path = file_in(repository)
    path.parent.mkdir()
    path.write_text("{}")
    git(repository, "add", "-A")
    git(repository, "commit", "--quiet", "-m", "oops")
    with pytest.raises(SettingsError) as refusal:
        keep_out_of_git(path, env=ENV)
    commands = [line.strip() for line in refusal.value.hint.splitlines()[1:]]
    assert len(commands) == 2
    for command in commands:
        subprocess.run(command, shell=True, env=ENV, check=True, capture_output=True)
    assert git(repository, "ls-files") == ""
    assert path.read_text() == "{}"
    keep_out_of_git(path, env=ENV)
    assert untracked(repository) == "?? .gitignore\n"


def test_a_rule_that_brings_it_back_is_told(repository: Path) -> None:
    inner = repository / "packages"
    inner.mkdir()
    (inner / ".gitignore").write_text("!.neuroflow/\n")
    with pytest.raises(SettingsError, match="still take"):
        keep_out_of_git(file_in(inner), env=ENV)


def test_outside_a_repository_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert keep_out_of_git(file_in(tmp_path), env=ENV | {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}) is None
    assert not (tmp_path / ".gitignore").exists()


def test_without_git_there_is_nothing_to_do(repository: Path, tmp_path: Path) -> None:
    assert keep_out_of_git(file_in(repository), env={"PATH": str(tmp_path)}) is None


def test_a_git_that_does_not_want_to_say_stops_everything(repository: Path) -> None:
    (repository / ".git" / "config").write_text("[broken")
    with pytest.raises(SettingsError, match="Git"):
        keep_out_of_git(file_in(repository), env=ENV)
    assert not (repository / ".gitignore").exists()


def test_variables_of_a_git_hook_do_not_lead_it_elsewhere(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    env = ENV | {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other)}
    assert keep_out_of_git(file_in(repository), env=env) == repository / ".gitignore"


def test_a_link_is_judged_by_where_it_leads(repository: Path, tmp_path: Path) -> None:
    (repository / ".neuroflow").mkdir()
    (tmp_path / ".neuroflow").symlink_to(repository / ".neuroflow")
    assert keep_out_of_git(file_in(tmp_path), env=ENV) == repository / ".gitignore"


def test_a_file_of_another_name_has_to_be_ignored_by_hand(repository: Path) -> None:
    with pytest.raises(SettingsError, match="does not ignore"):
        keep_out_of_git(repository / "llm.json", env=ENV)
    (repository / ".gitignore").write_text("*llm.json*\n")
    assert keep_out_of_git(repository / "llm.json", env=ENV) is None


def test_settings_of_a_folder_below_the_root_are_ignored_as_well(repository: Path) -> None:
    """As where the home is a repository, or a part of one has settings of its own."""
    path = repository / "part" / ".claude" / "settings.local.json"
    path.parent.mkdir(parents=True)
    assert keep_out_of_git(path, env=ENV) == repository / ".gitignore"
    path.write_text("{}")
    assert git(repository, "status", "--short") == "?? .gitignore\n"
