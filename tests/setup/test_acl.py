"""Files for the user alone on Windows: with programs that only write down how they were called, and there for real."""

import sys
from pathlib import Path

import pytest

from neuroflow_proxy.setup.acl import leave_to_user, system_folder, who_may
from neuroflow_proxy.setup.files import write_private
from neuroflow_proxy.setup.platforms import grants_in, only_for, sid_in

SID = "S-1-5-21-1004336348-1177238915-682003330-512"
FILE = Path("C:/data/náš projekt/.neuroflow/integrations.json")


def program(folder: Path, name: str, words: str, *, code: int = 0) -> None:
    path = folder / name
    path.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "{name}" "$@" >> "{folder}/calls"\ncat << "END"\n{words}\nEND\nexit {code}\n'
    )
    path.chmod(0o755)


@pytest.fixture
def windows(tmp_path: Path) -> Path:
    """A folder with the programs of a Windows of which little else is there."""
    if sys.platform == "win32":
        pytest.skip("this is for systems that have none")
    program(tmp_path, "whoami", f'"desktop\\jana s. nováková","{SID}"')
    program(tmp_path, "icacls", "processed file")
    return tmp_path


def test_a_file_is_taken_from_everybody_but_the_user(windows: Path) -> None:
    assert leave_to_user(FILE, windows)
    calls = (windows / "calls").read_text().splitlines()
    assert calls[:5] == ["whoami", "/user", "/fo", "csv", "/nh"]
    assert calls[5:] == ["icacls", str(FILE), "/inheritance:r", "/grant:r", f"*{SID}:F"]


def test_a_file_system_without_lists_is_no_reason_to_stop(windows: Path) -> None:
    program(windows, "icacls", "", code=5)
    assert not leave_to_user(FILE, windows)
    assert who_may(FILE, windows) == []
    assert not leave_to_user(FILE, windows / "there is no such folder")


def test_nothing_is_granted_to_an_id_that_is_none(windows: Path) -> None:
    program(windows, "whoami", "ERROR: Access is denied.")
    assert not leave_to_user(FILE, windows)
    assert "icacls" not in (windows / "calls").read_text().splitlines()


def test_an_id_is_known_by_its_form_whatever_the_user_is_called() -> None:
    assert sid_in(f'"S-1-desktop\\he said ""hi""","{SID}"') == SID
    assert sid_in('"desktop\\jana","none"') == ""
    assert only_for(SID, Path("a b.json"))[1] == "a b.json"


def test_who_may_read_is_read_from_every_line() -> None:
    answer = (
        f"{FILE} DESKTOP\\jana:(F)\n"
        "                          NT AUTHORITY\\SYSTEM:(I)(F)\n"
        "                          BUILTIN\\Users:(I)(RX)\n"
        "                          Everyone:(I)(OI)(CI)(RX,W)\n\n"
        "Successfully processed 1 files; Failed processing 0 files\n"
    )
    assert grants_in(answer, FILE) == ["DESKTOP\\jana", "NT AUTHORITY\\SYSTEM", "BUILTIN\\Users", "Everyone"]


@pytest.mark.skipif(sys.platform != "win32", reason="only Windows has such lists")
def test_what_is_written_here_is_for_one_user(tmp_path: Path) -> None:
    path = tmp_path / "náš klíč.json"
    write_private(path, b"{}")
    assert len(who_may(path, system_folder())) == 1
    write_private(path, b"{ }")
    assert len(who_may(path, system_folder())) == 1
