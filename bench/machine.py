"""On what it was measured: the machine, what else it did meanwhile, and the Pythons."""

import os
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Self

import psutil

from .interpreter import described

LIBRARIES = ("uvicorn", "httpx", "uvloop", "httptools", "msgspec")


@dataclass(frozen=True)
class Moment:
    """How busy the machine is."""

    load: float
    """The system's load of the last minute."""
    wanted_s: float
    """Seconds of CPU that were used or wanted since it was started, of all processors together."""
    stolen_s: float
    """Of these, what a virtual machine's host gave to others; 0 where systems do not tell."""

    @classmethod
    def now(cls) -> Self:
        times = psutil.cpu_times()
        idle_s = times.idle + getattr(times, "iowait", 0.0)
        return cls(os.getloadavg()[0], sum(times) - idle_s, getattr(times, "steal", 0.0))


@dataclass(frozen=True)
class Machine:
    """What a run was made on."""

    python: Path
    """The interpreter of the proxy, and of peers that are written in Python."""
    before: Moment
    after: Moment

    @property
    def stolen(self) -> float:
        """The part of the CPU wanted during the run that the host gave to others."""
        return (self.after.stolen_s - self.before.stolen_s) / max(1e-9, self.after.wanted_s - self.before.wanted_s)

    def told(self) -> dict[str, Any]:
        """All of it, for machines."""
        return {
            "system": platform.platform(),
            "processors": os.cpu_count(),
            "load_before": round(self.before.load, 2),
            "load_after": round(self.after.load, 2),
            "stolen": round(self.stolen, 3),
            "python": {"path": str(self.python), **described(self.python)._asdict()},
            "python_of_load_and_upstream": {"path": sys.executable, **described(Path(sys.executable))._asdict()},
            **{name: metadata.version(name) for name in LIBRARIES},
        }

    def __str__(self) -> str:
        ours, own = described(self.python), described(Path(sys.executable))
        return (
            f"{platform.platform()}, {os.cpu_count()} processors; load {self.before.load:.1f} before, "
            f"{self.after.load:.1f} after; {self.stolen:.0%} of the CPU that was wanted went to other machines.\n"
            f"The proxy runs on Python {ours.version} ({self.python}), which "
            f"{'says' if ours.says_optimised else 'does not say'} that it was built with optimisations: a fixed piece "
            f"of work takes it {ours.work_ms:.0f} ms, and {own.work_ms:.0f} ms the Python of the load and the upstream "
            f"({own.version})."
        )
