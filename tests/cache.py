"""Other people's programs that the tests install for themselves: once, into a folder of the checkout."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

CACHE = Path(os.environ.get("NEUROFLOW_TEST_CACHE") or Path(__file__).parents[1] / ".cache")


@contextlib.contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Hold a lock that the system takes back if its holder dies: pytest's workers are processes."""
    import fcntl

    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class CannotInstall(Exception):
    """Something is not to be had here; the message says why."""


def kept(home: Path, install: Callable[[Path], None]) -> Path:
    """The folder `home`, filled by `install` the first time. Raises what that raises.

    It is filled next to its place and renamed: what has the final name is whole.
    """
    if not home.exists():
        with one_at_a_time(home.with_name(f"{home.name}.lock")):
            if not home.exists():
                with tempfile.TemporaryDirectory(dir=home.parent, prefix=f"{home.name}-") as folder:
                    fresh = Path(folder) / "install"
                    fresh.mkdir()
                    install(fresh)
                    fresh.rename(home)
    return home


def run_installer(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str:
    """Run one step of an installation. Returns what it printed; raises `CannotInstall`."""
    try:
        ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=400, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotInstall(str(error)) from error
    if ran.returncode:
        raise CannotInstall(f"{command[0]} ended with {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran.stdout
