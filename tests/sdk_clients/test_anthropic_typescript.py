"""The Anthropic SDK for TypeScript as a client of the proxy."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from neuroflow_proxy.demo.catalog import EINFRA_MODELS
from neuroflow_proxy.demo.provider import DemoProvider
from tests.cache import CACHE, CannotInstall, kept, run_installer
from tests.live import cannot
from tests.serving import proxy_before

pytestmark = pytest.mark.e2e

PACKAGE, VERSION = "@anthropic-ai/sdk", "1.12.0"
PROGRAM = Path(__file__).parent / "programs" / "anthropic_sdk.mjs"
MODEL = "kimi-k2.5"


def node_modules() -> Path:
    """The SDK and what it needs."""

    def install(home: Path) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise CannotInstall("there is no npm on the PATH")
        run_installer([npm, "install", "--prefix", home, "--no-audit", "--no-fund", f"{PACKAGE}@{VERSION}"])

    try:
        return kept(CACHE / "anthropic-typescript" / VERSION, install) / "node_modules"
    except CannotInstall as error:
        cannot(f"{PACKAGE} {VERSION} cannot be installed: {error}")


def test_a_program_on_the_typescript_sdk_gets_what_it_expects(tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(node_modules(), target_is_directory=True)
    program = Path(shutil.copy(PROGRAM, tmp_path))
    node = shutil.which("node") or cannot("there is no node on the PATH")
    provider = DemoProvider()
    with proxy_before(provider, tmp_path) as base_url:
        ran = subprocess.run(
            [node, program, base_url, MODEL],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout)
    assert told["whole"] == told["streamed"] == told["final"]
    assert "Hello there!" in told["whole"]
    assert (told["events"][0], told["events"][-1]) == ("message_start", "message_stop")
    assert (told["call"]["name"], told["call"]["input"], told["stopped"]) == ("add", {"a": 2, "b": 40}, "tool_use")
    assert "the sum is 42" in told["ran"]
    results = [received.body for received in provider.requests if "the sum is 42" in str(received.body)]
    assert [[message["role"] for message in body["messages"]] for body in results] == [
        ["system", "user", "assistant", "tool"]
    ]
    assert told["form"] == {"title": "Which book?", "pages": []}
    assert told["counted"] > 0
    assert set(told["models"]) >= {model.id for model in EINFRA_MODELS}
    assert told["refused"] == ["NotFoundError", 404]
