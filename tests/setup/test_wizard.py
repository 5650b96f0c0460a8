"""The questions, answered at a real terminal with real keys."""

import socket
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are not driven on Windows", allow_module_level=True)

import json
import os

from neuroflow_proxy.setup.health import ask_health
from tests.e2e.claude import install_claude
from tests.setup.terminal import CTRL_C, DOWN, ENTER, UP, Terminal, at_a_terminal
from tests.setup.user import KEY, WRONG_KEY, User, processes_of

AS_LINES = ["--scope", "project", "--connect", "print"]


def choose_the_service(terminal: Terminal, user: User) -> None:
    terminal.see("Which service answers?")
    terminal.see("e-INFRA CZ")
    terminal.type(UP, ENTER)  # the last: another one
    terminal.see("Its base URL")
    terminal.type(user.base_url.removesuffix("/v1"), ENTER)


def test_a_first_time_from_an_empty_home_to_a_proxy_that_answers(user: User) -> None:
    with at_a_terminal(user) as terminal:
        choose_the_service(terminal, user)
        terminal.see("API key")
        terminal.type(KEY, ENTER)
        terminal.see("Which model?")
        terminal.see("recommended")
        assert terminal.chosen.startswith("kimi-k2.5")
        assert "embedding" not in terminal.text
        terminal.type(DOWN, DOWN, UP, ENTER)
        terminal.see("Which model for small work")
        assert terminal.chosen == "the same"
        terminal.type("mistral", ENTER)
        terminal.see("For what?")
        assert terminal.chosen.startswith("this project")
        terminal.type(ENTER)
        terminal.see("How does Claude Code get to know of it?")
        assert "~/výzkum/.claude/settings.local.json" in terminal.chosen
        terminal.type(ENTER)
        terminal.see("Skip that?")
        terminal.type(ENTER)
        terminal.see("Claude Code is connected")
        terminal.see("configure.py undo")
        assert terminal.end() == 0
    assert user.section["api_key"] == KEY
    assert (user.section["model"], user.section["small_model"]) == ("kimi-k2.6", "mistral-small-4")
    health = ask_health(user.section["proxy_port"])
    assert health is not None
    assert health.model == "kimi-k2.6"
    written = json.loads((user.project / ".claude" / "settings.local.json").read_text("utf-8"))
    assert written["env"]["ANTHROPIC_BASE_URL"] == f"http://127.0.0.1:{user.section['proxy_port']}"
    assert json.loads((user.home / ".claude.json").read_text("utf-8")) == {"hasCompletedOnboarding": True}
    assert KEY.encode() not in terminal.everything, "the key was shown"


def test_a_wrong_key_is_told_and_asked_for_again(user: User) -> None:
    with at_a_terminal(user, "setup", "--base-url", user.base_url, *AS_LINES) as terminal:
        terminal.see("API key")
        terminal.type(WRONG_KEY, ENTER)
        terminal.see("Give the key that the service on this machine")
        terminal.see("Authentication")
        terminal.type(KEY, ENTER)
        terminal.see("Which model?")
        terminal.type("qwen3.5", ENTER)  # typing searches
        terminal.see("Which model for small work")
        terminal.type(ENTER)
        terminal.see("To connect Claude Code")
        assert terminal.end() == 0
    assert (user.section["api_key"], user.section["model"]) == (KEY, "qwen3.5-122b")
    assert WRONG_KEY.encode() not in terminal.everything


def test_what_is_no_url_and_no_key_is_told_before_it_is_tried(user: User) -> None:
    with at_a_terminal(user, "setup") as terminal:
        terminal.see("Which service answers?")
        terminal.type(UP, ENTER)
        terminal.see("Its base URL")
        terminal.type("nonsense", ENTER)
        terminal.see("not a plain http(s) URL")
        terminal.type("\x15", user.base_url, ENTER)
        terminal.see("API key")
        terminal.type("two words", ENTER)
        terminal.see("no API key")
        terminal.type(CTRL_C)
        assert terminal.end() == 130
    assert not user.file.exists()


def test_a_key_that_is_known_is_offered_by_its_last_letters(user: User) -> None:
    user.write_settings()
    user.start()
    with at_a_terminal(user, "setup") as terminal:
        terminal.see("Which service answers?")
        assert terminal.chosen == user.base_url
        terminal.type(ENTER)
        terminal.see("Which API key?")
        assert terminal.chosen == "…4711 from ~/výzkum/.neuroflow/integrations.json"
        terminal.type(ENTER)
        terminal.see("Which model?")
        assert "in use now" in terminal.chosen
        terminal.type(DOWN, ENTER)
        terminal.see("Which model for small work")
        terminal.type(ENTER)
        terminal.see("For what?")
        terminal.type(ENTER)
        terminal.see("How does Claude Code")
        terminal.type(DOWN, DOWN, ENTER)
        terminal.see("Running already")
        terminal.see("To connect Claude Code")
        assert terminal.end() == 0
    assert user.section["model"] == "kimi-k2.6"
    assert len(processes_of(user)) == 1


@pytest.mark.parametrize(
    "question",
    [
        "Which service",
        "Its base URL",
        "API key",
        "Which model?",
        "Which model for small work",
        "For what?",
        "How does",
        "Skip",
    ],
)
def test_ctrl_c_at_any_question_changes_nothing(question: str, user: User) -> None:
    with at_a_terminal(user) as terminal:
        for seen, keys in (
            ("Which service", [UP, ENTER]),
            ("Its base URL", [user.base_url, ENTER]),
            ("API key", [KEY, ENTER]),
            ("Which model?", [ENTER]),
            ("Which model for small work", [ENTER]),
            ("For what?", [ENTER]),
            ("How does", [ENTER]),
            ("Skip", []),
        ):
            terminal.see(seen)
            if seen == question:
                break
            terminal.type(*keys)
        terminal.type(CTRL_C)
        terminal.see("Interrupted")
        assert terminal.end() == 130
    assert not user.file.parent.exists()
    assert processes_of(user) == []


def test_a_stranger_on_the_port_is_named(user: User) -> None:
    flags = ["--base-url", user.base_url, *AS_LINES, "--model", "kimi-k2.5"]
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        with at_a_terminal(user, "setup", *flags, "--port", str(port)) as terminal:
            terminal.see("API key")
            terminal.type(KEY, ENTER)
            terminal.see(f"Port {port} is taken by")
            terminal.see(f"(pid {os.getpid()})")
            terminal.see("To connect Claude Code")
            assert terminal.end() == 0
    assert user.section["proxy_port"] != port


def test_flags_that_answer_everything_leave_nothing_to_ask(user: User) -> None:
    key_file = user.home / "key"
    key_file.write_text(KEY)
    flags = ["--base-url", user.base_url, "--key-file", str(key_file), "--model", "kimi-k2.5", "--scope", "machine"]
    flags += ["--connect", "print"]
    with at_a_terminal(user, "setup", *flags) as terminal:
        assert terminal.end() == 0
        assert "?" not in terminal.text
    assert (user.home / ".neuroflow" / "integrations.json").exists()


def test_json_asks_nothing_even_at_a_terminal(user: User) -> None:
    with at_a_terminal(user, "setup", "--json") as terminal:
        assert terminal.end() == 7
        assert "needs_terminal" in terminal.text


def test_a_key_is_not_read_from_a_terminal_that_would_show_it(user: User) -> None:
    with at_a_terminal(user, "setup", "--key-stdin") as terminal:
        assert terminal.end() == 3
        assert "from a pipe" in terminal.text


@pytest.mark.e2e
def test_a_newcomer_without_an_account_reaches_an_answer(user: User) -> None:
    told = user.set_up("--yes", "--connect", "settings", "--skip-login").json
    assert told["asks_for_account"] is False
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
    with at_a_terminal(user, command=[install_claude()], **quiet) as terminal:
        terminal.see("Yes, I trust this folder")
        terminal.settle()
        terminal.type(DOWN)
        terminal.see("❯ Yes")
        terminal.settle()
        terminal.type(ENTER)
        terminal.see("kimi-k2.5")
        terminal.settle()
        terminal.type("run `echo reached`")
        terminal.see("echo reached`")
        terminal.type(ENTER)
        terminal.see("This is what the tools said.")
    assert user.provider.requests[-1].body["model"] == "kimi-k2.5"
