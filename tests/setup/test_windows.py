"""How long a model's window is: what the provider says of it is what Claude Code is told, and what requests keep to."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neuroflow_proxy.demo.catalog import DemoModel
from neuroflow_proxy.settings import parse_section
from tests.live import call
from tests.setup.user import TOKEN, User, somebody

SHORT = DemoModel("Qwen/Qwen3.5-35B-A3B", window=65_536, tells_window=True)
STRANGER = DemoModel("my-finetune", window=200_000, tells_window=True)
SILENT = DemoModel("deepseek-v3.2", window=100_000)


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    """Who has servers of their own, as vLLM is started on a machine with little memory."""
    with somebody(tmp_path, models=(SHORT, STRANGER, SILENT)) as user:
        yield user


def believed(user: User) -> str:
    """What stands in Claude Code's settings."""
    settings: dict[str, Any] = json.loads((user.project / ".claude" / "settings.local.json").read_text("utf-8"))
    window: str = settings["env"]["CLAUDE_CODE_MAX_CONTEXT_TOKENS"]
    return window


@pytest.mark.parametrize("model", [SHORT, STRANGER], ids=lambda model: model.id)
def test_claude_code_is_told_the_window_that_stands_in_the_list(model: DemoModel, user: User) -> None:
    assert user.set_up("--model", model.id, "--connect", "settings").code == 0
    assert believed(user) == str(model.window)
    assert user.run("env", "--json").json["variables"]["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == str(model.window)
    listed = {choice["id"]: choice["context_window"] for choice in user.run("models", "--json").json["models"]}
    assert listed == {SHORT.id: 65_536, STRANGER.id: 200_000, SILENT.id: 163_840}


def test_another_model_comes_with_its_own_window(user: User) -> None:
    user.set_up("--model", SHORT.id, "--connect", "settings")
    told = user.run("use", STRANGER.id, "--json").json
    assert believed(user) == told["variables"]["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "200000"
    assert "200,000" in told["warnings"][0]


def test_no_more_is_asked_for_than_the_list_leaves_room_for(user: User) -> None:
    user.write_settings()
    user.run("use", SHORT.id)
    user.run("start")
    body = {"model": "claude-x", "max_tokens": 100_000, "messages": [{"role": "user", "content": "Hello"}]}
    status, _ = call(f"http://127.0.0.1:{user.section['proxy_port']}/v1/messages", body, token=TOKEN)
    assert status == 200
    assert user.provider.requests[0].body["max_tokens"] < SHORT.window


def test_what_doctor_says_of_a_window_that_no_list_tells_mends_it(user: User) -> None:
    user.set_up("--model", SILENT.id, "--connect", "settings")
    assert believed(user) == "163840"
    (wrong,) = [check for check in user.run("doctor", "--json").json["checks"] if "long sessions" in check["message"]]
    assert wrong["hint"] == "configure.py setup --connect settings"
    assert user.run("setup", "--connect", "settings", "--yes", "--json").code == 0
    assert believed(user) == "100000"
    user.run("restart")
    assert believed(user) == "100000"
    assert not [check for check in user.run("doctor", "--json").json["checks"] if "long sessions" in check["message"]]


def test_windows_of_one_service_say_nothing_of_another(user: User, tmp_path: Path) -> None:
    user.set_up("--model", SHORT.id)
    with somebody(tmp_path / "other", models=(SILENT,)) as other:
        user.run(
            "setup",
            "--base-url",
            other.base_url,
            "--key-stdin",
            "--yes",
            "--no-proof",
            stdin="sk-test-key-for-nothing-4711\n",
        )
    assert "context_windows" not in user.section


@pytest.mark.parametrize("windows", [{"x": 10}, {"x": "65536"}, {"x": True}, 65_536, {"x": None}])
def test_what_is_no_window_is_refused_in_words(windows: object) -> None:
    with pytest.raises(ValueError, match=r"custom_llm\.context_windows must be"):
        parse_section({"context_windows": windows})
