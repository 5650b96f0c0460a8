"""Which process a detached proxy is, as a record of it says and as is proved, and how it is ended.

A process is ours if its start time and the instance id on its command line say so.
"""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InstanceError

if TYPE_CHECKING:
    import psutil

STOP_TIMEOUT_S = 10.0
_POLL_S = 0.05
# System clocks are set while processes run, and some systems reckon a process's start time from the clock.
_CREATE_TIME_TOLERANCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Record:
    """What is written down of a proxy. `pid` and `create_time` are None until the process is there."""

    instance_id: str
    host: str
    port: int
    log: str
    integrations: str
    pid: int | None = None
    create_time: float | None = None
    since_boot_s: float | None = None
    """How long after the start of the machine. Where the system reckons one from the clock, the other stays."""
    mark: str | None = None
    """What the file is known by where its folder was moved: a digest of the token in it."""

    @property
    def file(self) -> Path:
        """Where it was written down first."""
        return Path(self.log).with_suffix(".json")


def process_of(record: Record) -> "psutil.Process | None":
    """The process of a record, if it is proved to be that. Without a pid, the instance id finds it."""
    import psutil

    for pid in psutil.pids() if record.pid is None else [record.pid]:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if _is_as_old(process, record) and record.instance_id in process.cmdline():
                return process
    return None


def _is_as_old(process: "psutil.Process", record: Record) -> bool:
    import psutil

    began = process.create_time()
    times = ((record.create_time, began), (record.since_boot_s, began - psutil.boot_time()))
    known = [abs(now - then) < _CREATE_TIME_TOLERANCE_S for then, now in times if then is not None]
    return any(known) or not known


def end(process: "psutil.Process") -> None:
    """Ask the process to end, and after a while make it."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
        if not _is_gone_within(STOP_TIMEOUT_S, process):
            process.kill()
            if not _is_gone_within(STOP_TIMEOUT_S, process):
                raise InstanceError(f"The proxy (pid {process.pid}) cannot be ended.", hint="End it yourself.")


def _is_gone_within(timeout_s: float, process: "psutil.Process") -> bool:
    """Polls, because nobody but its parent may wait for a process, and a zombie is gone enough."""
    import psutil

    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(_POLL_S)
    return False
