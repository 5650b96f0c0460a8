"""What a person does who follows the README: the scripts are run from a folder of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.start.test_bootstrap import SCRIPTS, load_bootstrap


def test_what_is_installed_is_the_checkouts_wherever_the_person_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uv takes the project of the folder that it runs in, and a Python with -m the modules there."""
    bootstrap = load_bootstrap()
    checkout, own = tmp_path / "checkout", tmp_path / "own"
    checkout.mkdir()
    own.mkdir()
    monkeypatch.setattr(bootstrap, "ROOT", checkout)
    monkeypatch.chdir(own)
    bootstrap._run([sys.executable, "-c", "open('here', 'w').close()"])
    assert (checkout / "here").exists()
    assert not (own / "here").exists()


@pytest.mark.parametrize("script", ["setup", "demo"])
def test_modules_of_the_persons_own_are_not_run(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap = load_bootstrap()
    handed: list[list[str]] = []
    monkeypatch.setitem(sys.modules, "bootstrap", bootstrap)
    monkeypatch.setattr(bootstrap, "hand_over", handed.append)
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    exec(compile((SCRIPTS / script).read_text("utf-8"), script, "exec"), {"__name__": "__main__"})
    (arguments,) = handed
    for name in ("queue", "token", "neuroflow_proxy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('one of the person’s own modules was run')", "utf-8")
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith("usage")
