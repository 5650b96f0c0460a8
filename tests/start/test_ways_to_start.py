"""Each way in which the proxy is started, outside the repository, up to one answered request."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import pytest

from neuroflow_proxy.demo.provider import DEMO_KEY, DemoProvider
from neuroflow_proxy.demo.run import running
from tests.live import call, free_port, started
from tests.start.outside import ROOT, copy_skill, outside_environment, snapshot, uv

THREE = ["--with", "fastapi", "--with", "httpx", "--with", "uvicorn"]
TOKEN = "local-token-of-the-test"
QUESTION = {"model": "claude-sonnet-5-5", "max_tokens": 256, "messages": [{"role": "user", "content": "Say hello."}]}


class Place(NamedTuple):
    """Where one test starts its proxy: outside the repository, with the built-in provider as the service."""

    folder: Path
    env: dict[str, str]
    port: int

    def start(self, command: Sequence[str], cwd: Path, **settings: str) -> AbstractContextManager[str]:
        # A cold cache has to be filled over the network first.
        log, env = self.folder / "proxy.log", self.env | settings
        return started(command, cwd=cwd, env=env, port=self.port, log=log, timeout_s=180)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with running(DemoProvider()) as base_url:
        env = outside_environment(
            tmp_path / "home",
            OPENAI_API_KEY=DEMO_KEY,
            OPENAI_BASE_URL=base_url,
            BIG_MODEL="kimi-k2.5",
            SMALL_MODEL="kimi-k2.5",
        )
        yield Place(tmp_path, env, free_port())


def assert_answers(base_url: str, token: str | None = None) -> None:
    status, message = call(f"{base_url}/v1/messages?beta=true", QUESTION, token=token)
    assert status == 200, message
    assert message["type"] == "message"
    assert message["content"][-1]["text"]
    assert message["model"] == "claude-sonnet-5-5"
    assert message["usage"]["output_tokens"] > 0


def test_uvicorn_starts_it_with_three_libraries_alone(place: Place) -> None:
    einfra = copy_skill(place.folder)
    before = snapshot(place.folder / "copied skill")
    look = "from importlib.util import find_spec as f; print([n for n in ('msgspec', 'psutil', 'questionary') if f(n)])"
    others = subprocess.run(
        [uv(), "run", *THREE, "python", "-c", look],
        cwd=einfra,
        env=place.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert others.stdout.strip() == "[]", "more than the three are installed here, so this would show nothing"
    with place.start([uv(), "run", *THREE, "uvicorn", "proxy:app", "--port", str(place.port)], einfra) as base_url:
        assert_answers(base_url)
    assert snapshot(place.folder / "copied skill") == before


def test_the_script_starts_it_from_any_folder(place: Place) -> None:
    script = copy_skill(place.folder) / "proxy.py"
    elsewhere = place.folder / "elsewhere"
    elsewhere.mkdir()
    with place.start([uv(), "run", str(script)], elsewhere, NEUROFLOW_PROXY_PORT=str(place.port)) as base_url:
        assert_answers(base_url)


def test_the_installed_package_starts_it(place: Place) -> None:
    def run(*arguments: str | Path) -> None:
        result = subprocess.run(
            [uv(), *arguments], cwd=ROOT, env=place.env, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr

    run("build", "--wheel", "--quiet", "--out-dir", place.folder / "dist")
    run("venv", "--quiet", place.folder / "venv")
    (wheel,) = (place.folder / "dist").glob("*.whl")
    python = place.folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run("pip", "install", "--quiet", "--python", python, wheel)
    command = [str(python), "-m", "neuroflow_proxy", "serve", "--port", str(place.port)]
    with place.start(command, place.folder) as base_url:
        assert_answers(base_url)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits to take away")
def test_it_runs_from_a_folder_that_it_cannot_write_to(place: Place) -> None:
    einfra = copy_skill(place.folder)
    copied = place.folder / "copied skill"
    before = snapshot(copied)
    folders = [copied, *(path for path in copied.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        refused = subprocess.run([*bound_by_permissions(), "touch", einfra / "new"], capture_output=True, check=False)
        assert refused.returncode != 0, "the folder is not read-only, so this would show nothing"
        command = [*bound_by_permissions(), uv(), "run", *THREE, "uvicorn", "proxy:app", "--port", str(place.port)]
        with place.start(command, einfra) as base_url:
            assert_answers(base_url)
        assert snapshot(copied) == before
    finally:
        for folder in folders:
            folder.chmod(0o755)


def bound_by_permissions() -> list[str]:
    """What to put before a command so that permission bits count: root may write anywhere unless told otherwise."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("as root, only setpriv can make a folder read-only")
    return [setpriv, "--bounding-set=-dac_override", "--inh-caps=-dac_override"]


def test_a_token_of_the_environment_is_required_of_the_client(place: Place) -> None:
    command = [uv(), "run", str(copy_skill(place.folder) / "proxy.py"), "--port", str(place.port)]
    with place.start(command, place.folder, NEUROFLOW_PROXY_TOKEN=TOKEN) as base_url:
        for wrong in (None, "", f"{TOKEN}x"):
            status, refusal = call(f"{base_url}/v1/messages", QUESTION, token=wrong)
            assert status == 401
            assert refusal["error"]["type"] == "authentication_error"
        assert_answers(base_url, TOKEN)
