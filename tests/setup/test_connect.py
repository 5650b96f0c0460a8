"""Connecting Claude Code, and taking all of it back."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.setup.undo import Journal, set_fields
from tests.e2e.claude import claude_edits_a_file
from tests.live import free_port
from tests.setup.user import KEY, User, processes_of

FAKE = """#!/bin/sh
echo "$@"
echo "url=$ANTHROPIC_BASE_URL key=[$ANTHROPIC_API_KEY] model=$ANTHROPIC_MODEL"
exit 3
"""
only_posix = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")


def settings_of(user: User) -> Path:
    return user.project / ".claude" / "settings.local.json"


def files_below(folder: Path) -> dict[str, bytes]:
    ours = folder / ".local"
    return {
        str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_relative_to(ours)
    }


def install_a_stand_in(user: User) -> None:
    path = user.home / ".local" / "bin" / "claude"
    path.parent.mkdir(parents=True)
    path.write_text(FAKE)
    path.chmod(0o755)


def without_claude(user: User, folder: Path) -> dict[str, str]:
    """A PATH on which only what the stand-in needs is found."""
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_settings_are_written_for_the_project_and_say_what_env_prints(user: User) -> None:
    told = user.set_up("--yes", "--connect", "settings").json
    assert told["claude_settings"] == str(settings_of(user))
    written = json.loads(settings_of(user).read_text("utf-8"))
    assert written == {
        "env": user.run("env", "--json").json["variables"],
        "skipWebFetchPreflight": True,
        "permissions": {"disableAutoMode": "disable"},
    }
    assert KEY not in settings_of(user).read_text("utf-8")
    doctor = user.run("doctor", "--json").json
    assert all(check["state"] == "ok" for check in doctor["checks"] if check["name"] in ("connection", "window"))


def test_whoever_wants_anthropic_to_be_asked_about_pages_is_left_alone(user: User) -> None:
    settings_of(user).parent.mkdir()
    settings_of(user).write_text('{"skipWebFetchPreflight": false}')
    user.set_up("--yes", "--connect", "settings")
    written = json.loads(settings_of(user).read_text("utf-8"))
    assert written["skipWebFetchPreflight"] is False
    assert written["env"]["ANTHROPIC_BASE_URL"]
    user.run("undo")
    assert settings_of(user).read_text("utf-8") == '{"skipWebFetchPreflight": false}'


def test_machine_wide_they_are_written_for_the_user(user: User) -> None:
    told = user.set_up("--yes", "--connect", "settings", "--scope", "machine").json
    assert told["claude_settings"] == str(user.home / ".claude" / "settings.json")
    assert not settings_of(user).exists()


@pytest.mark.parametrize(("scope", "must_trust"), [("project", True), ("machine", False)])
def test_only_a_folder_with_settings_of_its_own_must_be_trusted(scope: str, must_trust: bool, user: User) -> None:
    user.set_up("--yes", "--no-proof", "--scope", scope)
    told = user.run("setup", "--yes", "--no-proof", "--scope", scope, "--connect", "settings").stdout
    assert "Run `claude`" in told
    assert ("trust" in told) is must_trust


def test_without_being_told_to_nothing_of_claude_code_is_touched(user: User) -> None:
    user.set_up("--yes")
    assert not settings_of(user).exists()
    assert not (user.home / ".claude").exists()
    assert not (user.home / ".claude.json").exists()


def test_undo_leaves_the_machine_as_it_was(user: User) -> None:
    settings_of(user).parent.mkdir()
    settings_of(user).write_bytes(
        b'{\r\n\t"permissions": {"allow": []},\r\n\t"env": {"MINE": "1", "ANTHROPIC_MODEL": "x"}}'
    )
    user.file.parent.mkdir()
    user.file.write_text('{"zotero": {"key": "theirs"}}')
    (user.home / ".claude.json").write_text('{"numStartups": 0}')
    before = files_below(user.home)
    user.set_up("--yes", "--connect", "settings", "--skip-login")
    user.run("use", "qwen3.5-122b")
    assert json.loads((user.home / ".claude.json").read_text())["hasCompletedOnboarding"] is True
    assert json.loads(settings_of(user).read_bytes())["env"]["ANTHROPIC_MODEL"] == "qwen3.5-122b"
    told = user.run("undo", "--json").json
    assert told["undone"]
    assert files_below(user.home) == before
    assert processes_of(user) == []
    assert user.run("undo", "--json").json["undone"] is False


def test_where_two_settings_are_in_reach_it_is_told_which_holds_and_which_is_left(user: User) -> None:
    user.set_up("--yes", "--connect", "settings", "--no-proof")
    everywhere = user.home / ".neuroflow" / "integrations.json"
    words = ["setup", "--yes", "--connect", "settings", "--no-proof", "--scope", "machine"]
    assert f"But in this folder {user.file} overrides them" in user.run(*words).stdout
    assert user.run(*words, "--json", cwd=user.home).json["outranked_by"] is None
    assert f"Now {everywhere} applies here; `configure.py undo` again" in user.run("undo").stdout
    told = user.run("undo", "--json").json
    assert (told["undone"], told["left"]) == (True, None)
    assert not user.records


@pytest.mark.parametrize("connect", ["settings", "print"])
def test_set_up_tells_of_a_file_that_connects_claude_code_elsewhere(user: User, connect: str) -> None:
    theirs = user.home / ".claude" / "settings.json"
    theirs.parent.mkdir()
    theirs.write_text('{"env": {"ANTHROPIC_BASE_URL": "https://llm.example.org"}}')
    words = f"But {theirs} sets ANTHROPIC_BASE_URL to something else"
    flags = ["--yes", "--connect", connect, "--no-proof"]
    told = user.set_up(*flags).json["connection_outranked_by"]
    is_told = words in user.run("setup", *flags).stdout, words in user.run("env").stderr
    # A project's local settings stand over the user's; lines in a shell do not.
    assert (told, *is_told) == ((None, False, False) if connect == "settings" else (str(theirs), True, True))


def test_set_up_tells_that_a_linked_work_tree_is_connected_by_the_main_one(user: User) -> None:
    linked = replace(user, project=user.home / "linked")
    git(user.project, "init", "-q")
    git(user.project, "commit", "-q", "--allow-empty", "-m", "All")
    git(user.project, "worktree", "add", "-q", linked.project, "-b", "linked")
    for one, outranked_by in ((user, None), (linked, str(settings_of(user)))):
        told = one.set_up("--yes", "--connect", "settings", "--no-proof").json
        assert told["connection_outranked_by"] == outranked_by


def test_undo_tells_of_the_model_that_slash_model_has_saved_for_all_folders(user: User) -> None:
    user.set_up("--yes", "--connect", "settings", "--no-proof")
    theirs = user.home / ".claude" / "settings.json"
    theirs.parent.mkdir()
    theirs.write_text('{"model": "anthropic/qwen3.5-122b"}')
    told = user.run("undo").stdout
    assert f"Claude Code still begins with anthropic/qwen3.5-122b: `/model` has saved it in {theirs}" in told
    assert theirs.read_text() == '{"model": "anthropic/qwen3.5-122b"}'


@pytest.mark.parametrize(
    "theirs", ['{"model": "opus"}', "{", '{"model": "anthropic/x", "env": {"ANTHROPIC_BASE_URL": "https://e.org"}}']
)
def test_undo_tells_nothing_of_a_model_that_is_not_ours(user: User, theirs: str) -> None:
    user.set_up("--yes", "--connect", "settings", "--no-proof")
    (user.home / ".claude").mkdir()
    (user.home / ".claude" / "settings.json").write_text(theirs)
    assert user.run("undo", "--json").json["saved_model"] is None


def test_a_folder_that_is_moved_takes_its_proxy_along_and_what_undo_needs_to_know(user: User) -> None:
    settings_of(user).parent.mkdir()
    settings_of(user).write_text('{"model": "opus"}')
    port = user.set_up("--model", "kimi-k2.5", "--connect", "settings", "--no-proof").json["port"]
    halfway = replace(user, project=user.home / "halfway")
    user.project.rename(halfway.project)
    halfway.run("use", "kimi-k2.5")
    moved = replace(user, project=user.home / "archive")
    halfway.project.rename(moved.project)
    told = moved.run("status", "--json").json
    assert (told["running"], told["port"]) == (True, port)
    (check,) = [one for one in moved.run("doctor", "--no-proof", "--json").json["checks"] if one["name"] == "proxy"]
    assert (check["state"], check["hint"]) == ("warn", "configure.py start")
    assert moved.run("start", "--json").json["port"] == port
    assert (processes_of(user), len(processes_of(moved))) == ([], 1)
    assert moved.run("use", "kimi-k2.6", "--json").json["claude_settings"] == [str(settings_of(moved))]
    assert moved.run("undo", "--json").json["undone"]
    assert settings_of(moved).read_text() == '{"model": "opus"}'
    assert not moved.state.exists()
    assert processes_of(moved) == []


def test_a_copy_of_a_folder_leaves_the_proxy_to_the_first(user: User) -> None:
    user.set_up("--model", "kimi-k2.5", "--connect", "settings", "--no-proof")
    copy = replace(user, project=user.home / "copy")
    shutil.copytree(user.project, copy.project)
    assert copy.run("status", "--json").json["running"] is False
    assert copy.run("undo", "--json").json["undone"] is False
    assert user.run("status", "--json").json["running"] is True


def test_undo_from_nothing_leaves_nothing(user: User) -> None:
    user.set_up("--yes", "--connect", "settings", "--skip-login")
    told = user.run("undo").stdout
    assert files_below(user.home) == {}
    assert f"Removed: {user.file}" in told
    assert "Restored" not in told, "there was nothing before"
    assert list(user.project.iterdir()) == []


def test_undo_keeps_what_somebody_else_has_written_meanwhile(user: User) -> None:
    user.set_up("--yes", "--connect", "settings")
    document = json.loads(settings_of(user).read_text("utf-8"))
    document["permissions"] = {"allow": ["Bash(ls)"]}
    document["env"]["MINE"] = "1"
    settings_of(user).write_text(json.dumps(document))
    user.run("undo")
    assert json.loads(settings_of(user).read_text("utf-8")) == {
        "env": {"MINE": "1"},
        "permissions": {"allow": ["Bash(ls)"]},
    }


def test_settings_that_are_no_json_stop_the_connection_and_stay(user: User) -> None:
    settings_of(user).parent.mkdir()
    settings_of(user).write_text('{"env": // mine\n')
    ran = user.set_up("--yes", "--connect", "settings")
    assert (ran.code, ran.json["error"]["kind"]) == (3, "settings")
    assert settings_of(user).read_text() == '{"env": // mine\n'
    assert not user.file.exists(), "nothing is begun that cannot be finished"


def test_git_does_not_take_the_settings_with_the_token(user: User) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=user.project, env=user.env, check=True)
    user.set_up("--yes", "--connect", "settings")
    listed = subprocess.run(
        ["git", "status", "--short", "--untracked-files=all"],
        cwd=user.project,
        env=user.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.split() == ["??", ".gitignore"]


@pytest.mark.parametrize("before", [None, b"", b"*.pyc\n", b"*.pyc", b"*.pyc\r\ndata/\r\n"])
def test_undo_takes_its_own_lines_out_of_gitignore(before: bytes | None, user: User) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=user.project, env=user.env, check=True)
    ignored = user.project / ".gitignore"
    if before is not None:
        ignored.write_bytes(before)
    user.set_up("--yes", "--connect", "settings", "--no-proof")
    assert ignored.read_bytes().count(b"settings.local.json") == 1
    user.run("undo")
    assert (ignored.read_bytes() if ignored.exists() else None) == before


def test_undo_takes_its_lines_out_though_claude_code_has_been_used_for_the_first_time_since(user: User) -> None:
    """What it keeps in its state is no concern of the repository's."""
    subprocess.run(["git", "init", "--quiet"], cwd=user.project, env=user.env, check=True)
    user.set_up("--yes", "--connect", "settings", "--no-proof")
    state = user.home / ".claude.json"
    state.write_text(json.dumps(json.loads(state.read_text("utf-8")) | {"numStartups": 1}))
    user.run("undo")
    assert json.loads(state.read_text("utf-8")) == {"numStartups": 1}
    assert not (user.project / ".gitignore").exists()


def test_undo_leaves_lines_that_somebody_else_has_added(user: User) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=user.project, env=user.env, check=True)
    ignored = user.project / ".gitignore"
    user.set_up("--yes", "--no-proof")
    ignored.write_text(f"mine/\n{ignored.read_text()}also-mine/\n")
    user.run("undo")
    assert ignored.read_text() == "mine/\nalso-mine/\n"


def test_undo_leaves_the_rule_where_another_integration_has_come_to_rely_on_it(user: User) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=user.project, env=user.env, check=True)
    user.set_up("--yes", "--no-proof")
    document = json.loads(user.file.read_text("utf-8")) | {"zotero": {"key": "theirs"}}
    user.file.write_text(json.dumps(document))
    user.run("undo")
    assert json.loads(user.file.read_text("utf-8")) == {"zotero": {"key": "theirs"}}
    assert (user.project / ".gitignore").read_text() == ".neuroflow/\n"


@only_posix
def test_what_undo_needs_to_know_is_for_the_user_alone_and_gone_afterwards(user: User) -> None:
    user.file.parent.mkdir()
    user.file.write_text(json.dumps({"custom_llm": {"api_key": "sk-an-old-key-of-mine"}}))
    user.set_up("--yes", "--connect", "settings")
    (journal,) = user.state.glob("*.undo")
    assert journal.stat().st_mode & 0o777 == 0o600
    user.run("undo")
    assert {path.suffix for path in user.state.glob("*")} <= {".lock"}, "a lock that stays means nothing"


def test_a_variable_that_is_not_needed_any_more_is_gone_from_the_settings(user: User) -> None:
    through_a_proxy = {"HTTP_PROXY": "http://proxy.example.org:3128"}
    user.set_up("--yes", "--connect", "settings", "--no-proof", **through_a_proxy)
    assert "NO_PROXY" in json.loads(settings_of(user).read_text("utf-8"))["env"]
    user.set_up("--yes", "--connect", "settings", "--no-proof")
    assert "NO_PROXY" not in json.loads(settings_of(user).read_text("utf-8"))["env"]


def test_another_port_reaches_the_settings_too(user: User) -> None:
    user.set_up("--yes", "--connect", "settings")
    port = free_port()
    assert user.run("start", "--port", str(port), "--json").json["port"] == port
    env = json.loads(settings_of(user).read_text("utf-8"))["env"]
    assert env["ANTHROPIC_BASE_URL"] == f"http://127.0.0.1:{port}"


@only_posix
def test_claude_runs_on_the_proxy_which_is_started_for_it(user: User, tmp_path: Path) -> None:
    user.write_settings()
    install_a_stand_in(user)
    ran = user.run("claude", "--", "-p", "Hello there", "--json", **without_claude(user, tmp_path))
    assert ran.code == 3, "its exit code is Claude Code's"
    (record,) = user.records
    assert ran.stdout.splitlines() == [
        "-p Hello there --json",
        f"url=http://127.0.0.1:{record.port} key=[] model=kimi-k2.5",
    ]


@only_posix
def test_settings_that_would_stand_over_the_environment_are_outranked(user: User, tmp_path: Path) -> None:
    user.write_settings()
    install_a_stand_in(user)
    (user.home / ".claude").mkdir()
    (user.home / ".claude" / "settings.json").write_text('{"env": {"ANTHROPIC_BASE_URL": "https://elsewhere.test"}}')
    first = user.run("claude", **without_claude(user, tmp_path)).stdout.splitlines()[0]
    flag, path = first.split(" ", 1)
    assert flag == "--settings"
    assert json.loads(Path(path).read_text())["env"]["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")
    assert Path(path).stat().st_mode & 0o777 == 0o600


@only_posix
def test_without_claude_code_it_says_how_to_get_it(user: User, tmp_path: Path) -> None:
    user.write_settings()
    ran = user.run("claude", **without_claude(user, tmp_path))
    assert ran.code == 6
    assert "npm install" in ran.stderr


def test_claude_code_is_not_launched_where_nobody_sits(user: User) -> None:
    assert user.set_up("--yes", "--connect", "launch").code == 2


def test_what_follows_two_dashes_is_for_claude_alone(user: User) -> None:
    assert user.run("status", "--", "-p", "x").code == 2


@pytest.mark.e2e
def test_the_real_claude_code_needs_nothing_but_the_written_settings(user: User) -> None:
    ran = user.set_up("--yes", "--connect", "settings", "--skip-login")
    assert ran.code == 0, ran.stderr
    claude_edits_a_file(user.project, user.env | {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"})


def test_a_newcomer_who_would_be_stopped_at_the_account_is_told(user: User) -> None:
    flags = ["--model", "kimi-k2.5", "--connect", "settings", "--no-proof"]
    assert user.set_up(*flags).json["asks_for_account"] is True
    assert "--skip-login" in user.run("setup", *flags).stdout
    assert not (user.home / ".claude.json").exists()
    (user.home / ".claude.json").write_text('{"hasCompletedOnboarding": true}')
    assert user.run("setup", *flags, "--json").json["asks_for_account"] is False


def test_who_takes_the_recommended_answers_is_spared_the_account_and_told_so(user: User) -> None:
    user.set_up("--yes", "--no-proof")
    ran = user.run("setup", "--yes", "--connect", "settings", "--no-proof")
    assert json.loads((user.home / ".claude.json").read_text()) == {"hasCompletedOnboarding": True}
    assert str(user.home / ".claude.json") in ran.stdout
    user.run("undo")
    assert not (user.home / ".claude.json").exists()


def test_settings_of_the_user_need_no_such_sparing(user: User) -> None:
    told = user.set_up("--yes", "--connect", "settings", "--scope", "machine", "--no-proof").json
    assert told["asks_for_account"] is False
    assert not (user.home / ".claude.json").exists()


names = st.sampled_from(["ANTHROPIC_MODEL", "NO_PROXY", "MINE", "a"])
documents = st.dictionaries(
    st.sampled_from(["env", "permissions", "x"]), st.dictionaries(names, st.text(max_size=5), max_size=3), max_size=3
)


@given(
    before=st.none() | documents, fields=st.lists(st.dictionaries(names, st.text(max_size=5), min_size=1), max_size=3)
)
def test_whatever_is_set_undo_restores_the_very_bytes(
    before: dict[str, object] | None, fields: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("undo")
    path, journal = folder / "project" / "settings.json", Journal(folder / "state", folder / "integrations.json")
    if before is not None:
        path.parent.mkdir()
        path.write_text(json.dumps(before, indent=3))
    original = path.read_bytes() if path.exists() else None
    for values in fields:
        set_fields(path, journal, section="env", fields=values)
    journal.undo()
    assert (path.read_bytes() if path.exists() else None) == original


def test_what_two_projects_rely_on_stays_until_both_are_undone(user: User, tmp_path: Path) -> None:
    other = replace(user, project=tmp_path / "another project")
    other.project.mkdir()
    state = user.home / ".claude.json"
    for one in (user, other):
        assert one.set_up("--yes", "--connect", "settings", "--skip-login", "--no-proof").code == 0
    user.run("undo")
    assert json.loads(state.read_text("utf-8")) == {"hasCompletedOnboarding": True}
    other.run("undo")
    assert not state.exists()


@pytest.mark.parametrize("has_git", [True, False])
def test_a_claude_code_that_is_started_further_down_is_connected_too(user: User, *, has_git: bool) -> None:
    if has_git:
        subprocess.run(["git", "init", "-q", user.project], check=True)
    assert user.set_up("--yes", "--connect", "settings", "--no-proof").code == 0
    below = replace(user, project=user.project / "data" / "first")
    below.project.mkdir(parents=True)
    told = below.set_up("--yes", "--connect", "settings", "--no-proof").json
    # Claude Code looks into its own folder, and into a repository's root.
    assert told["claude_settings"] == str(settings_of(user if has_git else below))
    doctor = below.run("doctor", "--json", "--no-proof").json
    assert all(check["state"] == "ok" for check in doctor["checks"] if check["name"] == "connection")
    below.run("undo")
    assert not settings_of(user).exists()
    assert not settings_of(below).exists()


def git(folder: Path, *arguments: str | Path) -> None:
    identity = ["-c", "user.name=Jana", "-c", "user.email=jana@example.org"]
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("is_bare", [False, True])
def test_below_a_linked_work_tree_claude_code_is_connected_in_its_own_folder(user: User, *, is_bare: bool) -> None:
    """Its root is not looked into; that of the main work tree is, and stands over all."""
    main = user.home / ("main.git" if is_bare else "main")
    git(user.home, "init", "-q", *(["--bare"] if is_bare else []), main)
    git(user.home, "clone", "-q", main, user.home / "clone")
    git(user.home / "clone", "commit", "-q", "--allow-empty", "-m", "First")
    git(main, "fetch", "-q", user.home / "clone", "HEAD:refs/heads/linked")
    linked = user.project / "linked"
    git(main, "worktree", "add", "-q", linked, "linked")
    below = replace(user, project=linked / "data")
    below.project.mkdir()
    told = below.set_up("--yes", "--connect", "settings", "--no-proof").json
    assert told["integrations"] == str(linked / ".neuroflow" / "integrations.json")
    assert told["claude_settings"] == str(settings_of(below))

    def deciding() -> list[str]:
        checks = below.run("doctor", "--json", "--no-proof").json["checks"]
        return [check["state"] for check in checks if "ANTHROPIC_BASE_URL" in check["message"]]

    assert deciding() == ["ok"]
    others = main / ".claude" / "settings.local.json"
    others.parent.mkdir()
    others.write_text('{"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}}')
    assert deciding() == ["ok" if is_bare else "fail"]
    below.run("undo")
