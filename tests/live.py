"""Servers as processes of their own, as people start them: waited for, asked, and ended with all their children."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest


def cannot(reason: str) -> NoReturn:
    """Skip what this machine has no means for. In CI that is a failure, or green would mean nothing."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def started(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: dict[str, str],
    port: int,
    log: Path,
    timeout_s: float = 30,
    health: str = "/healthz",
) -> Iterator[str]:
    """Start a server and wait until `health` answers. Yields its base URL; ends it and all its children afterwards."""
    base_url = f"http://127.0.0.1:{port}"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            deadline = time.monotonic() + timeout_s
            while True:
                told = log.read_text(encoding="utf-8", errors="replace")
                assert process.poll() is None, f"it ended with {process.returncode}:\n{told}"
                assert time.monotonic() < deadline, f"not healthy after {timeout_s} s:\n{told}"
                with contextlib.suppress(OSError):
                    status, _ = call(base_url + health)
                    if status == 200:
                        break
                time.sleep(0.05)
            yield base_url
        finally:
            _end(process)


def printed_by(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """What a program prints that nobody types anything to, and that is to end well."""
    finished = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def process_on(port: int) -> psutil.Process:
    """The process that `started` has started on that port, if it lives."""
    alive = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    (process,) = [child for child in alive if str(port) in child.cmdline()]
    return process


def call(url: str, body: object = None, *, token: str | None = None) -> tuple[int, Any]:
    """GET, or POST with a JSON body. Returns the status and the parsed answer."""
    headers = {"content-type": "application/json", "anthropic-version": "2023-06-01"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    # Not through any proxy of the environment: this is loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, data, headers), timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if os.name == "nt":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
