"""What is no secret may be kept in the folder that is synced between machines; a key never is."""

import json
import subprocess
from pathlib import Path

import pytest

from neuroflow_proxy.settings import SECTION_SCHEMA
from neuroflow_proxy.setup.flowie import SHARED
from tests.setup.user import KEY, User

IDENTITY = "[user]\n\tname = Somebody\n\temail = somebody@example.org\n"


@pytest.fixture
def folder(user: User) -> Path:
    """The folder, in a repository of its own, as neuroflow makes it."""
    folder = user.home / ".neuroflow" / "flowie"
    folder.mkdir(parents=True)
    (user.home / ".gitconfig").write_text(IDENTITY)
    (folder / "sync.json").write_text("{}")
    git(user, folder, "init", "--quiet")
    git(user, folder, "add", "--all")
    git(user, folder, "commit", "--quiet", "--message", "Begin")
    return folder


def git(user: User, folder: Path, *arguments: str) -> str:
    ran = subprocess.run(["git", *arguments], cwd=folder, env=user.env, capture_output=True, text=True, check=True)
    return ran.stdout


def history(user: User, folder: Path) -> list[str]:
    return git(user, folder, "log", "--format=%s").splitlines()


def section_of(path: Path) -> dict[str, object]:
    section: dict[str, object] = json.loads(path.read_text("utf-8"))["custom_llm"]
    return section


def test_only_what_is_no_secret_is_shared() -> None:
    secret = {name for name, rule in SECTION_SCHEMA["properties"].items() if "secret" in rule["description"].lower()}
    assert secret == {"api_key", "proxy_token"}
    assert not secret & set(SHARED)


def test_provider_and_models_are_written_and_committed_and_the_key_is_not(user: User, folder: Path) -> None:
    told = user.set_up("--yes", "--flowie", "--tier", "opus=glm-4.7").json
    path = folder / "integrations.json"
    assert section_of(path) == {
        "provider": "127.0.0.1",
        "base_url": user.base_url,
        "model": "kimi-k2.5",
        "tiers": {"opus": "glm-4.7"},
        "proxy_mode": "custom",
    }
    assert "committed" in told["flowie"]
    assert git(user, folder, "status", "--porcelain") == ""
    assert len(history(user, folder)) == 2
    packed = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    assert not [data for data in packed if KEY.encode() in data]
    assert KEY not in git(user, folder, "log", "--patch", "--all")


def test_it_is_done_only_when_it_is_asked_for(user: User, folder: Path) -> None:
    assert user.set_up("--yes").json["flowie"] is None
    assert not (folder / "integrations.json").exists()


def test_the_same_again_is_no_commit(user: User, folder: Path) -> None:
    user.set_up("--yes", "--flowie", "--no-proof")
    assert "unchanged" in user.set_up("--yes", "--flowie", "--no-proof").json["flowie"]
    assert len(history(user, folder)) == 2


def test_nothing_else_that_lies_in_the_folder_is_committed(user: User, folder: Path) -> None:
    (folder / "ideas.md").write_text("not yet")
    git(user, folder, "add", "ideas.md")
    user.set_up("--yes", "--flowie", "--no-proof")
    assert git(user, folder, "show", "--name-only", "--format=").split() == ["integrations.json"]
    assert git(user, folder, "status", "--porcelain").split() == ["A", "ideas.md"]


def test_undo_puts_it_back_there_too(user: User, folder: Path) -> None:
    path = folder / "integrations.json"
    path.write_text('{"zotero": {"library": 7}}')
    git(user, folder, "add", "--all")
    git(user, folder, "commit", "--quiet", "--message", "Mine")
    user.set_up("--yes", "--flowie", "--no-proof")
    assert "custom_llm" in json.loads(path.read_text())
    user.run("undo")
    assert path.read_text() == '{"zotero": {"library": 7}}'
    assert git(user, folder, "status", "--porcelain") == ""
    assert len(history(user, folder)) == 4


def test_a_file_that_git_ignores_stays_on_this_machine_and_it_says_so(user: User, folder: Path) -> None:
    (folder / ".gitignore").write_text("integrations.json\n")
    git(user, folder, "add", "--all")
    git(user, folder, "commit", "--quiet", "--message", "Ignore")
    told = user.set_up("--yes", "--flowie", "--no-proof").json
    assert "git did not take it" in told["flowie"]
    assert section_of(folder / "integrations.json")["model"] == "kimi-k2.5"
    assert len(history(user, folder)) == 2


def test_without_a_repository_it_is_written_and_said(user: User) -> None:
    folder = user.home / ".neuroflow" / "flowie"
    folder.mkdir(parents=True)
    (folder / "sync.json").write_text("{}")
    assert "no repository" in user.set_up("--yes", "--flowie", "--no-proof").json["flowie"]


def test_a_file_with_a_key_in_it_is_never_committed(user: User, folder: Path) -> None:
    (folder / "integrations.json").write_text(json.dumps({"custom_llm": {"api_key": "sk-somebody-put-it-there"}}))
    ran = user.set_up("--yes", "--flowie", "--no-proof")
    assert (ran.code, ran.json["error"]["kind"]) == (3, "settings")
    assert len(history(user, folder)) == 1


def test_without_the_folder_there_is_nothing_to_share(user: User) -> None:
    ran = user.set_up("--yes", "--flowie")
    assert (ran.code, ran.json["error"]["kind"]) == (3, "settings")
    assert not user.file.exists()
