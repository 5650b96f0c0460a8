"""What must not stand in any file of the repository: secrets, places on somebody's machine, unfinished business."""

import re
from pathlib import Path

import pytest

from tests.start.outside import ROOT
from tests.start.repository import repository_files

NOT_SEARCHED = (ROOT / "uv.lock", Path(__file__))

FORBIDDEN = {
    "a key": r"\b(sk|pk|ghp|gho|hf|npm)[-_][A-Za-z0-9]{20,}\b|-----BEGIN [A-Z ]*PRIVATE KEY",
    "a path on somebody's machine": r"(?<![\w.])/(work|root|home/\w+|Users/\w+)/\w",
    "unfinished business": r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b",
    "the mark of a merge": r"(?m)^(<{7}|>{7}) ",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in repository_files()
        if path not in NOT_SEARCHED and (match := pattern.search(path.read_text(encoding="utf-8", errors="replace")))
    ]
    assert found == []
