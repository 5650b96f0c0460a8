"""The log does not grow without end."""

import logging
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuroflow_proxy.server import run


def test_the_log_is_turned_over_when_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MAX_LOG_BYTES", 2_000)
    path = tmp_path / "proxy.log"
    handler = run.log_handler(path)
    for number in range(200):
        handler.emit(logging.LogRecord("n", logging.INFO, "p", 1, f"line {number} žluťoučký", None, None))
    handler.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["proxy.log", "proxy.log.1"]
    for file in files:
        *before, _ = file.read_bytes().splitlines(keepends=True)
        assert len(b"".join(before)) < 2_000, "it went on in a full file"
    assert files[1].stat().st_size >= 2_000, "it was turned over before it was full"
    assert path.read_text("utf-8").endswith("line 199 žluťoučký\n")


def test_a_log_that_cannot_be_turned_over_loses_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And tells of none on the standard error, which for a detached proxy is a file without bounds."""
    monkeypatch.setattr(run, "MAX_LOG_BYTES", 200)
    path = tmp_path / "proxy.log"
    path.with_name("proxy.log.1").mkdir()  # neither removed nor replaced
    handler = run.log_handler(path)
    for number in range(50):
        handler.handle(logging.LogRecord("n", logging.INFO, "p", 1, f"line {number}", None, None))
    handler.close()
    assert path.read_text("utf-8").splitlines() == [f"line {number}" for number in range(50)]
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="an open file can be neither removed nor moved there")
@pytest.mark.parametrize("taken", [Path.unlink, lambda path: path.rename(f"{path}.old")], ids=["removed", "moved"])
def test_a_log_that_is_taken_away_is_begun_anew(tmp_path: Path, taken: Callable[[Path], Any]) -> None:
    """Else what people look for is written where nobody can read it, until the next start."""
    path = tmp_path / "proxy.log"
    handler = run.log_handler(path)
    handler.handle(logging.LogRecord("n", logging.INFO, "p", 1, "before", None, None))
    taken(path)
    handler.handle(logging.LogRecord("n", logging.INFO, "p", 1, "after", None, None))
    handler.close()
    assert path.read_text("utf-8") == "after\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a folder with an open file cannot be removed there")
def test_a_log_whose_folder_is_gone_waits_for_it_in_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "state" / "proxy.log"
    path.parent.mkdir()
    handler = run.log_handler(path)
    shutil.rmtree(path.parent)
    for number in range(3):
        handler.handle(logging.LogRecord("n", logging.INFO, "p", 1, f"line {number}", None, None))
    path.parent.mkdir()
    handler.handle(logging.LogRecord("n", logging.INFO, "p", 1, "it is back", None, None))
    handler.close()
    assert path.read_text("utf-8") == "it is back\n"
    assert capsys.readouterr().err == ""


def test_without_a_file_the_log_goes_to_the_standard_error() -> None:
    assert isinstance(run.log_handler(None), logging.StreamHandler)
