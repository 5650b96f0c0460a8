"""What is measured: the proxy, the floor, and the peers. Each runs in a process of its own, before the upstream."""

import contextlib
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from .bodies import ASKED_MODEL, TOKEN
from .upstream import HOST, MODEL

ROOT = Path(__file__).resolve().parents[1]
EINFRA = Path("skills", "setup", "scripts", "einfra")
CACHE = ROOT / ".cache"
PATIENCE_S = 180.0
AT_ONCE = 512


class NotHere(Exception):
    """A subject is not installed; the message says how it can be."""


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
    deadline = time.monotonic() + PATIENCE_S
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            told = (folder / "output.log").read_text("utf-8", "replace")[-2000:]
            raise RuntimeError(f"{process.args!r} does not serve:\n{told}")
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


# The upstream itself


def _upstream(port: int, upstream_port: int, folder: Path) -> Plan:
    return Plan([sys.executable, "-m", "bench.upstream", str(port)], env={"PYTHONPATH": str(ROOT)})


UPSTREAM = Subject("upstream", _upstream)


# The proxy


def _section(upstream_port: int) -> str:
    section = {"base_url": f"http://{HOST}:{upstream_port}/v1", "api_key": "k", "model": MODEL, "proxy_token": TOKEN}
    return json.dumps({"custom_llm": {**section, "max_concurrent_requests": AT_ONCE, "second_try": False}})


def _proxy(python: Path | str, root: Path = ROOT) -> Callable[[int, int, Path], Plan]:
    def plan(port: int, upstream_port: int, folder: Path) -> Plan:
        env = {"NEUROFLOW_PROXY_PORT": str(port), "NEUROFLOW_PROXY_INTEGRATIONS": str(folder / "integrations.json")}
        return Plan([python, root / EINFRA / "proxy.py"], {"integrations.json": _section(upstream_port)}, env)

    return plan


def other_checkout(root: Path) -> Subject:
    """The proxy of another checkout, to see what a change has done."""
    return Subject("other", _proxy(sys.executable, root))


def _uv() -> str:
    own = CACHE / "tools" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if found is None:
        raise NotHere("there is no uv: run `python3 scripts/check` once")
    return found


def _environment_with(name: str, *packages: str) -> Path:
    """The Python of an environment of its own with these packages; made when it is first asked for."""
    home = CACHE / "bench" / name
    python = home / "bin" / "python"
    if not python.exists():
        for command in (
            ["venv", "--quiet", "--clear", "--python", sys.executable, str(home)],
            ["pip", "install", "--quiet", "--python", str(python), *packages],
        ):
            subprocess.run([_uv(), *command], check=True)  # noqa: S603
    return python


def _bare_proxy(port: int, upstream_port: int, folder: Path) -> Plan:
    return _proxy(_environment_with("bare", "fastapi", "httpx", "uvicorn"))(port, upstream_port, folder)


# The floor


NGINX = """
daemon off; worker_processes 1; {user} pid nginx.pid; error_log error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_max_body_size 64m; keepalive_requests 10000000;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  upstream provider {{ server {host}:{upstream}; keepalive 256; keepalive_requests 10000000; }}
  server {{
    listen {host}:{port} backlog=1024;
    location / {{
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""


def _nginx(port: int, upstream_port: int, folder: Path) -> Plan:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise NotHere("nginx is not installed: apt-get install --no-install-recommends nginx-light")
    # As root it would give its worker away to a user who may not write here.
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    text = NGINX.format(host=HOST, port=port, upstream=upstream_port, user=user)
    return Plan([program, "-p", folder, "-c", "nginx.conf"], {"nginx.conf": text})


# The peers


def _litellm(port: int, upstream_port: int, folder: Path) -> Plan:
    python = _environment_with("litellm", f"litellm[proxy]=={LITELLM}")
    params = {"model": f"openai/{MODEL}", "api_base": f"http://{HOST}:{upstream_port}/v1", "api_key": "k"}
    config = {
        "model_list": [{"model_name": ASKED_MODEL, "litellm_params": params}],
        "general_settings": {"master_key": TOKEN},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "HTTPS_PROXY": f"http://{HOST}:9"}
    command = [str(python.with_name("litellm")), "--config", "config.yaml", "--host", HOST, "--port", str(port)]
    return Plan(command, {"config.yaml": json.dumps(config)}, env)  # JSON is YAML


def _router(port: int, upstream_port: int, folder: Path) -> Plan:
    home = CACHE / "bench" / f"claude-code-router-{ROUTER}"
    program = home / "node_modules" / ".bin" / "ccr"
    if not program.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise NotHere("there is no npm to install claude-code-router with")
        home.mkdir(parents=True, exist_ok=True)
        package = f"@musistudio/claude-code-router@{ROUTER}"
        command: list[str | Path] = [npm, "install", "--silent", "--no-fund", "--no-audit", "--prefix", home, package]
        subprocess.run(command, check=True)  # noqa: S603
    config = {
        "HOST": HOST,
        "PORT": port,
        "APIKEY": TOKEN,
        "LOG": False,
        "Providers": [
            {
                "name": "bench",
                "api_base_url": f"http://{HOST}:{upstream_port}/v1/chat/completions",
                "api_key": "k",
                "models": [MODEL],
            }
        ],
        "Router": {"default": f"bench,{MODEL}"},
    }
    return Plan([str(program), "start"], {".claude-code-router/config.json": json.dumps(config)})


def original(path: Path) -> Subject:
    """The single-file proxy with which this project began, run as its own guide says."""

    def plan(port: int, upstream_port: int, folder: Path) -> Plan:
        python = _environment_with("accelerated", "fastapi", "httpx", "uvicorn", "uvloop", "httptools")
        env = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"http://{HOST}:{upstream_port}/v1"}
        models = {"BIG_MODEL": MODEL, "SMALL_MODEL": MODEL}
        command = [
            str(python),
            "-m",
            "uvicorn",
            "proxy:app",
            "--host",
            HOST,
            "--port",
            str(port),
            "--log-level",
            "error",
        ]
        return Plan(command, {"proxy.py": path.read_text("utf-8")}, env | models)

    return Subject("original", plan)


LITELLM = "1.106.2"
ROUTER = "1.0.73"
OURS, BARE, FLOOR = Subject("ours", _proxy(sys.executable)), Subject("bare", _bare_proxy), Subject("nginx", _nginx)
PEERS = {"litellm": Subject("litellm", _litellm), "router": Subject("router", _router)}
