"""Without the proxy: Claude Code asks the provider's own Messages API, and the key goes there and nowhere else.

The provider is the built-in one with a proxy of ours beside it: so it has a list of models and a Messages API.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from neuroflow_proxy.demo.connection import Receive, Scope, Send
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.presets import PRESETS, messages_url
from neuroflow_proxy.server.app import create_app
from neuroflow_proxy.settings import load_settings
from tests.e2e.claude import claude_edits_a_file
from tests.setup.user import KEY, User, processes_of


@contextmanager
def both(user: User, folder: Path) -> Iterator[str]:
    """The base URL of a service that speaks both APIs and takes the user's key for both."""
    nothing = folder / "integrations.json"
    nothing.write_text("{}")
    env = {
        "NEUROFLOW_PROXY_INTEGRATIONS": str(nothing),
        "OPENAI_BASE_URL": user.base_url,
        "OPENAI_API_KEY": KEY,
        "NEUROFLOW_PROXY_TOKEN": KEY,
    }
    settings = load_settings(env)
    proxy = create_app(settings, load=lambda: settings)

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] == "lifespan" or scope["path"] == "/v1/messages"
        await (proxy if is_ours else user.provider)(scope, receive, send)

    with running(either) as url:
        yield url


@pytest.fixture
def service(user: User, tmp_path: Path) -> Iterator[str]:
    with both(user, tmp_path) as url:
        yield url


def set_up(user: User, service: str, *flags: str) -> dict[str, object]:
    arguments = ["setup", "--base-url", service, "--key-stdin", "--model", "kimi-k2.5", *flags, "--json"]
    ran = user.run(*arguments, stdin=f"{KEY}\n")
    assert ran.code == 0, ran.stdout + ran.stderr
    assert KEY not in ran.stdout + ran.stderr
    return ran.json


def written(user: User) -> dict[str, str]:
    path = user.project / ".claude" / "settings.local.json"
    env: dict[str, str] = json.loads(path.read_text("utf-8"))["env"]
    return env


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://llm.ai.e-infra.cz/v1", "https://llm.ai.e-infra.cz"),
        ("https://api.deepseek.com/v1", "https://api.deepseek.com/anthropic"),
        ("https://llm.example.org/v1", "https://llm.example.org"),
        ("https://llm.example.org/some/path", "https://llm.example.org/some/path"),
        ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434"),
    ],
)
def test_the_address_has_no_version_since_claude_code_adds_it(base_url: str, url: str) -> None:
    assert messages_url(base_url) == url


def test_no_preset_has_a_version_in_it() -> None:
    assert not [preset for preset in PRESETS if preset.messages_url.endswith(("/v1", "/"))]


def test_no_proxy_is_started_and_claude_code_gets_address_key_and_models(user: User, service: str) -> None:
    told = set_up(user, service, "--proxy-mode", "direct", "--connect", "settings", "--tier", "opus=glm-4.7")
    url = service.removesuffix("/v1")
    assert (told["mode"], told["url"], told["running"], told["pid"]) == ("direct", url, False, None)
    proof = told["proof"]
    assert isinstance(proof, dict)
    assert proof["ok"] is True
    assert processes_of(user) == []
    env = written(user)
    assert (env["ANTHROPIC_BASE_URL"], env["ANTHROPIC_AUTH_TOKEN"], env["ANTHROPIC_API_KEY"]) == (url, KEY, "")
    assert (env["ANTHROPIC_MODEL"], env["ANTHROPIC_DEFAULT_OPUS_MODEL"]) == ("kimi-k2.5", "glm-4.7")
    assert (user.section["proxy_mode"], "proxy_token" in user.section) == ("direct", False)


def test_what_is_lost_is_said(user: User, service: str) -> None:
    set_up(user, service, "--proxy-mode", "direct")
    shown = user.run("setup", "--no-proof").stdout
    assert "Without the proxy nothing mends" in shown
    assert "started" not in shown.lower().split("claude code")[0]


def test_the_key_is_printed_by_no_verb_and_its_line_is_missed_in_words(user: User, service: str) -> None:
    told = set_up(user, service, "--proxy-mode", "direct")
    connect = told["connect"]
    assert isinstance(connect, list)
    assert not [line for line in connect if "AUTH_TOKEN" in line]
    for verb in (["env"], ["env", "--explain"], ["env", "--json"], ["status"], ["setup", "--no-proof"], ["models"]):
        ran = user.run(*verb)
        assert ran.code == 0, ran.stderr
        assert KEY not in ran.stdout + ran.stderr, verb
    assert "configure.py claude" in user.run("env").stderr
    assert "ANTHROPIC_AUTH_TOKEN" not in user.run("env", "--json").json["variables"]


def test_there_is_no_proxy_to_start_and_it_says_how_to_have_one(user: User, service: str) -> None:
    set_up(user, service, "--proxy-mode", "direct")
    ran = user.run("start", "--json")
    assert ran.code == 3
    assert "--proxy-mode custom" in ran.json["error"]["hint"]
    assert "directly" in user.run("status").stdout


def test_another_model_reaches_the_settings(user: User, service: str) -> None:
    set_up(user, service, "--proxy-mode", "direct", "--connect", "settings")
    ran = user.run("use", "qwen3.5-122b")
    assert ran.code == 0
    assert "started from now on" in ran.stdout
    assert written(user)["ANTHROPIC_MODEL"] == "qwen3.5-122b"


def test_the_mode_stays_and_goes_back_without_leaving_anything_of_it(user: User, service: str) -> None:
    set_up(user, service, "--connect", "settings")
    through_the_proxy = written(user)
    set_up(user, service, "--proxy-mode", "direct", "--connect", "settings")
    assert "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS" in written(user)
    assert set_up(user, service)["mode"] == "direct", "who says nothing changes nothing"
    set_up(user, service, "--proxy-mode", "custom", "--connect", "settings")
    assert written(user) == through_the_proxy
    assert KEY not in (user.project / ".claude" / "settings.local.json").read_text("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_claude_code_is_started_with_the_key_in_its_environment_alone(user: User, service: str) -> None:
    set_up(user, service, "--proxy-mode", "direct")
    folder = user.home / "bin"
    folder.mkdir()
    (folder / "claude").write_text('#!/bin/sh\necho "$ANTHROPIC_BASE_URL $ANTHROPIC_AUTH_TOKEN $@"\n')
    (folder / "claude").chmod(0o755)
    ran = user.run("claude", "--", "-p", "Hello", PATH=f"{folder}:/usr/bin:/bin")
    assert ran.stdout.split() == [service.removesuffix("/v1"), KEY, "-p", "Hello"]
    assert processes_of(user) == []


def test_undo_takes_the_key_out_again(user: User, service: str) -> None:
    set_up(user, service, "--proxy-mode", "direct", "--connect", "settings", "--skip-login")
    assert user.run("undo", "--json").json["undone"] is True
    assert [path for path in user.home.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []


def test_a_provider_without_such_an_api_is_not_asked_for_one(user: User) -> None:
    ran = user.run(
        "setup", "--provider", "mistral", "--proxy-mode", "direct", "--key-stdin", "--yes", "--json", stdin=f"{KEY}\n"
    )
    assert ran.code == 3
    assert "no Messages API" in ran.json["error"]["message"]


def test_a_key_is_not_written_where_git_would_publish_it(user: User, service: str) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=user.home, env=user.env, check=True)
    flags = ["--proxy-mode", "direct", "--connect", "settings", "--scope", "machine", "--model", "kimi-k2.5"]
    ran = user.run("setup", "--base-url", service, "--key-stdin", *flags, "--json", stdin=f"{KEY}\n")
    assert (ran.code, ran.json["error"]["kind"]) == (3, "settings")
    assert not (user.home / ".claude" / "settings.json").exists()


@pytest.mark.e2e
def test_the_real_claude_code_works_on_the_written_settings(user: User, service: str) -> None:
    set_up(user, service, "--proxy-mode", "direct", "--connect", "settings", "--skip-login")
    claude_edits_a_file(user.project, user.env | {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"})


def test_doctor_looks_at_what_there_is_and_misses_no_proxy(user: User, service: str) -> None:
    set_up(user, service, "--proxy-mode", "direct", "--connect", "settings", "--no-proof")
    ran = user.run("doctor", "--json")
    assert ran.code == 0, ran.stdout
    checks = {check["name"]: check for check in ran.json["checks"]}
    assert {check["state"] for name, check in checks.items() if name != "Claude Code"} == {"ok"}
    assert "it called a tool" in checks["tool call"]["message"]
    assert {"thinking", "vision", "key", "model"} <= set(checks)
    assert "proxy" not in checks
    assert str(user.project / ".claude" / "settings.local.json") in checks["file mode"]["message"]
    assert KEY not in ran.stdout + ran.stderr
    broken = user.run("doctor", "--no-proof", "--json", CLAUDE_CODE_USE_VERTEX="1")
    assert broken.code == 3
