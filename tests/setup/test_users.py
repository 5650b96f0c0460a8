"""The people who set up, each in a situation of their own: at a terminal, by flags, and with Claude Code in the end.

The provider is e-INFRA CZ, as far as they can tell. A situation says what was there before, what is done at the
terminal and by flags, and what must be seen; whoever gets through has a Claude Code that answers.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are not driven on Windows", allow_module_level=True)

from tests.e2e.claude import ask_claude, minimal_environment
from tests.live import call, free_port
from tests.setup.einfra import einfra
from tests.setup.terminal import CTRL_C, DOWN, ENTER, Terminal, at_a_terminal
from tests.setup.user import COMMAND, KEY, WRONG_KEY, User, is_alive, processes_of, somebody

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqYW5hIn0.c2lnbmF0dXJl"
AUTHOR = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
SERVICE = ("Which service?", ENTER)
MODEL = ("Which model?", ENTER)
SMALL_MODEL = ("Which model for small work", ENTER)
SCOPE = ("Where should this apply?", ENTER)
CONNECT = ("How should Claude Code be connected?", ENTER)
SKIP_LOGIN = ("Skip that?", ENTER)
FIRST_TIME = (SERVICE, ("API key:", KEY, ENTER), MODEL, SMALL_MODEL, SCOPE, CONNECT, SKIP_LOGIN)
AGAIN = (SERVICE, ("Which API key?", ENTER), MODEL, SMALL_MODEL, SCOPE, CONNECT)


@dataclass
class Scene:
    """One user in one situation, and what belongs to them: variables, the port that they wish for."""

    user: User
    env: dict[str, str]
    port: int = field(default_factory=free_port)
    command: list[str] = field(default_factory=lambda: COMMAND)

    def set_up(self, *flags: str, key: str = KEY) -> dict[str, Any]:
        """By flags, on the defaults. Returns what was told to a program."""
        flags = ("--yes", "--connect", "settings", "--skip-login", *flags)
        ran = self.user.run("setup", "--key-stdin", *flags, "--json", stdin=key, command=self.command, **self.env)
        assert KEY not in ran.stdout + ran.stderr
        assert ran.code == ran.json.get("exit_code", 0)
        return ran.json | {"talk": ran.stderr}


def nothing(scene: Scene) -> None:
    """An empty home."""


def a_proxy_that_runs(scene: Scene) -> None:
    scene.set_up()


def no_network(scene: Scene) -> None:
    scene.env["HTTPS_PROXY"] = "http://127.0.0.1:9"


def the_recommended_model_down(scene: Scene) -> None:
    models = scene.user.provider.status_models
    assert models is not None
    for model in models:
        if model["model_name"].lower() == "kimi-k2.5":
            model["status"] = "down"


def the_status_service_down(scene: Scene) -> None:
    scene.user.provider.status_models = None


def a_repository_that_tracks_the_file(scene: Scene) -> None:
    scene.user.file.parent.mkdir()
    scene.user.file.write_text("{}")
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "All"]):
        git(scene.user, *arguments)


def a_project_that_nobody_can_write_to(scene: Scene) -> None:
    """Modes do not bind a superuser, unless that capability is taken away."""
    scene.user.project.chmod(0o555)
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("nothing is read-only for a superuser here")
        scene.command = [setpriv, "--bounding-set=-dac_override,-dac_read_search", *COMMAND]


def git(user: User, *arguments: str) -> str:
    command, env = ["git", *arguments], user.env | AUTHOR
    ended = subprocess.run(command, cwd=user.project, env=env, capture_output=True, text=True, check=True)
    return ended.stdout


@dataclass(frozen=True)
class Situation:
    """`answers` are what is waited for and typed then; `sees` are words on the last screen, `code` is its exit code.

    `by_flags` does and checks the same without a terminal, to the end; its value is what was told last.
    """

    before: Callable[[Scene], None]
    answers: tuple[tuple[str, ...], ...]
    sees: tuple[str, ...]
    by_flags: Callable[[Scene], dict[str, Any]]
    code: int = 0
    wants_port: bool = False
    mends: Callable[[Scene, str], None] | None = None
    """What is done as the screen told; then it is set up again, as at a first time."""

    @property
    def gets_through(self) -> bool:
        return not self.code or self.mends is not None


def first_time(scene: Scene) -> dict[str, Any]:
    told = scene.set_up()
    assert (told["new"], told["changed"], told["model"], told["gitignore"]) == (True, True, "kimi-k2.5", None)
    assert told["proof"]["ok"]
    return told


def wrong_keys(scene: Scene) -> dict[str, Any]:
    refused, jwt = scene.set_up(key=WRONG_KEY), scene.set_up(key=JWT)
    assert (refused["exit_code"], jwt["exit_code"]) == (4, 4)
    assert "https://chat.ai.e-infra.cz" in refused["error"]["hint"]
    assert "JWT token, not the API key" in jwt["error"]["message"]
    assert JWT not in json.dumps(jwt)
    return scene.set_up()


def port_taken(scene: Scene) -> dict[str, Any]:
    told = scene.set_up("--port", str(scene.port))
    assert told["port"] != scene.port
    assert f"Port {scene.port} is taken by" in told["talk"]
    return told


def running_already(scene: Scene) -> dict[str, Any]:
    told = scene.set_up()
    assert (told["new"], told["changed"]) == (False, False)
    return told


def switched(scene: Scene) -> dict[str, Any]:
    told = scene.set_up("--model", "kimi-k2.6")
    assert (told["new"], told["changed"], told["model"]) == (False, True, "kimi-k2.6")
    return told


def next_of_the_family(scene: Scene) -> dict[str, Any]:
    told = scene.set_up()
    assert told["model"] == "kimi-k2.6"
    return told


def tracked(scene: Scene) -> dict[str, Any]:
    refused = scene.set_up()
    assert refused["exit_code"] == 3
    two_commands(scene, refused["error"]["hint"])
    return scene.set_up()


def two_commands(scene: Scene, told: str) -> None:
    """Does what it was told to do."""
    commands = [line.strip() for line in told.splitlines() if line.startswith("  git -C ")]
    assert len(commands) == 2
    for command in commands:
        subprocess.run(["sh", "-c", command], env=scene.user.env | AUTHOR, capture_output=True, check=True)
    assert ".neuroflow" not in git(scene.user, "ls-files")


def read_only(scene: Scene) -> dict[str, Any]:
    refused = scene.set_up()
    assert (refused["exit_code"], "--scope machine" in refused["error"]["hint"]) == (3, True)
    return scene.set_up("--scope", "machine", "--connect", "settings")


def unreachable(scene: Scene) -> dict[str, Any]:
    told = scene.set_up()
    assert (told["exit_code"], told["error"]["kind"]) == (5, "unreachable")
    return told


CONNECTED = ("Claude Code is connected", "configure.py undo")
SITUATIONS = {
    "first time": Situation(nothing, FIRST_TIME, ("Tested kimi-k2.5", *CONNECTED), first_time),
    "wrong key, JWT, right key": Situation(
        nothing,
        (
            (SERVICE),
            ("API key:", WRONG_KEY, ENTER),
            ("Authentication Error", JWT, ENTER),
            ("That is the JWT token, not the API key", KEY, ENTER),
            *FIRST_TIME[2:],
        ),
        CONNECTED,
        wrong_keys,
    ),
    "recommended model down": Situation(
        the_recommended_model_down, FIRST_TIME, ("Tested kimi-k2.6", *CONNECTED), next_of_the_family
    ),
    "port taken by a stranger": Situation(
        nothing, FIRST_TIME, ("is taken by", f"(pid {os.getpid()})", *CONNECTED), port_taken, wants_port=True
    ),
    "already running": Situation(a_proxy_that_runs, AGAIN, ("Already running", *CONNECTED), running_already),
    "switch": Situation(
        a_proxy_that_runs,
        (*AGAIN[:2], ("Which model?", DOWN, ENTER), *AGAIN[3:]),
        ("Already running: kimi-k2.6", *CONNECTED),
        switched,
    ),
    "key file tracked": Situation(
        a_repository_that_tracks_the_file,
        (*FIRST_TIME[:4], ("Where should this apply?", CTRL_C)),
        ("Git tracks .neuroflow/integrations.json", "Nothing has been changed."),
        tracked,
        code=130,
        mends=two_commands,
    ),
    "read-only project": Situation(
        a_project_that_nobody_can_write_to,
        FIRST_TIME[:-1],  # the cursor stands on the scope that is possible
        ("cannot be written to", *CONNECTED),
        read_only,
    ),
    "status service down": Situation(the_status_service_down, FIRST_TIME, CONNECTED, first_time),
    "no network": Situation(no_network, FIRST_TIME[:2], ("cannot be reached",), unreachable, code=5),
}


SEEN_ELSEWHERE = {"already running", "switch", "port taken by a stranger", "key file tracked", "status service down"}
"""By flags, `test_setup.py` and `test_service_status.py` see these with every change of the code already."""


@contextmanager
def scene_of(situation: Situation, folder: Path) -> Iterator[Scene]:
    with somebody(folder) as user, einfra(user.base_url, folder) as env:
        scene = Scene(user, env)
        situation.before(scene)
        try:
            if situation.wants_port:
                with socket.create_server(("127.0.0.1", scene.port)):
                    yield scene
            else:
                yield scene
        finally:
            user.project.chmod(0o755)


def assert_it_works(scene: Scene) -> None:
    """The proxy that is written down answers, with the token that is written down."""
    status = scene.user.run("status", "--json", **scene.env).json
    assert is_alive(status["pid"])
    question = {"model": status["model"], "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}
    token = json.loads(Path(status["integrations"]).read_text("utf-8"))["custom_llm"]["proxy_token"]
    assert call(f"{status['url']}/v1/messages", question, token=token)[0] == 200


def assert_claude_code_answers(scene: Scene) -> None:
    """Nothing but `claude`, in the project, as the last screen says."""
    env = minimal_environment(scene.user.home) | scene.env
    assert ask_claude("Hello.", project=scene.user.project, env=env).strip()


def answer(terminal: Terminal, situation: Situation) -> str:
    """Answer every question, and wait for the end. Returns all that was shown, as it was before lines were wrapped."""
    for words, *keys in situation.answers:
        terminal.see(words)
        terminal.type(*keys)
    assert terminal.end() == situation.code, terminal.text
    for words in situation.sees:
        assert words in terminal.text
    assert KEY.encode() not in terminal.everything
    return terminal.everything.decode()


def at_the_terminal(scene: Scene, situation: Situation) -> None:
    flags = ["--port", str(scene.port)] if situation.wants_port else []
    with at_a_terminal(scene.user, "setup", *flags, command=scene.command, **scene.env) as terminal:
        told = answer(terminal, situation)
    if situation.code:
        assert processes_of(scene.user) == []
    if situation.mends:
        situation.mends(scene, told)
        with at_a_terminal(scene.user, "setup", command=scene.command, **scene.env) as terminal:
            answer(terminal, SITUATIONS["first time"])


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in SEEN_ELSEWHERE else pytest.mark.nightly) for name in SITUATIONS]
)
def test_at_a_terminal(name: str, tmp_path: Path) -> None:
    """The first time is a part of the test with Claude Code below; the others are seen by flags with every change."""
    situation = SITUATIONS[name]
    with scene_of(situation, tmp_path) as scene:
        at_the_terminal(scene, situation)
        if situation.gets_through:
            assert_it_works(scene)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.nightly if name in SEEN_ELSEWHERE else []) for name in SITUATIONS]
)
def test_by_flags(name: str, tmp_path: Path) -> None:
    situation = SITUATIONS[name]
    with scene_of(situation, tmp_path) as scene:
        told = situation.by_flags(scene)
        assert told["ok"] == situation.gets_through
        if situation.gets_through:
            assert_it_works(scene)
        else:
            assert told["error"]["hint"]
            assert processes_of(scene.user) == []


@pytest.mark.e2e
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "first time" else pytest.mark.nightly)
        for name, situation in SITUATIONS.items()
        if situation.gets_through
    ],
)
def test_from_an_empty_home_to_an_answer_of_claude_code(name: str, tmp_path: Path) -> None:
    with scene_of(SITUATIONS[name], tmp_path) as scene:
        at_the_terminal(scene, SITUATIONS[name])
        assert_claude_code_answers(scene)
