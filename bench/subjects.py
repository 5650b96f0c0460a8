"""What is measured: the upstream itself, the proxy, the floor, and the peers. What may run on any Python takes one."""

import getpass
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .bodies import ASKED_MODEL, TOKEN
from .interpreter import CACHE, ROOT, NotHere, having, locked
from .running import Plan, Subject
from .upstream import HOST, MODEL

EINFRA = Path("skills", "setup", "scripts", "einfra")
AT_ONCE = 512
LITELLM = "1.106.2"
ROUTER = "1.0.73"


# The upstream itself


def _upstream(port: int, upstream_port: int, folder: Path) -> Plan:
    return Plan([sys.executable, "-m", "bench.upstream", str(port)], env={"PYTHONPATH": str(ROOT)})


UPSTREAM = Subject("upstream", _upstream)


# The proxy


def _section(upstream_port: int) -> str:
    section = {"base_url": f"http://{HOST}:{upstream_port}/v1", "api_key": "k", "model": MODEL, "proxy_token": TOKEN}
    return json.dumps({"custom_llm": {**section, "max_concurrent_requests": AT_ONCE, "second_try": False}})


def _proxy(name: str, python: Path, root: Path = ROOT) -> Subject:
    def plan(port: int, upstream_port: int, folder: Path) -> Plan:
        env = {"NEUROFLOW_PROXY_PORT": str(port), "NEUROFLOW_PROXY_INTEGRATIONS": str(folder / "integrations.json")}
        return Plan([python, root / EINFRA / "proxy.py"], {"integrations.json": _section(upstream_port)}, env)

    return Subject(name, plan)


def ours(python: Path) -> Subject:
    """The proxy of this checkout, with what users get."""
    return _proxy("ours", locked(python))


def bare(python: Path) -> Subject:
    """The same with only the packages that it must have."""
    return _proxy("bare", having("bare", python, "fastapi", "httpx", "uvicorn"))


def other_checkout(python: Path, root: Path) -> Subject:
    """The proxy of another checkout, to see what a change has done."""
    return _proxy("other", locked(python), root)


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


FLOOR = Subject("nginx", _nginx)


# The peers


def litellm(python: Path) -> Subject:
    """LiteLLM's proxy."""
    program = having("litellm", python, f"litellm[proxy]=={LITELLM}").with_name("litellm")

    def plan(port: int, upstream_port: int, folder: Path) -> Plan:
        params = {"model": f"openai/{MODEL}", "api_base": f"http://{HOST}:{upstream_port}/v1", "api_key": "k"}
        config = {
            "model_list": [{"model_name": ASKED_MODEL, "litellm_params": params}],
            "general_settings": {"master_key": TOKEN},
            "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        }
        env = {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_LOG": "ERROR",
            # Else it answers the Messages API by asking for `/responses`.
            "LITELLM_USE_CHAT_COMPLETIONS_URL_FOR_ANTHROPIC_MESSAGES": "True",
            "HTTPS_PROXY": f"http://{HOST}:9",
        }
        command: list[str | Path] = [program]
        command += ["--config", "config.yaml", "--host", HOST, "--port", str(port), "--telemetry", "False"]
        return Plan(command, {"config.yaml": json.dumps(config)}, env)  # JSON is YAML

    return Subject("litellm", plan)


def router(_: Path) -> Subject:
    """claude-code-router, which runs on Node.js."""
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

    def plan(port: int, upstream_port: int, folder: Path) -> Plan:
        provider = {
            "name": "bench",
            "api_base_url": f"http://{HOST}:{upstream_port}/v1/chat/completions",
            "api_key": "k",
            "models": [MODEL],
        }
        config = {
            "HOST": HOST,
            "PORT": port,
            "APIKEY": TOKEN,
            "LOG": False,
            "Providers": [provider],
            "Router": {"default": f"bench,{MODEL}"},
        }
        return Plan([program, "start"], {".claude-code-router/config.json": json.dumps(config)})

    return Subject("router", plan)


def original(python: Path, path: Path) -> Subject:
    """The single-file proxy with which this project began, run as its own guide says."""
    home = having("accelerated", python, "fastapi", "httpx", "uvicorn", "uvloop", "httptools")

    def plan(port: int, upstream_port: int, folder: Path) -> Plan:
        env = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"http://{HOST}:{upstream_port}/v1"}
        models = {"BIG_MODEL": MODEL, "SMALL_MODEL": MODEL}
        served = ("proxy:app", "--host", HOST, "--port", str(port), "--log-level", "error")
        return Plan([home, "-m", "uvicorn", *served], {"proxy.py": path.read_text("utf-8")}, env | models)

    return Subject("original", plan)


PEERS: dict[str, Callable[[Path], Subject]] = {"litellm": litellm, "router": router}
