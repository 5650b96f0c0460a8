"""The whole way that a conversation takes: Claude Code, the proxy as it is started, the built-in provider."""

import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from neuroflow_proxy.demo.provider import DEMO_KEY, DemoProvider
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.server.live_settings import CHECK_INTERVAL_S
from neuroflow_proxy.setup.claude_code import Connection, variables
from neuroflow_proxy.setup.integrations import save_section
from tests.e2e.claude import CURRENT, OLDER, Finished, minimal_environment, run_claude
from tests.live import free_port, process_on, started

MODEL = "kimi-k2.5"
SMALL_MODEL = "mistral-small-4"
TOKEN = "local-token-of-the-test"


@dataclass(frozen=True)
class Proxy:
    """The proxy as a process of its own, with its settings in a file; it can be killed and started again."""

    port: int
    file: Path
    home: Path
    log: Path

    @contextmanager
    def running(self) -> Iterator[None]:
        command = [sys.executable, "-m", "neuroflow_proxy", "serve", "--port", str(self.port)]
        env = minimal_environment(self.home) | {"NEUROFLOW_PROXY_INTEGRATIONS": str(self.file)}
        with started(command, cwd=self.home, env=env, port=self.port, log=self.log):
            yield

    def set(self, fields: Mapping[str, object]) -> None:
        """Change the settings, and wait until the proxy has had to look at them."""
        save_section(self.file, fields)
        time.sleep(CHECK_INTERVAL_S)

    def kill(self) -> None:
        """As if the power had gone: it closes nothing and writes nothing."""
        process_on(self.port).kill()


@dataclass(frozen=True)
class Session:
    """A project folder in which Claude Code is asked things."""

    version: str
    connection: Mapping[str, str]
    provider: DemoProvider
    project: Path
    home: Path
    proxy: Proxy

    def claude(
        self,
        prompt: str,
        *args: str,
        env: Mapping[str, str] | None = None,
        tools: str = "Read,Edit,Write,Bash",
        faults: Collection[int | None] = (),
    ) -> Finished:
        """Ask once. Claude Code must succeed, and the provider must have answered all but the `faults` with 200."""
        options = ["--output-format", "stream-json", "--verbose"] + (["--allowedTools", tools] if tools else [])
        finished = run_claude(
            ["-p", prompt, *options, *args],
            env=env or self.connection,
            cwd=self.project,
            home=self.home,
            version=self.version,
        )
        statuses = [received.status for received in self.provider.requests]
        story = f"{finished.story}\n--- proxy\n{self.proxy.log.read_text('utf-8')}\n--- provider\n{statuses}"
        assert finished.returncode == 0, story
        assert not finished.result["is_error"], story
        assert set(statuses) <= {200, *faults}, story
        return finished

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The Chat Completions bodies that reached the provider."""
        return [received.body for received in self.provider.requests]


VERSIONS = [CURRENT, pytest.param(OLDER, marks=pytest.mark.nightly)]


@pytest.fixture(params=VERSIONS)
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    """Everything as set-up leaves it: the proxy with a token, Claude Code with the variables that set-up prints."""
    with _session(request.param, tmp_path, small_model=MODEL) as held:
        yield held


@pytest.fixture(params=VERSIONS)
def session_of_two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    """The same with another model for small requests."""
    with _session(request.param, tmp_path, small_model=SMALL_MODEL) as held:
        yield held


@contextmanager
def _session(version: str, folder: Path, *, small_model: str) -> Iterator[Session]:
    project, home = folder / "project", folder / "home"
    project.mkdir()
    home.mkdir()
    proxy = Proxy(free_port(), folder / "integrations.json", home, folder / "proxy.log")
    connection = Connection(
        proxy.port, TOKEN, "demo", MODEL, small_model, context_window=262_144, max_output_tokens=None
    )
    provider = DemoProvider()
    with running(provider) as provider_url:
        models = {"model": MODEL, "small_model": small_model}
        save_section(proxy.file, {"base_url": provider_url, "api_key": DEMO_KEY, **models, "proxy_token": TOKEN})
        with proxy.running():
            printed = {variable.name: variable.value for variable in variables(connection, {})}
            yield Session(version, printed, provider, project, home, proxy)
