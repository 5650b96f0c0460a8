"""A person, or a script, who uses the command line: a home, a project, an environment of their own."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from neuroflow_proxy.demo.catalog import EINFRA_MODELS, DemoModel
from neuroflow_proxy.demo.connection import Receive, Scope, Send
from neuroflow_proxy.demo.provider import DemoProvider
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.setup.command import STARTER
from neuroflow_proxy.setup.files import write_private
from neuroflow_proxy.setup.instance import Instances, Say, Started
from neuroflow_proxy.setup.integrations import save_section
from neuroflow_proxy.setup.platforms import machine_name, state_dir
from neuroflow_proxy.setup.process import Record
from neuroflow_proxy.wire.codec import dumps
from tests.live import free_port

KEY = "sk-test-key-for-nothing-4711"
TOKEN = "the-local-token-of-the-test"
WRONG_KEY = "sk-test-key-of-nobody-0815"
COMMAND = [sys.executable, "-m", "neuroflow_proxy"]
_KEPT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "PATHEXT", "COMSPEC", "PYTHONPATH")


@dataclass(frozen=True)
class Ran:
    """One command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on the standard output."""
        assert self.stdout.count("\n") == 1, self.stdout
        value = json.loads(self.stdout)
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True)
class User:
    """Runs commands without a terminal, as Claude Code's Bash tool and scripts do."""

    home: Path
    project: Path
    provider: DemoProvider
    base_url: str

    @property
    def env(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return kept | {"HOME": str(self.home), "USERPROFILE": str(self.home), STARTER: "configure.py"}

    def run(
        self,
        *arguments: str,
        stdin: str = "",
        cwd: Path | None = None,
        command: Sequence[str] = COMMAND,
        **env: str,
    ) -> Ran:
        finished = subprocess.run(
            [*command, *arguments],
            cwd=cwd or self.project,
            env=self.env | env,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        return Ran(finished.returncode, finished.stdout, finished.stderr)

    def set_up(self, *arguments: str, **env: str) -> Ran:
        """Set up without a question, the key on standard input."""
        return self.run(
            "setup", "--base-url", self.base_url, "--key-stdin", *arguments, "--json", stdin=f"{KEY}\n", **env
        )

    def write_settings(self) -> None:
        """What set-up would write, without a set-up."""
        fields = {"base_url": self.base_url, "api_key": KEY, "model": "kimi-k2.5", "proxy_token": TOKEN}
        save_section(self.file, fields)

    def start(self, *, port: int | None = None, say: Say = print) -> Started:
        """Start the proxy of the project's file from within the test."""
        return self.instances.start(
            self.file, port=port or free_port(), on_port=lambda _: None, secret=KEY, env=self.env, say=say
        )

    def write_record(self, record: Record) -> None:
        write_private(Path(record.log).with_suffix(".json"), dumps(asdict(record)))

    @property
    def file(self) -> Path:
        """The project's integrations file."""
        return self.project / ".neuroflow" / "integrations.json"

    @property
    def section(self) -> dict[str, Any]:
        section = json.loads(self.file.read_text("utf-8"))["custom_llm"]
        assert isinstance(section, dict)
        return section

    @property
    def state(self) -> Path:
        return state_dir(sys.platform, self.env, self.home)

    @property
    def instances(self) -> Instances:
        return Instances(self.state, host=machine_name(sys.platform, socket.gethostname()))

    @property
    def records(self) -> list[Record]:
        return [Record(**json.loads(path.read_text("utf-8"))) for path in self.state.glob("*.json")]


@contextmanager
def without_a_list(user: User, status: int = 404) -> Iterator[str]:
    """The base URL of the user's provider behind something that knows no list of models."""

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/v1/models":
            await user.provider(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"no such thing"})

    with running(front) as base_url:
        yield base_url


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be buried does not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def processes_of(user: User) -> list[int]:
    """Every process that was started as a proxy for the user's file, whether it is recorded or not."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("NEUROFLOW_PROXY_INTEGRATIONS") == str(user.file.resolve()) and is_alive(
                process.pid
            ):
                found.append(process.pid)
    return found


@contextmanager
def somebody(folder: Path, *, models: Sequence[DemoModel] = EINFRA_MODELS) -> Iterator[User]:
    """A user in `folder`, the built-in provider as their service. What they started ends with the test."""
    home, project = folder / "somebody's home", folder / "somebody's home" / "výzkum"
    project.mkdir(parents=True)
    provider = DemoProvider(keys=[KEY], models=models)
    with running(provider) as base_url:
        user = User(home, project, provider, base_url)
        try:
            yield user
        finally:
            for record in user.records:
                user.instances.stop(Path(record.integrations))
