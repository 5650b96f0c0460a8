"""LiteLLM itself as the gateway: installed by version into an environment of its own, run on this machine only."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from neuroflow_proxy.demo.provider import DEMO_KEY
from tests.cache import CACHE, one_at_a_time
from tests.live import cannot, free_port, started
from tests.start.outside import outside_environment, uv

VERSION = "1.106.2"
INSTALLED = CACHE / "litellm"
AT_ONCE = 2
START_S = 180.0  # its imports alone are 20 s of work


@cache
def install_litellm() -> Path:
    """The path of the program; installs it the first time. Skips the test where that cannot be, except in CI."""
    if sys.platform == "win32":
        pytest.skip("LiteLLM is not run on Windows")
    home = INSTALLED / f"{VERSION}-python{sys.version_info.major}.{sys.version_info.minor}"
    if not home.exists():
        with one_at_a_time(INSTALLED / f"{home.name}.lock"):
            if not home.exists():
                _install(home)
    return home / "bin" / "litellm"


def _install(home: Path) -> None:
    """Install next to the final place and rename: what has the final name is whole."""
    with tempfile.TemporaryDirectory(dir=INSTALLED) as folder:
        fresh, env = Path(folder) / "install", outside_environment(Path(folder) / "home")
        for command in (
            ["venv", "--relocatable", str(fresh)],
            ["pip", "install", "--python", str(fresh), f"litellm[proxy]=={VERSION}"],
        ):
            ran = subprocess.run([uv(), *command], env=env, capture_output=True, text=True, timeout=600, check=False)
            if ran.returncode:
                cannot(f"LiteLLM {VERSION} cannot be installed:\n{ran.stdout}{ran.stderr}")
        fresh.rename(home)


@contextmanager
def litellm(folder: Path, *, models: Sequence[str], behind: str, key: str) -> Iterator[str]:
    """Start LiteLLM in front of the provider `behind`, which it lets two requests at once. Yields its base URL."""
    program, port = install_litellm(), free_port()
    (folder / "home").mkdir()
    provider = {"api_base": behind, "api_key": DEMO_KEY, "max_parallel_requests": AT_ONCE}
    config = {
        "model_list": [{"model_name": id, "litellm_params": {"model": f"openai/{id}", **provider}} for id in models],
        "general_settings": {"master_key": key},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    environment = {
        "HOME": str(folder / "home"),
        "PATH": "/usr/bin:/bin",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        # Else it answers the Messages API by asking for `/responses`, which those behind it do not have.
        "LITELLM_USE_CHAT_COMPLETIONS_URL_FOR_ANTHROPIC_MESSAGES": "True",
        # Whatever it would fetch or tell: there is nobody.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    command = [
        str(program),
        "--config",
        "config.yaml",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--telemetry",
        "False",
    ]
    log = folder / "litellm.log"
    with started(
        command, cwd=folder, env=environment, port=port, log=log, timeout_s=START_S, health="/health/liveliness"
    ) as base_url:
        yield f"{base_url}/v1"
