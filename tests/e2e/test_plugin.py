"""The plugin in the real Claude Code: `/neuroflow:setup` and its arguments, by a model that follows the skill's text.

Nothing is allowed beforehand, so whatever runs without a question is what the skill itself may run.
"""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from neuroflow_proxy.demo.provider import DEMO_KEY
from neuroflow_proxy.settings import parse_section
from neuroflow_proxy.setup.health import ask_health
from neuroflow_proxy.setup.instance import Instances
from neuroflow_proxy.setup.platforms import machine_name, state_dir
from tests.e2e.claude import CURRENT, Finished, install_claude, minimal_environment, run_claude
from tests.e2e.conftest import MODEL, Session
from tests.e2e.follower import follow
from tests.e2e.tui import at_a_terminal, say
from tests.live import free_port
from tests.serving import wait_until
from tests.setup.terminal import ENTER
from tests.start.outside import ROOT, outside_environment, uv
from tests.start.repository import publish

pytestmark = pytest.mark.e2e

# The older one has the same plugins, and each of these tests takes many seconds.
only_current = pytest.mark.parametrize("session", [CURRENT], indirect=True)
OTHERS = {"semantic_scholar": {"api_key": "theirs"}, "flowie": {"repository": "somebody/flowie", "synced": True}}


class Somebody:
    """Who has a neuroflow project, Claude Code, and a provider's key in a variable."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.file = session.project / ".neuroflow" / "integrations.json"
        self.provider_url = json.loads(session.proxy.file.read_text("utf-8"))["custom_llm"]["base_url"]
        outside = outside_environment(session.home)
        service = {"OPENAI_BASE_URL": self.provider_url, "OPENAI_API_KEY": DEMO_KEY}
        path = {"PATH": f"{Path(uv()).parent}{os.pathsep}{outside['PATH']}"}
        self.env = minimal_environment(session.home) | outside | service | path
        session.provider.script = follow

    def asks(self, prompt: str, *args: str, **env: str) -> Finished:
        """Ask in a session that goes through the test's own proxy."""
        connection = dict(self.session.connection)
        return self.session.claude(prompt, *args, env=self.env | connection | env, tools="")

    def told(self, prompt: str, *args: str, **env: str) -> dict[str, Any]:
        """The JSON that the last command has printed, which is also what the follower says."""
        finished = self.asks(prompt, *args, **env)
        refused = [result for result in finished.blocks("tool_result") if result.get("is_error")]
        assert not refused, finished.story
        told = json.loads(finished.text)
        assert isinstance(told, dict)
        return told

    def runs(self, *arguments: str) -> dict[str, Any]:
        """A verb of the command line, and what it told."""
        ran = subprocess.run(
            [sys.executable, "-m", "neuroflow_proxy", *arguments, "--json"],
            cwd=self.session.project,
            env=self.env | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        told = json.loads(ran.stdout)
        assert isinstance(told, dict)
        return told

    @property
    def section(self) -> dict[str, Any]:
        section = json.loads(self.file.read_text("utf-8"))["custom_llm"]
        assert isinstance(section, dict)
        return section

    def stop(self) -> None:
        state = state_dir(sys.platform, self.env, self.session.home)
        Instances(state, host=machine_name(sys.platform, socket.gethostname())).stop(self.file)


@pytest.fixture
def somebody(session: Session) -> Iterator[Somebody]:
    somebody = Somebody(session)
    somebody.file.parent.mkdir()
    somebody.file.write_text(json.dumps(OTHERS, indent=2), "utf-8")
    yield somebody
    somebody.stop()


PLUGIN_DIR = ("--plugin-dir", str(ROOT))


@only_current
def test_installed_from_a_marketplace_the_command_sets_up_to_the_end(somebody: Somebody, tmp_path: Path) -> None:
    """From a marketplace made of this repository to an answer through the proxy that the skill has started."""
    repository = publish(tmp_path / "hub", somebody.session.home)
    claude_plugin(somebody, "install", "neuroflow", "--marketplace", repository)
    installed = somebody.session.home / ".claude" / "plugins" / "cache" / "neuroflow" / "neuroflow"
    told = somebody.told("/neuroflow:setup")
    (asked, *_) = somebody.session.bodies
    assert str(installed) in json.dumps(asked["messages"]), "it was not the installed copy that was read"
    assert (told["verb"], told["ok"], told["running"], told["model"]) == ("setup", True, True, MODEL)
    assert told["proof"]["ok"], told

    written = json.loads(somebody.file.read_text("utf-8"))
    section = written.pop("custom_llm")
    assert written == OTHERS
    assert {name: section[name] for name in ("base_url", "api_key", "model", "proxy_mode", "proxy_port")} == {
        "base_url": somebody.provider_url,
        "api_key": DEMO_KEY,
        "model": MODEL,
        "proxy_mode": "custom",
        "proxy_port": told["port"],
    }
    parse_section(section)

    finished = answered_by(told["connect"], somebody)
    assert finished.text.startswith("You said: Say hello."), finished.story
    assert "x-api-key" not in str(finished.events)


@only_current
@pytest.mark.nightly
def test_each_argument_of_the_command_does_what_it_says(somebody: Somebody) -> None:
    told = somebody.told("/neuroflow:setup status", *PLUGIN_DIR)
    assert (told["verb"], told["configured"], told["running"]) == ("status", False, False)

    port = somebody.told("/neuroflow:setup", *PLUGIN_DIR)["port"]
    told = somebody.told("/neuroflow:setup model qwen3.5-122b", *PLUGIN_DIR)
    assert (told["verb"], told["model"], told["active"]) == ("use", "qwen3.5-122b", True)
    health = ask_health(port)
    assert health is not None
    assert health.model == somebody.section["model"] == "qwen3.5-122b"

    told = somebody.told("/neuroflow:setup status", *PLUGIN_DIR)
    assert (told["model"], told["running"], told["port"]) == ("qwen3.5-122b", True, port)

    told = somebody.told("/neuroflow:setup stop", *PLUGIN_DIR)
    assert (told["verb"], told["stopped"], ask_health(port)) == ("stop", True, None)

    told = somebody.told("/neuroflow:setup undo", *PLUGIN_DIR)
    assert (told["verb"], told["undone"]) == ("undo", True)
    assert json.loads(somebody.file.read_text("utf-8")) == OTHERS


@only_current
def test_the_doctor_of_the_command_names_what_is_wrong_and_what_mends_it(somebody: Somebody) -> None:
    """Its command ends with a status that is not 0, which is no reason for the skill to stop there."""
    finished = somebody.asks("/neuroflow:setup doctor", *PLUGIN_DIR)
    (result,) = finished.blocks("tool_result")
    assert '"verb":"doctor"' in result["content"], finished.story
    assert "setup" in json.loads(finished.text)["checks"][0]["hint"]


@only_current
def test_without_a_key_the_person_gets_the_line_to_run_and_nothing_is_written(somebody: Somebody) -> None:
    finished = somebody.asks("/neuroflow:setup", *PLUGIN_DIR, OPENAI_API_KEY="")
    line = finished.text.rpartition(": ")[2]
    assert re.fullmatch(r'uv run "[^"$]+/skills/setup/scripts/einfra/configure\.py" setup', line), finished.story
    assert json.loads(somebody.file.read_text("utf-8")) == OTHERS


@only_current
def test_at_a_terminal_the_person_chooses_the_model_and_sees_what_came_of_it(somebody: Somebody) -> None:
    env = somebody.env | dict(somebody.session.connection)
    with at_a_terminal(somebody.session, *PLUGIN_DIR, env=env) as terminal:
        say(terminal, "/neuroflow:setup")
        terminal.see("Which model?")
        terminal.see("kimi-k2.5")
        terminal.type(ENTER)
        terminal.see('"running": true')
    assert somebody.section["model"] == MODEL
    assert ask_health(somebody.section["proxy_port"]) is not None


@only_current
@pytest.mark.parametrize("start_proxy", [True, pytest.param(False, marks=pytest.mark.nightly)])
def test_a_session_starts_the_proxy_that_does_not_run_unless_that_is_turned_off(
    start_proxy: bool, somebody: Somebody, tmp_path: Path
) -> None:
    """As after the machine was started anew: settings are there, Claude Code is connected, and nobody listens."""
    repository = publish(tmp_path / "hub", somebody.session.home)
    claude_plugin(somebody, "install", "neuroflow", "--marketplace", repository)
    if not start_proxy:
        claude_plugin(somebody, "configure", "neuroflow@neuroflow", "--values-stdin", told='{"start_proxy": "false"}')
    told = somebody.runs("setup", "--yes", "--no-proof", "--port", str(free_port()))
    psutil.Process(told["pid"]).kill()
    wait_until(lambda: ask_health(told["port"]) is None, "it is gone")
    env = somebody.env | {"CLAUDE_CODE_MAX_RETRIES": "10" if start_proxy else "0"}
    finished = answered_by(told["connect"], somebody, **env)
    assert finished.result["is_error"] is not start_proxy, finished.story
    status = somebody.runs("status")
    assert (status["running"], status["port"]) == (start_proxy, told["port"])


@only_current
def test_the_status_line_shows_at_a_terminal_what_the_proxy_knows(somebody: Somebody) -> None:
    settings = somebody.session.project / ".claude" / "settings.local.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps(somebody.runs("statusline")["settings"]), "utf-8")
    with at_a_terminal(somebody.session, env=somebody.env | dict(somebody.session.connection)) as terminal:
        say(terminal, "Say hello.")
        terminal.see("You said: Say hello.")
        terminal.see(f"{MODEL} \N{MIDDLE DOT} ready \N{MIDDLE DOT} window ")
        terminal.see(" \N{MIDDLE DOT} since the start ")


def claude_plugin(somebody: Somebody, *arguments: str, told: str = "") -> None:
    ran = subprocess.run(
        [install_claude(), "plugin", *arguments],
        cwd=somebody.session.project,
        env=somebody.env,
        input=told,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def answered_by(connect: list[str], somebody: Somebody, **env: str) -> Finished:
    """`claude -p` in a shell into which the printed lines were pasted."""
    return run_claude(
        ["-p", "Say hello.", "--output-format", "stream-json", "--verbose"],
        env={**env, **exported(connect)},
        cwd=somebody.session.project,
        home=somebody.session.home,
    )


def exported(lines: list[str]) -> Mapping[str, str]:
    words = [shlex.split(line.partition("#")[0]) for line in lines]
    assert all(word[0] == "export" for word in words)
    return dict(assignment.split("=", 1) for _, assignment in words)
