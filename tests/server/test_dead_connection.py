"""A connection that leads nowhere, with nobody to tell that it does."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HAS_NAMESPACES = sys.platform == "linux" and os.geteuid() == 0 and shutil.which("unshare") and shutil.which("ip")


@pytest.mark.nightly
@pytest.mark.skipif(not HAS_NAMESPACES, reason="it takes root and Linux to pull out a cable")
def test_after_a_change_of_network_the_next_turn_is_answered_within_two_minutes() -> None:
    """And not when Claude Code has given up on ten minutes of pings."""
    command = ["unshare", "--net", sys.executable, "-m", "tests.server.another_network"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["seconds"] < 120
