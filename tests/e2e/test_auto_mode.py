"""Claude Code's auto mode, its default at a terminal: nothing runs unjudged, and nobody is stuck."""

import json
import re
from typing import Any

import pytest

from neuroflow_proxy.demo.script import Script, finish, in_turn, role, text, tool_call
from neuroflow_proxy.settings import read_section
from neuroflow_proxy.setup.claude_code import connection_for, variables
from neuroflow_proxy.setup.features import allow_auto_mode
from neuroflow_proxy.setup.integrations import Scope
from neuroflow_proxy.setup.undo import Journal
from tests.e2e.conftest import Session
from tests.e2e.tui import at_a_terminal, say
from tests.setup.terminal import DOWN, ENTER

pytestmark = pytest.mark.e2e

BLAMES_THE_PROXY = "Your requests go through"
LOCAL = "settings.local.json"


@pytest.fixture(autouse=True)
def only_where_auto_mode_is_the_default(session: Session) -> None:
    if session.version == "2.1.197":
        pytest.skip("its default is to ask")


# Claude Code itself lets simple commands within the project run, `touch` alone for one; this one it has to ask about.
COMMAND = "touch made.txt; curl -s http://127.0.0.1:9/"


def touching(verdict: str) -> Script:
    """An agent that makes a file by a command, and a judge that gives a verdict on it."""
    call = tool_call("Bash", {"command": COMMAND, "description": "Make it"}, id="c1")
    agent = in_turn([*role(), *text("I make it."), *call, *finish("tool_calls")], [*role(), *text("Over."), *finish()])

    def script(body: Any) -> Any:
        words = dict(re.findall(r"`((safe|unsafe|unsure)-[0-9a-f]+)`", str(body["messages"][-1]["content"])))
        by_kind = {kind: word for word, kind in words.items()}
        return [*role(), *text(verdict.format(**by_kind)), *finish()] if by_kind else agent(body)

    return script


@pytest.mark.nightly
def test_a_call_that_is_not_flagged_runs_without_a_question(session: Session) -> None:
    session.proxy.set({"auto_mode": "model"})
    session.provider.script = touching("{safe}")
    with at_a_terminal(session, permission_mode=None) as terminal:
        say(terminal, "Make the file.")
        terminal.see("Over.")
        assert "auto mode on" in terminal.text
        assert BLAMES_THE_PROXY not in terminal.text
    assert (session.project / "made.txt").exists()
    assert len(session.bodies) == 3


def test_a_call_that_is_flagged_does_not_run_and_the_reason_is_told(session: Session) -> None:
    session.proxy.set({"auto_mode": "model"})
    session.provider.script = touching("{unsafe}: nobody asked for a file.")
    with at_a_terminal(session, permission_mode=None) as terminal:
        say(terminal, "Do nothing.")
        terminal.see("Over.")
        assert "Blocked by auto mode" in terminal.text
    assert not (session.project / "made.txt").exists()
    assert "nobody asked for a file." in str(session.bodies[-1]["messages"][-1]["content"])


@pytest.mark.parametrize(
    "verdict",
    ["{unsure}", *(pytest.param(words, marks=pytest.mark.nightly) for words in ("not_flagged", "Sure, go ahead!"))],
)
def test_where_the_judge_cannot_tell_the_user_is_asked(session: Session, verdict: str) -> None:
    session.proxy.set({"auto_mode": "model"})
    session.provider.script = touching(verdict)
    with at_a_terminal(session, permission_mode=None) as terminal:
        say(terminal, "Make the file.")
        terminal.see("Do you want to proceed?")
        assert "needs your approval" in terminal.text
        assert BLAMES_THE_PROXY not in terminal.text
        assert not (session.project / "made.txt").exists()
        terminal.press_until(DOWN, "❯ Yes")
        terminal.press_until(ENTER, "Over.")
    assert (session.project / "made.txt").exists()


@pytest.mark.parametrize("scope", Scope)
def test_as_set_up_leaves_it_every_action_is_asked_as_before_auto_mode(session: Session, scope: Scope) -> None:
    folder, name = (session.home, "settings.json") if scope is Scope.MACHINE else (session.project, LOCAL)
    settings = folder / ".claude" / name
    section = read_section(session.proxy.file)
    assert section is not None
    allow_auto_mode(settings, section, Journal(session.home, session.proxy.file))
    session.provider.script = touching("{safe}")
    with at_a_terminal(session, permission_mode=None) as terminal:
        say(terminal, "Make the file.")
        terminal.see("Do you want to proceed?")
        assert "auto mode" not in terminal.text  # nor is it offered, with a yes that an Enter gives
        assert "can't check" not in terminal.text
        assert not (session.project / "made.txt").exists()
        terminal.press_until(ENTER, "Over.")
    assert (session.project / "made.txt").exists()


@pytest.mark.nightly
def test_who_turns_auto_mode_on_though_nobody_judges_is_told_and_asked(session: Session) -> None:
    session.provider.script = touching("{safe}")
    with at_a_terminal(session, permission_mode="auto") as terminal:
        say(terminal, "Make the file.")
        terminal.see("Do you want to proceed?")
        assert "Auto mode can't check actions in this session" in terminal.text
        assert not (session.project / "made.txt").exists()
    assert len(session.bodies) == 1


def test_claude_codes_own_check_is_answered_by_the_small_model_without_thinking(session: Session) -> None:
    session.proxy.set({"auto_mode": "local", "small_model": "glm-4.7"})
    section = read_section(session.proxy.file)
    assert section is not None
    wanted = {variable.name: variable.value for variable in variables(connection_for(section), {})}
    env = {**session.connection, **{name: value for name, value in wanted.items() if "AUTO_MODE" in name}}
    agent = touching("")
    session.provider.script = lambda body: (
        [*role(), *text("<block>no</block>"), *finish()] if body["model"] == "glm-4.7" else agent(body)
    )
    with at_a_terminal(session, permission_mode="auto", env=env) as terminal:
        say(terminal, "Make the file.")
        terminal.see("Over.")
        assert BLAMES_THE_PROXY not in terminal.text
    assert (session.project / "made.txt").exists()
    checks = [body for body in session.bodies if body["model"] == "glm-4.7"]
    assert checks
    assert {body["chat_template_kwargs"]["enable_thinking"] for body in checks} == {False}
    assert min(len(json.dumps(body)) for body in checks) > 100_000
