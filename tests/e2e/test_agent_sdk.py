"""The Claude Agent SDK for Python as a client: its own tools and hooks, streams, forms, several turns."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import validate

from tests.cache import CACHE, CannotInstall, kept, run_installer
from tests.e2e.claude import CURRENT, install_claude, minimal_environment
from tests.e2e.conftest import MODEL, SMALL_MODEL, Session
from tests.live import cannot
from tests.start.outside import outside_environment, uv

pytestmark = pytest.mark.e2e

PACKAGE, VERSION = "claude-agent-sdk", "0.2.187"
PROGRAM = Path(__file__).parent / "programs" / "agent_sdk.py"
SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "year": {"type": "integer", "minimum": 1900}},
    "required": ["title", "year"],
    "additionalProperties": False,
}


def python_with_the_sdk() -> Path:
    """An interpreter with the SDK and nothing of ours."""

    def install(home: Path) -> None:
        env = outside_environment(home / "home")
        run_installer([uv(), "venv", "--quiet", "--relocatable", home / "venv"], env)
        # Its wheels carry a Claude Code of 360 MB, and there is one here already.
        package = ["--no-binary", PACKAGE, f"{PACKAGE}=={VERSION}"]
        run_installer([uv(), "pip", "install", "--quiet", "--python", home / "venv", *package], env)

    name = f"{VERSION}-python{sys.version_info.major}.{sys.version_info.minor}"
    try:
        return kept(CACHE / PACKAGE / name, install) / "venv" / "bin" / "python"
    except CannotInstall as error:
        cannot(f"{PACKAGE} {VERSION} cannot be installed: {error}")


@pytest.mark.nightly
@pytest.mark.parametrize("session_of_two", [CURRENT], indirect=True)
def test_a_program_on_the_agent_sdk_converses_and_gets_its_form(session_of_two: Session) -> None:
    session = session_of_two
    command = [python_with_the_sdk(), PROGRAM, install_claude(), SMALL_MODEL, json.dumps(SCHEMA)]
    env = minimal_environment(session.home) | dict(session.connection)
    ran = subprocess.run(
        command, cwd=session.project, env=env, capture_output=True, encoding="utf-8", timeout=120, check=False
    )
    assert ran.returncode == 0, f"{ran.stdout}{ran.stderr}\n--- proxy\n{session.proxy.log.read_text('utf-8')}"
    told = json.loads(ran.stdout)
    assert told["hooked"] == ["mcp__calculator__add"]
    assert "the sum is 42" in told["said"]
    assert told["streamed"] == told["said"]
    assert told["model"] == SMALL_MODEL
    assert "Who are you?" in told["said_then"]
    validate(told["form"], SCHEMA)
    # Whether a model is there is asked without tools.
    assert [body["model"] for body in session.bodies if body.get("tools")] == [MODEL, MODEL, SMALL_MODEL, MODEL]
    assert {received.status for received in session.provider.requests} == {200}
