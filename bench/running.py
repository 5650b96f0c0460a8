"""A subject as a process of its own: how it is started, watched and ended."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from .load import NotServed
from .upstream import HOST

PATIENCE_S = 180.0


@dataclass(frozen=True)
class Plan:
    """How a subject is started. `folder` is its own, and empty."""

    command: Sequence[str | Path]
    files: Mapping[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """A subject: `plan` says how to start it on a port, in a folder, before the upstream's port."""

    name: str
    plan: Callable[[int, int, Path], Plan]


@dataclass(frozen=True)
class Running:
    """A subject that runs. The floor's floor, the upstream reached directly, is one too."""

    name: str
    port: int
    process: psutil.Process

    def _tree(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu_s(self) -> float:
        """Seconds of CPU that the process and its children have used."""
        times = [process.cpu_times() for process in self._tree()]
        return sum(each.user + each.system for each in times)

    def memory_mb(self) -> float:
        """Resident memory of the process and its children."""
        return sum(process.memory_info().rss for process in self._tree()) / 1e6


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the caller's but what a program needs to run on this machine."""
    return {"HOME": str(folder), "PATH": os.environ.get("PATH", ""), "NO_PROXY": HOST, "LANG": "C.UTF-8"}


def spawn(plan: Plan, folder: Path) -> "subprocess.Popen[bytes]":
    for name, text in plan.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    with (folder / "output.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603
            plan.command,
            cwd=folder,
            env=environment(folder) | plan.env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process that `spawn` started, and its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Wait until something listens there. Raises `NotServed`, with what the process printed."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            told = (folder / "output.log").read_text("utf-8", "replace")[-2000:]
            raise NotServed(f"{process.args!r} does not serve:\n{told}")
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.002)


@contextlib.contextmanager
def running(subject: Subject, upstream_port: int, folder: Path) -> Iterator[Running]:
    """Start a subject and end it."""
    folder.mkdir()
    port = free_port()
    process = spawn(subject.plan(port, upstream_port, folder), folder)
    try:
        wait_for_port(port, process, folder)
        yield Running(subject.name, port, psutil.Process(process.pid))
    finally:
        end(process)
