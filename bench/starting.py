"""What happens before the first request: how long a subject takes to its first answer, and set-up's own times.

All of it includes the interpreter's own start and all imports, with the bytecode that earlier runs have left: so it is
for people from the second time on.
"""

import asyncio
import subprocess
import time
from pathlib import Path

import psutil

from .interpreter import ROOT, locked
from .load import NotServed, connections
from .measures import SMALL, Figures
from .running import PATIENCE_S, Running, Subject, end, environment, free_port, spawn, wait_for_port
from .subjects import EINFRA
from .upstream import HOST, MODEL


async def start(subject: Subject, upstream_port: int, folder: Path) -> Figures:
    """Seconds from the spawn to the end of the first answer, and those of CPU. Raises `NotServed`."""
    folder.mkdir()  # noqa: ASYNC240
    port = free_port()
    plan = subject.plan(port, upstream_port, folder)
    began = time.perf_counter()
    process = spawn(plan, folder)
    try:
        wait_for_port(port, process, folder)
        while True:
            try:
                async with connections(port, 1) as (connection,):
                    await connection.ask(SMALL)
                took_s = time.perf_counter() - began
                return {"start": took_s, "cpu_start": Running(subject.name, port, psutil.Process(process.pid)).cpu_s()}
            except (NotServed, OSError):  # some listen before they serve
                if time.perf_counter() > began + PATIENCE_S:
                    raise
            await asyncio.sleep(0.01)
    finally:
        end(process)


def set_up(python: Path, upstream_port: int, folder: Path) -> Figures:
    """Seconds that the verbs take which people wait for; set-up starts a proxy and waits until it is healthy."""
    folder.mkdir()
    verbs = {
        "help": ["--help"],
        "status": ["status", "--json"],
        "setup": [
            *("setup", "--base-url", f"http://{HOST}:{upstream_port}/v1", "--key-env", "BENCH_KEY", "--model", MODEL),
            *("--port", str(free_port()), "--yes", "--no-proof", "--json"),
        ],
        "stop": ["stop", "--json"],
    }
    env = environment(folder) | {"BENCH_KEY": "k", "SHELL": "/bin/bash"}
    figures: Figures = {}
    for verb, arguments in verbs.items():
        began = time.perf_counter()
        subprocess.run(  # noqa: S603
            [locked(python), ROOT / EINFRA / "configure.py", *arguments],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
        figures[f"verb_{verb}"] = time.perf_counter() - began
    return figures
