"""The log does not grow without end."""

import logging
from pathlib import Path

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


def test_without_a_file_the_log_goes_to_the_standard_error() -> None:
    assert isinstance(run.log_handler(None), logging.StreamHandler)
