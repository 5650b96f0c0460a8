"""The two scripts that Claude Code runs by itself, often: with any Python, in a blink, and never in the way."""

import ast
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from neuroflow_proxy.alone import session_start
from neuroflow_proxy.demo.provider import DemoProvider
from neuroflow_proxy.demo.script import Answer, Pause, Status, finish, role, text, usage
from neuroflow_proxy.settings import SECTION, find_integrations, read_section
from neuroflow_proxy.wire.messages_api import JSON
from tests.live import free_port
from tests.serving import proxy_before, wait_until

ALONE = Path(session_start.__file__).parent
SCRIPTS = [ALONE / "session_start.py", ALONE / "statusline.py"]
PYTHON = [getattr(sys, "_base_executable", sys.executable), "-I", "-S"]
TOKEN = "local-token-of-the-test"
LONGEST_MS = 100

needs_sh = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for uv is a shell script")
each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)


def run(script: str, told: JSON, cwd: Path, **env: str) -> str:
    """What the script prints. It must succeed, and say nothing else."""
    kept = {name: value for name, value in os.environ.items() if name in ("SYSTEMROOT", "TEMP", "TMP")}
    ran = subprocess.run(
        [*PYTHON, str(ALONE / f"{script}.py")],
        cwd=cwd,
        env={**kept, "HOME": str(cwd), "USERPROFILE": str(cwd), **env},
        input=json.dumps(told).encode(),
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    return ran.stdout.decode()


@each_script
def test_any_python_from_3_7_on_can_read_it(script: Path) -> None:
    tree = ast.parse(script.read_text("utf-8"), feature_version=(3, 7))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


# --- at the start of a session


class Started:
    """A stand-in for uv, which writes down how it was called."""

    def __init__(self, folder: Path) -> None:
        self._told = folder / "told"
        self.path = folder / "bin"
        self.path.mkdir()
        uv = self.path / "uv"
        uv.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$PWD" "$@" > "{self._told}.part"; mv "{self._told}.part" "{self._told}"\n'
        )
        uv.chmod(0o755)

    @property
    def words(self) -> list[str]:
        return self._told.read_text().splitlines() if self._told.exists() else []


@pytest.fixture
def uv(tmp_path: Path) -> Started:
    return Started(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a project"
    folder.mkdir()
    return folder


def configure(folder: Path, **section: Any) -> None:
    path = folder / ".neuroflow" / "integrations.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"others": 1, SECTION: section}))


@needs_sh
def test_a_configured_proxy_that_does_not_run_is_started(project: Path, uv: Started) -> None:
    port = free_port()
    configure(project, proxy_port=port)
    inside = project / "inside"
    inside.mkdir()
    env = {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}", "PATH": f"{uv.path}:/usr/bin:/bin"}
    told = run("session_start", {}, inside, **env)
    assert json.loads(told) == {"systemMessage": f"The proxy on port {port} did not run and is being started."}
    wait_until(lambda: uv.words, "it is started")
    cwd, *arguments = uv.words
    assert Path(cwd) == inside
    *before, script, verb = arguments
    assert (before, verb) == (["run", "--quiet"], "start")
    assert Path(script).resolve() == (ALONE.parents[1] / "configure.py").resolve()


@needs_sh
@pytest.mark.parametrize(
    ("section", "env"),
    [
        ({}, {"ANTHROPIC_BASE_URL": ""}),
        ({}, {"ANTHROPIC_BASE_URL": "https://api.anthropic.com"}),
        ({}, {"ANTHROPIC_BASE_URL": "http://127.0.0.1:none"}),
        ({}, {"ANTHROPIC_BASE_URL": "http://127.0.0.1:99999999"}),
        ({}, {"CLAUDE_PLUGIN_OPTION_START_PROXY": "false"}),
        ({"proxy_port": 4999}, {}),
        ({"proxy_mode": "direct"}, {}),
        (None, {}),
    ],
    ids=["Claude", "elsewhere", "no-port", "no-such-port", "turned-off", "another-port", "direct", "not-set-up"],
)
def test_nothing_is_done_for_a_session_that_does_not_need_it(
    section: JSON | None, env: dict[str, str], project: Path, uv: Started
) -> None:
    port = free_port()
    if section is not None:
        configure(project, **{"proxy_port": port, **section})
    asked = {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}", "PATH": f"{uv.path}:/usr/bin:/bin"}
    assert run("session_start", {}, project, **{**asked, **env}) == ""
    time.sleep(0.2)  # longer than the stand-in would take
    assert uv.words == []


@needs_sh
def test_nothing_is_done_where_somebody_listens(project: Path, uv: Started) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        configure(project, proxy_port=port)
        env = {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}", "PATH": f"{uv.path}:/usr/bin:/bin"}
        assert run("session_start", {}, project, **env) == ""
        listener.settimeout(5)
        listener.accept()[0].close()
    assert uv.words == []


@needs_sh
def test_without_uv_it_says_so(project: Path) -> None:
    port = free_port()
    configure(project, proxy_port=port)
    told = run("session_start", {}, project, ANTHROPIC_BASE_URL=f"http://127.0.0.1:{port}", PATH="/nowhere")
    assert "no uv" in json.loads(told)["systemMessage"]


def broken(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("{")


@pytest.mark.parametrize("where", ["project", "above", "home", "named", "project-without-section", "nowhere"])
def test_it_finds_the_settings_that_the_proxy_finds(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, cwd = tmp_path / "home", tmp_path / "above" / "project"
    home.mkdir()
    cwd.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    folder = {"project": cwd, "above": cwd.parent, "nowhere": None}.get(where, home)
    if folder:
        configure(folder, proxy_port=4711)
    if where == "project-without-section":
        (cwd / ".neuroflow").mkdir()
        (cwd / ".neuroflow" / "integrations.json").write_text('{"others": 1}')
    env = {"NEUROFLOW_PROXY_INTEGRATIONS": str(home / ".neuroflow" / "integrations.json")} if where == "named" else {}
    path = find_integrations(cwd, home, env)
    section = read_section(path) if path else None
    assert session_start.configured_port(env, str(cwd)) == (section.proxy_port if section else None)


def test_a_broken_file_is_no_reason_to_fail(project: Path) -> None:
    broken(project / ".neuroflow" / "integrations.json")
    assert run("session_start", {}, project, ANTHROPIC_BASE_URL=f"http://127.0.0.1:{free_port()}") == ""


# --- the status line

SESSION = {
    "model": {"id": "kimi-k2.5"},
    "context_window": {"used_percentage": 5, "context_window_size": 262144, "total_input_tokens": 13595},
}
ASK = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi."}]}
FINE: Answer = [*role(), *text("Hello."), *finish(), *usage(1_234_000, 567)]


@pytest.fixture
def provider() -> DemoProvider:
    return DemoProvider(lambda body: FINE)


@pytest.fixture
def url(provider: DemoProvider, tmp_path: Path) -> Iterator[str]:
    with proxy_before(provider, tmp_path, NEUROFLOW_PROXY_TOKEN=TOKEN) as url:
        yield url


def line(url: str, cwd: Path, told: JSON = SESSION) -> str:
    return run("statusline", told, cwd, ANTHROPIC_BASE_URL=url, ANTHROPIC_AUTH_TOKEN=TOKEN)


def ask(url: str, **more: Any) -> int:
    headers = {"authorization": f"Bearer {TOKEN}"}
    return httpx.post(f"{url}/v1/messages", json={**ASK, **more}, headers=headers, timeout=30).status_code


def test_the_line_before_the_first_turn(url: str, tmp_path: Path) -> None:
    assert line(url, tmp_path) == "kimi-k2.5 · ready · window 5% of 262k\n"
    assert line(url, tmp_path, {"model": {"id": "claude-opus-5"}}) == "kimi-k2.5 · ready\n"
    assert line(url, tmp_path, {"model": {"id": "anthropic/qwen3.5-122b[1m]"}}) == "qwen3.5-122b · ready\n"


def test_the_line_tells_the_tokens_since_the_start(url: str, tmp_path: Path) -> None:
    assert ask(url) == 200
    assert line(url, tmp_path) == "kimi-k2.5 · ready · window 5% of 262k · since the start 1.2M in, 567 out\n"


def test_the_line_tells_what_the_provider_refused(url: str, provider: DemoProvider, tmp_path: Path) -> None:
    provider.script = lambda body: [Status(401, {"error": {"message": "no"}})]
    assert ask(url) == 401
    assert line(url, tmp_path) == "kimi-k2.5 · authentication · window 5% of 262k\n"


def test_the_line_tells_the_place_in_the_queue(url: str, provider: DemoProvider, tmp_path: Path) -> None:
    provider.script = lambda body: [Pause(2.0), *FINE]
    with ThreadPoolExecutor() as threads:
        asked = [threads.submit(ask, url) for _ in range(4)]
        headers = {"authorization": f"Bearer {TOKEN}"}
        wait_until(lambda: len(httpx.get(f"{url}/stats", headers=headers).json()["queue"]["waiting"]) == 2, "two wait")
        assert "kimi-k2.5 · in the queue: place 1 of 2, for " in line(url, tmp_path)
        assert {answer.result() for answer in asked} == {200}


def test_the_line_names_the_model_that_really_answered(provider: DemoProvider, tmp_path: Path) -> None:
    down = [Status(503, {"error": {"message": "down"}}, {"x-should-retry": "false"})]
    provider.script = lambda body: down if body["model"] == "kimi-k2.5" else FINE
    configure(tmp_path, fallback_models=["qwen3.5-122b"])
    with proxy_before(provider, tmp_path, NEUROFLOW_PROXY_TOKEN=TOKEN, BIG_MODEL="") as url:
        assert ask(url) == 200
        assert line(url, tmp_path).startswith("qwen3.5-122b for kimi-k2.5 · ready")


def test_the_line_says_what_it_cannot_know(url: str, tmp_path: Path) -> None:
    assert line("", tmp_path) == "kimi-k2.5 · not through the proxy\n"
    port = free_port()
    words = f"no proxy answers on port {port}: run configure.py start"
    assert line(f"http://127.0.0.1:{port}", tmp_path) == f"kimi-k2.5 · {words}\n"
    refused = run("statusline", SESSION, tmp_path, ANTHROPIC_BASE_URL=url, ANTHROPIC_AUTH_TOKEN="wrong")
    assert f"no proxy answers on port {urlsplit(url).port}" in refused


# --- how long they take


def spent_ms() -> float:
    """What the processes that have ended have spent: not what they have waited for, where others keep the machine."""
    if sys.platform == "win32":
        return 1000 * time.perf_counter()
    import resource

    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (spent.ru_utime + spent.ru_stime)


def test_both_are_done_in_a_blink(url: str, tmp_path: Path) -> None:
    """The best of some runs. Neither ever waits longer for an answer than its own patience."""
    configure(tmp_path, proxy_port=1)
    ways = {
        "a session that is not ours": ("session_start", {}),
        "a proxy that runs": ("session_start", {"ANTHROPIC_BASE_URL": url}),
        "a proxy that does not": ("session_start", {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{free_port()}"}),
        "the line": ("statusline", {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": TOKEN}),
    }
    for way, (script, env) in ways.items():
        took = []
        for _ in range(7):
            began = spent_ms()
            run(script, SESSION, tmp_path, **env)
            took.append(spent_ms() - began)
        assert 0 < min(took) < LONGEST_MS, f"{way}: {took}"
        print(f"{way}: {min(took):.0f} ms")
