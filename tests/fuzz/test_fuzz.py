"""Whatever bytes come, nothing breaks: at random from what was seen, and guided by what the code does with them.

In CI half a minute in all, at night more than ten; `NEUROFLOW_TEST_FUZZ_SECONDS` sets another time for each target.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import LONGEST, TARGETS, seeds

ROOT = Path(__file__).parents[2]
SECONDS = 6  # for each target, and as long again to begin
SECONDS_AT_NIGHT = 150

each_target = pytest.mark.parametrize("target", TARGETS)
# Wheels of it are there for CPython on Linux on x86-64.
needs_atheris = pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="no atheris for this platform")


def mutated(target: str) -> st.SearchStrategy[bytes]:
    """Inputs that were seen, with pieces of others and of noise in them."""
    seen = [seed for seed in seeds(target) if len(seed) <= LONGEST // 4]
    piece = st.tuples(st.sampled_from(seen), st.integers(0, 4000), st.integers(0, 60)).map(
        lambda p: p[0][p[1] :][: p[2]]
    )
    edit = st.tuples(st.integers(0, 4000), st.integers(0, 40), st.one_of(st.binary(max_size=8), piece))

    def edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
        for place, gone, new in edits:
            at = place % (len(data) + 1)
            data = data[:at] + new + data[at + gone :]
        return data

    return st.builds(edited, st.sampled_from(seen), st.lists(edit, max_size=5))


@each_target
def test_what_was_seen_breaks_nothing(target: str) -> None:
    for seed in seeds(target):
        TARGETS[target](seed)


@each_target
def test_what_was_seen_and_was_damaged_breaks_nothing(target: str) -> None:
    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
    @given(mutated(target))
    def check(data: bytes) -> None:
        TARGETS[target](data)

    check()


def fuzzed(target: str, folder: Path, seconds: int) -> str:
    """Fuzz in a process of its own, because what guides it is woven into the code; what it had to say."""
    command = [sys.executable, "-m", "tests.fuzz.guided", target, str(seconds), str(folder)]
    path = os.pathsep.join([str(ROOT), str(ROOT / "skills" / "setup" / "scripts" / "einfra")])
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds * 2 + 120,
        check=False,
    )
    found = [path for path in folder.iterdir() if path.is_file()]
    assert not found, f"{found[0].name}: {found[0].read_bytes()[:2000]!r}\n{ended.stderr[-5000:]}"
    assert ended.returncode == 0, ended.stderr[-5000:]
    return ended.stderr


@needs_atheris
@pytest.mark.parametrize("target", [target for target in TARGETS if target != "redaction"])
def test_half_a_minute_of_guided_fuzzing_breaks_nothing(target: str, tmp_path: Path) -> None:
    told = fuzzed(target, tmp_path, int(os.environ.get("NEUROFLOW_TEST_FUZZ_SECONDS", SECONDS)))
    runs = next(line.split()[-1] for line in told.splitlines() if "number_of_executed_units" in line)
    assert int(runs) > 50


@needs_atheris
@pytest.mark.nightly
@each_target
def test_ten_minutes_of_guided_fuzzing_break_nothing(target: str, tmp_path: Path) -> None:
    fuzzed(target, tmp_path, int(os.environ.get("NEUROFLOW_TEST_FUZZ_SECONDS", SECONDS_AT_NIGHT)))
