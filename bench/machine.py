"""On what it was measured: the machine, how busy it was, and the Pythons."""

import os
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from .interpreter import described

LIBRARIES = ("uvicorn", "httpx", "uvloop", "httptools", "msgspec")


@dataclass(frozen=True)
class Machine:
    """What a run was made on. Loads are the system's, of the last minute, before and after."""

    python: Path
    """The interpreter of the proxy and of peers that are written in Python."""
    load_before: float
    load_after: float

    def told(self) -> dict[str, Any]:
        """All of it, for machines."""
        return {
            "system": platform.platform(),
            "processors": os.cpu_count(),
            "load_before": self.load_before,
            "load_after": self.load_after,
            "python": {"path": str(self.python), **described(self.python)._asdict()},
            "python_of_load_and_upstream": {"path": sys.executable, **described(Path(sys.executable))._asdict()},
            **{name: metadata.version(name) for name in LIBRARIES},
        }

    def __str__(self) -> str:
        ours, own = described(self.python), described(Path(sys.executable))
        return (
            f"{platform.platform()}, {os.cpu_count()} processors; load {self.load_before:.1f} before, "
            f"{self.load_after:.1f} after. The proxy runs on Python {ours.version} ({self.python}), which "
            f"{'says' if ours.says_optimised else 'does not say'} that it was built with optimisations: a fixed piece "
            f"of work takes it {ours.work_ms:.0f} ms, and {own.work_ms:.0f} ms the Python of the load and the upstream "
            f"({own.version})."
        )
