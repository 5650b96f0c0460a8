"""Secrets and content are planted wherever they can be, and then looked for wherever they must not be.

A key, the local token and words of a conversation go through set-up, requests, faults, a crash, `doctor` and the rest
of the verbs. Then every file, every stream, every process and every answer is searched.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from neuroflow_proxy.demo.script import Answer, Cut, Raw, Status, finish, reasoning, role, text, tool_call
from neuroflow_proxy.settings import file_stamp
from neuroflow_proxy.setup.integrations import save_section
from tests.serving import wait_until
from tests.setup.user import KEY, Ran, User, somebody

ASKED = "canary-Alžběta-asks-4711"
SYSTEM = "canary-of-the-system-4712"
ANSWERED = "canary-answered-4713"
THOUGHT = "canary-thought-4714"
ARGUED = "canary-argued-4715"
CONTENT = (ASKED, SYSTEM, ANSWERED, THOUGHT, ARGUED)
OTHER_KEY = "sk-canary-of-another-key-4716"

WHOLE: Answer = [
    *role(),
    *reasoning(THOUGHT),
    *text(ANSWERED),
    *tool_call("Bash", {"command": ARGUED}, id="functions.Bash:0"),
    *finish("tool_calls"),
]
# Providers quote what they were sent: the key, the request, a piece of it, as text and as Python.
QUOTED = f"Authorization: Bearer {KEY}, api_key={KEY}, key '{KEY}'"
FAULTS: dict[str, Answer] = {
    "whole": WHOLE,
    "refused key": [Status(401, {"error": {"message": f"Incorrect API key provided: {KEY}. {QUOTED}"}})],
    "quoted input": [
        Status(400, {"detail": [{"loc": ["body", "messages", 1], "msg": "no", "input": {"content": ASKED}}]})
    ],
    "traceback": [Status(500, f'Traceback (most recent call last):\n  File "x"\nKeyError: {KEY!r} {ASKED}')],
    "page": [Status(502, f"<html><title>Bad {KEY}</title>{ASKED}</html>", {"content-type": "text/html"})],
    "in the stream": [*role(), *text(ANSWERED), Raw(f'data: {{"error":{{"message":"{QUOTED}"}}}}\n\n'.encode())],
    "broken": [*role(), *text(ANSWERED), Cut("rst")],
    "garbage": [*role(), Raw(f"data: {ANSWERED} {{{{ {KEY}\n\n".encode()), Cut("end")],
}


@dataclass
class Scene:
    """Where everything happens, and all that was heard."""

    user: User
    heard: list[tuple[str, str]] = field(default_factory=list)

    def run(self, *arguments: str, **more: Any) -> Ran:
        ran = self.user.run(*arguments, **more)
        self.heard += [(f"stdout of {arguments}", ran.stdout), (f"stderr of {arguments}", ran.stderr)]
        return ran

    def ask(self, fault: str, *, stream: bool, token: str | None = None) -> httpx.Response:
        """Ask so that the provider answers with this fault."""
        section = self.user.section
        body = {
            "model": "claude-x",
            "max_tokens": 99,
            "stream": stream,
            "system": SYSTEM,
            "tools": [{"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {}}}}],
            "messages": [{"role": "user", "content": f"{ASKED} {fault}|"}],
        }
        return httpx.post(
            f"http://127.0.0.1:{section['proxy_port']}/v1/messages",
            json=body,
            headers={"authorization": f"Bearer {token or section['proxy_token']}"},
            timeout=30,
        )

    @property
    def process(self) -> psutil.Process:
        (record,) = self.user.records
        assert record.pid is not None
        return psutil.Process(record.pid)

    def look_at_processes(self) -> None:
        for process in [self.process, *self.process.children(recursive=True)]:
            self.heard.append(("arguments", " ".join(process.cmdline())))
            self.heard.append(("environment", "\n".join(f"{k}={v}" for k, v in process.environ().items())))

    def found(self, *secrets: str) -> list[str]:
        """Where any of the secrets is to be found, but for the one file that holds key and token, and its backup."""
        homes = {self.user.file, self.user.file.with_name(f"{self.user.file.name}.bak")}
        files = [path for path in self.user.home.parent.rglob("*") if path.is_file() and path not in homes]
        told = [*self.heard, *((str(path), path.read_bytes().decode("utf-8", "replace")) for path in files)]
        return [f"{secret} in {place}" for place, said in told for secret in secrets if secret in said]

    def set_up(self, *flags: str, **env: str) -> None:
        """Not listened to for the token: it is among the lines that connect Claude Code, which set-up is to print."""
        flags = ("setup", "--base-url", self.user.base_url, "--key-env", "MY_KEY", "--yes", "--no-proof", *flags)
        made = self.user.run(*flags, MY_KEY=KEY, **env)
        assert made.code == 0, made.stderr
        token = self.user.section["proxy_token"]
        self.heard += [("set-up", made.stdout.replace(token, "")), ("set-up", made.stderr)]


def script(body: Any) -> Answer:
    told = json.dumps(body, ensure_ascii=False)
    fault = re.search(re.escape(ASKED) + r" ([a-z ]+)\|", told)
    return FAULTS[fault[1]] if fault else WHOLE


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with somebody(tmp_path) as user:
        user.provider.script = script
        yield Scene(user)


def everything(scene: Scene) -> None:
    """All that can happen to a key and to a conversation."""
    user = scene.user
    scene.set_up(OPENAI_API_KEY=OTHER_KEY, ANTHROPIC_AUTH_TOKEN=OTHER_KEY, COPY=f"x{KEY}y")
    scene.look_at_processes()
    scene.ask("whole", stream=False)
    for fault in FAULTS:
        response = scene.ask(fault, stream=True)
        if fault != "whole":
            said = response.text.replace(ANSWERED, "").replace(THOUGHT, "")  # what the model said is the client's
            scene.heard += [(f"answer to {fault}", said), ("headers", str(response.headers))]
    refused = scene.ask("whole", stream=False, token=OTHER_KEY)
    assert refused.status_code == 401
    scene.heard.append(("refusal", refused.text))
    port = user.section["proxy_port"]
    scene.heard.append(("health", httpx.get(f"http://127.0.0.1:{port}/healthz").text))
    bearer = {"authorization": f"Bearer {user.section['proxy_token']}"}
    scene.heard.append(("stats", httpx.get(f"http://127.0.0.1:{port}/stats", headers=bearer).text))
    for verb in (["status"], ["status", "--json"], ["doctor", "--json"], ["models", "--json"], ["logs"]):
        scene.run(*verb)
    scene.run("setup", "--key", KEY)
    scene.run("start", KEY)
    scene.run("use", OTHER_KEY)
    scene.look_at_processes()


def test_no_secret_and_no_content_is_anywhere_it_must_not_be(scene: Scene) -> None:
    everything(scene)
    token = scene.user.section["proxy_token"]
    assert scene.found(KEY, OTHER_KEY, token, *CONTENT) == []
    assert "outcome=ok" in (scene.user.state / Path(scene.user.records[0].log).name).read_text("utf-8"), "it has a log"


def test_recordings_hold_content_but_no_secret(scene: Scene) -> None:
    scene.set_up()
    assert scene.run("stop").code == 0
    assert scene.run("start", PROXY_DEBUG="1").code == 0
    for fault in FAULTS:
        scene.ask(fault, stream=True)
    assert "PROXY_DEBUG" in scene.run("status").stdout
    assert scene.found(KEY, scene.user.section["proxy_token"]) == []
    assert scene.found(ASKED), "so they would have been found"


def test_a_key_that_came_while_the_proxy_ran_is_in_no_log_and_no_recording(scene: Scene) -> None:
    """It has no shape by which it would be known."""
    later = "TheLaterKeyOf4718"
    refusal = Status(400, {"error": {"message": f"Unsupported parameter: 'stream_options' (account {later})."}})
    scene.set_up()
    assert scene.run("restart", PROXY_DEBUG="1").code == 0
    user = scene.user
    user.provider.script = lambda body: [refusal] if "stream_options" in body else WHOLE
    url = f"http://127.0.0.1:{user.section['proxy_port']}/stats"
    bearer = {"authorization": f"Bearer {user.section['proxy_token']}"}

    def is_known() -> bool:
        known: bool = httpx.get(url, headers=bearer).json()["settings_stamp"] == file_stamp(user.file)
        return known

    for key in (later, KEY):  # what was asked with a former one may still be answered
        save_section(user.file, {"api_key": key})
        wait_until(is_known, "it has come")
    assert scene.ask("whole", stream=False).status_code == 200
    assert scene.found(later) == []
    assert scene.found("Unsupported parameter: 'stream_options' (account"), "so it would have been found"


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGABRT"])
def test_a_proxy_that_dies_leaves_no_secret_behind(scene: Scene, how: str) -> None:
    """With `ulimit -c unlimited` a core would be left by SIGABRT; none is, because none is wanted."""
    scene.set_up()
    scene.ask("whole", stream=True)
    process = scene.process
    process.send_signal(getattr(signal, how))
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "it is dead")
    scene.run("status")
    scene.run("doctor", "--no-proof")
    assert scene.found(KEY, scene.user.section["proxy_token"], *CONTENT) == []


def test_a_bug_of_ours_is_logged_without_secrets(tmp_path: Path) -> None:
    """A traceback names files and lines; an exception's own words may hold anything."""
    code = f"""
import logging
from neuroflow_proxy.server.run import RedactingFormatter
handler = logging.StreamHandler()
handler.setFormatter(RedactingFormatter(["{KEY}"]))
logging.basicConfig(handlers=[handler])
try:
    raise ValueError("Illegal header value b'Bearer {KEY}' and {OTHER_KEY}")
except ValueError:
    logging.exception("a bug, with %s", "{KEY}")
"""
    einfra = Path(__file__).parents[2] / "skills" / "setup" / "scripts" / "einfra"
    env = {**os.environ, "PYTHONPATH": str(einfra)}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert "Traceback" in ended.stderr
    assert "a bug, with" in ended.stderr
    # The source line itself stands in no traceback here, because code from -c has no file to read it from.
    assert KEY not in ended.stderr
    assert OTHER_KEY not in ended.stderr


@pytest.mark.parametrize("key", [f"{KEY}\nX-Evil: 1", f"{KEY} {KEY}", f"{KEY}š"])
def test_a_key_that_is_no_header_is_refused_and_not_quoted(tmp_path: Path, key: str) -> None:
    env = {"OPENAI_API_KEY": key, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "PATH": os.environ["PATH"]}
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "PYTHONPATH") if name in os.environ}
    ended = subprocess.run(
        [sys.executable, "-m", "neuroflow_proxy", "serve"],
        env=env | kept,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 3
    assert "OPENAI_API_KEY" in ended.stderr
    assert KEY not in ended.stderr
