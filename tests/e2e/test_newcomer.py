"""A newcomer's ways in, each from an empty home to a finished answer of the real Claude Code on the built-in provider.

How the plugin is installed and set up is in `test_plugin.py`. `-rA` tells how long each way took.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from neuroflow_proxy.demo.provider import DEMO_KEY, DemoProvider
from neuroflow_proxy.demo.run import running
from tests.cache import CACHE, one_at_a_time
from tests.e2e.claude import install_claude, minimal_environment
from tests.live import cannot, free_port, started
from tests.start.outside import ROOT, copy_skill, outside_environment, uv
from tests.start.repository import copy_repository

pytestmark = pytest.mark.e2e

# The last one that runs on Node 18 and 20; later ones want 22.
SKILLS_INSTALLER = "skills@1.5.26"
THREE = ["--with", "fastapi", "--with", "httpx", "--with", "uvicorn"]


class Newcomer:
    """Who has a key, uv and Claude Code, an empty home and an empty project."""

    def __init__(self, folder: Path, base_url: str) -> None:
        self.folder, self.home, self.project = folder, folder / "home", folder / "project"
        self.project.mkdir()
        outside = outside_environment(self.home)
        self.env = minimal_environment(self.home) | outside
        self.env |= {
            "PATH": f"{Path(uv()).parent}{os.pathsep}{outside['PATH']}",
            "OPENAI_BASE_URL": base_url,
            "OPENAI_API_KEY": DEMO_KEY,
        }
        self.undo: list[str] = []

    def run(self, *command: str | Path, cwd: Path | None = None, **env: str) -> str:
        ran = subprocess.run(
            command,
            cwd=cwd or self.project,
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert ran.returncode == 0, f"{shlex.join(map(str, command))}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def sets_up(self, *configure: str | Path) -> None:
        """Set up with that command, connect Claude Code's settings, and be answered in the same project."""
        self.undo = [*map(str, configure), "undo"]
        told = json.loads(self.run(*configure, "setup", "--yes", "--connect", "settings", "--skip-login", "--json"))
        assert told["proof"]["ok"], told
        self.is_answered()

    def is_answered(self, **env: str) -> None:
        """By Claude Code, which is given nothing that it would not have at a terminal of its own."""
        answer = self.run(install_claude(), "-p", "Say hello.", **env)
        assert answer.startswith("You said: Say hello."), answer


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    install_claude()
    with ExitStack() as stack:
        newcomer = Newcomer(tmp_path, stack.enter_context(running(DemoProvider())))
        began = time.monotonic()
        yield newcomer
        print(f"from an empty home to an answer: {time.monotonic() - began:.1f} s")
        if newcomer.undo:
            newcomer.run(*newcomer.undo)


def test_by_a_copy_of_the_skill_alone(newcomer: Newcomer) -> None:
    newcomer.sets_up(uv(), "run", copy_skill(newcomer.folder) / "configure.py")


@pytest.mark.nightly
def test_by_a_wheel_that_is_not_even_installed(newcomer: Newcomer) -> None:
    """As the README has it: `uvx --from WHEEL neuroflow-proxy …`."""
    newcomer.run(uv(), "build", "--quiet", "--out-dir", newcomer.folder / "dist", cwd=ROOT)
    (wheel,) = (newcomer.folder / "dist").glob("*.whl")
    newcomer.sets_up(uv(), "tool", "run", "--from", wheel, "neuroflow-proxy")


def test_by_uvicorn_alone(newcomer: Newcomer) -> None:
    """Two terminals: the proxy in one, and in the other Claude Code with two variables."""
    port = free_port()
    command = [uv(), "run", *THREE, "uvicorn", "proxy:app", "--port", str(port)]
    env = newcomer.env | {"BIG_MODEL": "kimi-k2.5", "SMALL_MODEL": "kimi-k2.5"}
    log = newcomer.folder / "proxy.log"
    with started(command, cwd=copy_skill(newcomer.folder), env=env, port=port, log=log, timeout_s=180) as base_url:
        newcomer.is_answered(ANTHROPIC_BASE_URL=base_url, ANTHROPIC_AUTH_TOKEN="dummy")


@pytest.mark.nightly
def test_by_the_installer_of_skills(newcomer: Newcomer) -> None:
    """It takes the repository as one skill, by the SKILL.md at its root."""
    repository = copy_repository(newcomer.folder / "repository")
    newcomer.run(installer(), "add", repository, "--yes", "--agent", "claude-code", "--copy", DISABLE_TELEMETRY="1")
    installed = newcomer.project / ".claude" / "skills" / "neuroflow-proxy"
    assert (installed / "SKILL.md").read_bytes() == (ROOT / "SKILL.md").read_bytes()
    newcomer.sets_up(uv(), "run", installed / "skills" / "setup" / "scripts" / "einfra" / "configure.py")


def installer() -> Path:
    """The installer of skills, installed once."""
    npm = shutil.which("npm")
    if npm is None or sys.platform == "win32":
        cannot("there is no npm on the PATH")
    home = CACHE / SKILLS_INSTALLER.replace("@", "-")
    binary = home / "node_modules" / ".bin" / "skills"
    with one_at_a_time(CACHE / f"{home.name}.lock"):
        if not binary.exists():
            subprocess.run(
                [npm, "install", "--prefix", home, "--no-audit", "--no-fund", SKILLS_INSTALLER],
                capture_output=True,
                timeout=300,
                check=True,
            )
    return binary
