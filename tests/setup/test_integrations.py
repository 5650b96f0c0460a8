"""Writing our section of the integrations file and nothing else in it."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroflow_proxy.errors import SettingsError
from neuroflow_proxy.setup.files import write_private
from neuroflow_proxy.setup.integrations import Scope, path_for, save_section

only_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")

FIELDS: dict[str, object] = {"provider": "einfra", "api_key": "a-key", "model": "kimi-k2.5", "proxy_port": 4001}

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_holds_the_fields_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / ".neuroflow" / "integrations.json"
    assert save_section(path, FIELDS)
    assert json.loads(path.read_bytes()) == {"custom_llm": FIELDS}
    assert list(json.loads(path.read_bytes())["custom_llm"]) == list(FIELDS)
    assert names_in(path.parent) == ["integrations.json"]


@only_posix
def test_a_new_file_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / ".neuroflow" / "integrations.json"
    before = os.umask(0)
    try:
        save_section(path, FIELDS)
    finally:
        os.umask(before)
    assert (mode_of(path), mode_of(path.parent)) == (0o600, 0o700)


@only_posix
def test_a_file_that_others_could_read_becomes_private_even_if_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "integrations.json"
    save_section(path, FIELDS)
    path.chmod(0o644)
    assert not save_section(path, FIELDS)
    assert mode_of(path) == 0o600


@only_posix
def test_the_backup_is_private_too(tmp_path: Path) -> None:
    path = tmp_path / "integrations.json"
    path.write_text('{"zotero": {"key": "theirs"}}')
    path.chmod(0o644)
    save_section(path, FIELDS)
    backup = tmp_path / "integrations.json.bak"
    assert backup.read_text() == '{"zotero": {"key": "theirs"}}'
    assert mode_of(backup) == 0o600


def test_the_backup_of_a_command_that_saves_twice_is_what_was_there_before_it(tmp_path: Path) -> None:
    path = tmp_path / "integrations.json"
    path.write_text('{"zotero": {"key": "theirs"}}')
    save_section(path, FIELDS)
    save_section(path, {"proxy_port": 4002}, again=True)
    assert (tmp_path / "integrations.json.bak").read_text() == '{"zotero": {"key": "theirs"}}'
    assert json.loads(path.read_bytes())["custom_llm"]["proxy_port"] == 4002


def test_writing_the_same_again_changes_nothing_and_makes_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "integrations.json"
    save_section(path, FIELDS)
    before = path.stat().st_mtime_ns
    assert not save_section(path, FIELDS)
    assert path.stat().st_mtime_ns == before
    assert names_in(tmp_path) == ["integrations.json"]


@given(
    others=st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=4),
    own=st.dictionaries(st.text(max_size=8), JSON_VALUES),
)
def test_what_is_not_ours_stays_and_stays_in_its_order(
    others: dict[str, Any], own: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "integrations.json"
    before = others | {"custom_llm": own}
    path.write_text(json.dumps(before), "utf-8")
    save_section(path, FIELDS)
    after = json.loads(path.read_bytes())
    assert after == others | {"custom_llm": own | FIELDS}
    assert list(after) == list(before)
    assert list(after["custom_llm"])[: len(own)] == list(own)


def test_a_field_set_to_none_goes(tmp_path: Path) -> None:
    path = tmp_path / "integrations.json"
    save_section(path, FIELDS | {"small_model": "qwen3.5-122b"})
    save_section(path, {"small_model": None})
    assert json.loads(path.read_bytes()) == {"custom_llm": FIELDS}


@pytest.mark.parametrize(
    "text",
    [
        '{\n    "zotero": {\n        "user": "čtenář"\n    }\n}\n',
        '{\n\t"zotero": {\n\t\t"user": "čtenář"\n\t}\n}',
        '{\r\n  "zotero": {\r\n    "user": "čtenář"\r\n  }\r\n}\r\n',
        '\ufeff{\n  "zotero": {\n    "user": "čtenář"\n  }\n}\n',
    ],
    ids=["four spaces", "tabs, no last line end", "Windows line ends", "byte order mark"],
)
def test_the_manner_of_writing_stays(text: str, tmp_path: Path) -> None:
    path = tmp_path / "integrations.json"
    path.write_bytes(text.encode())
    save_section(path, FIELDS)
    unchanged, _, _ = text.partition("\n}")[0].partition("\r\n}\r\n")
    assert path.read_bytes().decode().startswith(unchanged.rstrip("\r") + ",")
    assert path.read_bytes().endswith(b"\n") == text.endswith("\n")
    assert path.read_bytes().count(b"\r\n") in (0, path.read_bytes().count(b"\n"))


@pytest.mark.parametrize("text", ['{"zotero": ', "[1, 2]", '{"custom_llm": "kimi"}', "\x00"])
def test_a_file_that_cannot_be_understood_is_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "integrations.json"
    path.write_text(text)
    with pytest.raises(SettingsError) as refusal:
        save_section(path, FIELDS)
    assert str(path) in refusal.value.message
    assert path.read_text() == text
    assert names_in(tmp_path) == ["integrations.json"]


def test_a_broken_file_is_told_with_the_place_where_it_breaks(tmp_path: Path) -> None:
    path = tmp_path / "integrations.json"
    path.write_text('{\n  "zotero": {}\n  "other": {}\n}')
    with pytest.raises(SettingsError, match=r"line 3|byte \d+"):
        save_section(path, FIELDS)


@only_posix
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles" / "integrations.json", tmp_path / "integrations.json"
    real.parent.mkdir()
    real.write_text("{}")
    link.symlink_to(real)
    save_section(link, FIELDS)
    assert link.is_symlink()
    assert json.loads(real.read_bytes()) == {"custom_llm": FIELDS}


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "integrations.json"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_private(path, b"new")
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["integrations.json"]


def test_what_a_killed_writer_left_behind_is_cleared_away(tmp_path: Path) -> None:
    path = tmp_path / "integrations.json"
    (tmp_path / ".integrations.json.12345.tmp").write_text("half a key")
    save_section(path, FIELDS)
    assert names_in(tmp_path) == ["integrations.json"]


def test_a_folder_that_cannot_be_written_is_told_in_words(tmp_path: Path) -> None:
    in_the_way = tmp_path / ".neuroflow"
    in_the_way.write_text("a file where the folder should be")
    with pytest.raises(SettingsError) as refusal:
        save_section(in_the_way / "integrations.json", FIELDS)
    assert "--scope machine" in refusal.value.full_message


def test_the_project_is_the_nearest_folder_that_says_so(tmp_path: Path) -> None:
    home, project = tmp_path, tmp_path / "paper"
    inner = project / "data" / "raw"
    inner.mkdir(parents=True)
    assert path_for(Scope.PROJECT, inner, home).parent.parent == inner
    (project / ".git").mkdir()
    assert path_for(Scope.PROJECT, inner, home).parent.parent == project
    (project / "data" / ".neuroflow").mkdir()
    assert path_for(Scope.PROJECT, inner, home).parent.parent == project / "data"
    assert path_for(Scope.MACHINE, inner, home).parent.parent == home


def test_the_home_is_no_project_of_what_lies_in_it(tmp_path: Path) -> None:
    (tmp_path / ".neuroflow").mkdir()
    (tmp_path / ".git").mkdir()
    inner = tmp_path / "paper"
    inner.mkdir()
    assert path_for(Scope.PROJECT, inner, tmp_path) == inner / ".neuroflow" / "integrations.json"
