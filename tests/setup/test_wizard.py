"""The questions, answered at a real terminal with real keys."""

import socket
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are not driven on Windows", allow_module_level=True)

import json
import os
import time
from pathlib import Path

from neuroflow_proxy.demo.script import Answer, finish, role, text
from neuroflow_proxy.setup.health import ask_health
from neuroflow_proxy.setup.integrations import save_section
from neuroflow_proxy.wire.messages_api import JSON
from tests.e2e.claude import install_claude
from tests.setup.terminal import CTRL_C, DOWN, ENTER, UP, Terminal, at_a_terminal
from tests.setup.user import COMMAND, KEY, WRONG_KEY, User, processes_of, without_a_list

AS_LINES = ["--scope", "project", "--connect", "print"]


def known(user: User, base_url: str | None = None) -> list[str]:
    """Flags for somebody whose service and key are known."""
    key_file = user.home / "key"
    key_file.write_text(KEY)
    return ["--base-url", base_url or user.base_url, "--key-file", str(key_file)]


def choose_the_service(terminal: Terminal, user: User) -> None:
    terminal.see("Which service?")
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
        terminal.see("Where should this apply?")
        assert terminal.chosen.startswith("this project")
        terminal.type(ENTER)
        terminal.see("How should Claude Code be connected?")
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


def test_a_key_that_replaces_a_refused_one_is_proved_by_the_proxy_that_runs(user: User) -> None:
    """The proxy goes by the old key until it looks into its file again: that is no fault of the model."""
    user.write_settings()
    save_section(user.file, {"api_key": WRONG_KEY})
    user.start()
    with at_a_terminal(user, "setup", "--base-url", user.base_url, *AS_LINES) as terminal:
        terminal.see("Which API key?")
        terminal.type(ENTER)
        terminal.see("Authentication")
        terminal.type(KEY, ENTER)
        terminal.see("Which model?")
        terminal.type(ENTER)
        terminal.see("Which model for small work")
        terminal.type(ENTER)
        terminal.see("Tested kimi-k2.5")
        assert terminal.end() == 0
    assert (user.section["api_key"], user.section["model"]) == (KEY, "kimi-k2.5")


def test_after_a_known_key_was_refused_the_other_known_one_is_offered(user: User) -> None:
    user.write_settings()
    stale = {"OPENAI_BASE_URL": user.base_url, "OPENAI_API_KEY": WRONG_KEY}
    with at_a_terminal(user, "setup", "--base-url", user.base_url, *AS_LINES, **stale) as terminal:
        terminal.see("Which API key?")
        assert terminal.chosen == "…0815 from the variable OPENAI_API_KEY"
        terminal.type(ENTER)
        terminal.see("Authentication")
        terminal.see("another one")
        assert terminal.chosen == "…4711 from ~/výzkum/.neuroflow/integrations.json"
        terminal.type(ENTER)
        terminal.see("Which model?")


def test_what_is_no_url_and_no_key_is_told_before_it_is_tried(user: User) -> None:
    with at_a_terminal(user, "setup") as terminal:
        terminal.see("Which service?")
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
        terminal.see("Which service?")
        assert terminal.chosen == user.base_url
        terminal.type(ENTER)
        terminal.see("Which API key?")
        assert terminal.chosen == "…4711 from ~/výzkum/.neuroflow/integrations.json"
        terminal.type(ENTER)
        terminal.see("Which model?")
        assert terminal.chosen.endswith("in use")
        terminal.type(DOWN, ENTER)
        terminal.see("Which model for small work")
        terminal.type(ENTER)
        terminal.see("Where should this apply?")
        terminal.type(ENTER)
        terminal.see("How should Claude Code")
        terminal.type(DOWN, DOWN, ENTER)
        terminal.see("Already running")
        terminal.see("To connect Claude Code")
        assert terminal.end() == 0
    assert user.section["model"] == "kimi-k2.6"
    assert len(processes_of(user)) == 1


def test_a_model_that_only_talks_is_told_and_the_next_best_is_taken_and_proved(user: User) -> None:
    def script(body: JSON) -> Answer | None:
        return [*role(), *text("Certainly."), *finish("stop")] if body["model"] == "kimi-k2.5" else None

    user.provider.script = script
    user.file.parent.mkdir()
    user.file.write_text('{"zotero": {}}')
    with at_a_terminal(user, "setup", *known(user), "--model", "kimi-k2.5", *AS_LINES) as terminal:
        terminal.see("kimi-k2.5 is not fit for work with tools: it did not call the tool")
        terminal.see("Take kimi-k2.6 instead?")
        terminal.type(ENTER)
        terminal.see("Tested kimi-k2.6")
        assert terminal.end() == 0
        assert "ANTHROPIC_MODEL=kimi-k2.6" in terminal.text
    assert user.section["model"] == "kimi-k2.6"
    assert user.file.with_name("integrations.json.bak").read_text() == '{"zotero": {}}', "what was there before set-up"


def test_who_wants_to_keep_a_model_that_is_not_fit_keeps_it(user: User) -> None:
    user.provider.script = lambda _: [*role(), *text("Certainly."), *finish("stop")]
    with at_a_terminal(user, "setup", *known(user), "--model", "kimi-k2.5", *AS_LINES) as terminal:
        terminal.see("Take kimi-k2.6 instead?")
        terminal.type("n")
        terminal.see("configure.py use kimi-k2.6")
        assert terminal.end() == 0
    assert user.section["model"] == "kimi-k2.5"


def test_each_of_claudes_sizes_can_be_given_a_model_and_nobody_else_is_asked(user: User) -> None:
    with at_a_terminal(user, "setup", *known(user), *AS_LINES) as terminal:
        terminal.see("Which model?")
        terminal.see("recommended")
        terminal.type(ENTER)
        terminal.see("Which model for small work")
        terminal.type(DOWN)
        terminal.see("» one for each")
        terminal.type(ENTER)
        for tier, keys in (
            ("opus", ["glm", ENTER]),
            ("sonnet", [ENTER]),
            ("haiku", ["mistral", ENTER]),
            ("fable", [ENTER]),
        ):
            terminal.see(f"asks for {tier}? (")
            terminal.type(*keys)
        terminal.see("To connect Claude Code")
        assert terminal.end() == 0
    assert (user.section["small_model"], user.section["tiers"]) == ("mistral-small-4", {"opus": "glm-4.7"})


def test_where_there_is_no_list_the_model_is_typed(user: User) -> None:
    with without_a_list(user) as base_url, at_a_terminal(user, "setup", *known(user, base_url), *AS_LINES) as terminal:
        terminal.see("has no list of models")
        terminal.see("The id of the model:")
        terminal.type("kimi-k2.5", ENTER)
        terminal.see("Tested kimi-k2.5")
        assert terminal.end() == 0


def test_what_is_no_secret_is_offered_to_flowie_where_that_is(user: User) -> None:
    folder = user.home / ".neuroflow" / "flowie"
    folder.mkdir(parents=True)
    (folder / "sync.json").write_text("{}")
    with at_a_terminal(user, "setup", *known(user), "--model", "kimi-k2.5", *AS_LINES) as terminal:
        terminal.see("~/.neuroflow/flowie too?")
        terminal.type(ENTER)
        terminal.see("What is no secret is in")
        assert terminal.end() == 0
    assert KEY not in (folder / "integrations.json").read_text("utf-8")


def test_claude_code_can_be_started_right_away(user: User) -> None:
    folder = user.home / "bin"
    folder.mkdir()
    (folder / "claude").write_text('#!/bin/sh\necho "asks $ANTHROPIC_BASE_URL for $ANTHROPIC_MODEL"; exit 3\n')
    (folder / "claude").chmod(0o755)
    path = f"{folder}:/usr/bin:/bin"
    flags = [*known(user), "--model", "kimi-k2.5", "--scope", "project"]
    with at_a_terminal(user, "setup", *flags, PATH=path) as terminal:
        terminal.see("How should Claude Code")
        terminal.type(DOWN)
        terminal.see("» start it now")
        terminal.type(ENTER)
        terminal.see("for kimi-k2.5")
        assert terminal.end() == 3, "its exit code is Claude Code's"
        assert f"asks http://127.0.0.1:{user.section['proxy_port']} for kimi-k2.5" in terminal.text
    assert not (user.project / ".claude").exists()


def test_without_the_proxy_is_one_of_the_ways(user: User) -> None:
    with at_a_terminal(user, "setup", *known(user), "--model", "kimi-k2.5", "--scope", "project") as terminal:
        terminal.see("How should Claude Code")
        terminal.type(UP)
        terminal.see("» without the proxy")
        terminal.type(ENTER)
        terminal.see("Skip that?")
        terminal.type(ENTER)
        terminal.see("Take kimi-k2.6 instead?")  # the built-in provider has no Messages API
        terminal.type("n")
        terminal.see("Without the proxy nothing mends")
        terminal.see("That file now holds the provider's key")
        assert terminal.end() == 0
    assert processes_of(user) == []


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_the_recommended_model_is_seen_as_such_on_any_terminal(columns: int, user: User) -> None:
    with at_a_terminal(user, "setup", *known(user), columns=columns) as terminal:
        terminal.see("Which model?")
        terminal.see("recommended")
        assert terminal.chosen.startswith("kimi-k2.5")
        assert terminal.chosen.endswith("recommended")


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["no colour", "dumb"])
def test_plain_terminals_are_asked_too(env: dict[str, str], user: User) -> None:
    with at_a_terminal(user, "setup", *known(user), "--model", "kimi-k2.5", **env) as terminal:
        terminal.see("Where should this apply?")
        terminal.type(ENTER)
        terminal.see("How should Claude Code")
        terminal.type(CTRL_C)
        terminal.see("Nothing has been changed.")
        assert terminal.end() == 130


def test_from_the_model_to_connected_it_takes_less_than_two_seconds(user: User) -> None:
    """Or, where others are at work on this machine, no more than twice what the bare start of the proxy takes then."""
    flags = [*known(user), "--small-model", "mistral-small-4", "--scope", "project", "--connect", "settings"]
    with at_a_terminal(user, "setup", *flags, "--skip-login") as terminal:
        terminal.see("recommended")
        terminal.settle()
        began = time.monotonic()
        terminal.type(ENTER)
        terminal.see("Claude Code is connected")
        took_s = time.monotonic() - began
        assert terminal.end() == 0
    began = time.monotonic()
    user.run("restart")
    start_s = time.monotonic() - began
    assert took_s < max(2, 2 * start_s), (took_s, start_s)


@pytest.mark.parametrize(
    "question",
    [
        pytest.param("Which service", marks=pytest.mark.nightly),
        pytest.param("Its base URL", marks=pytest.mark.nightly),
        "API key",
        pytest.param("Which model?", marks=pytest.mark.nightly),
        pytest.param("Which model for small work", marks=pytest.mark.nightly),
        pytest.param("Where should this apply?", marks=pytest.mark.nightly),
        pytest.param("How should", marks=pytest.mark.nightly),
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
            ("Where should this apply?", [ENTER]),
            ("How should", [ENTER]),
            ("Skip", []),
        ):
            terminal.see(seen)
            if seen == question:
                break
            terminal.type(*keys)
        terminal.type(CTRL_C)
        terminal.see("Nothing has been changed.")
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


def trust_the_folder(terminal: Terminal) -> None:
    """Answer Claude Code's question, whose cursor stands on No, and wait for the prompt."""
    terminal.see("Yes, I trust this folder")
    terminal.settle()
    terminal.type(DOWN)
    terminal.see("❯ Yes")
    terminal.settle()
    terminal.type(ENTER)
    terminal.see("kimi-k2.5")
    terminal.settle()


def have_it_work(terminal: Terminal) -> None:
    terminal.type("run `echo reached`")
    terminal.see("echo reached`")
    terminal.type(ENTER)
    terminal.see("This is what the tools said.")


@pytest.mark.e2e
def test_a_newcomer_without_an_account_reaches_an_answer(user: User) -> None:
    told = user.set_up("--yes", "--connect", "settings", "--skip-login").json
    assert told["asks_for_account"] is False
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
    with at_a_terminal(user, command=[install_claude()], **quiet) as terminal:
        trust_the_folder(terminal)
        have_it_work(terminal)
    assert user.provider.requests[-1].body["model"] == "kimi-k2.5"


@pytest.mark.e2e
@pytest.mark.nightly
@pytest.mark.parametrize("way", ["machine", "print", "launch"])
def test_a_newcomer_is_asked_for_no_account_on_the_other_ways_either(way: str, user: User) -> None:
    """Without any sparing: the user's own settings and the environment count before an account is asked for."""
    claude = install_claude()
    user.set_up("--yes", "--no-proof", *(["--connect", "settings", "--scope", "machine"] if way == "machine" else []))
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
    quiet |= user.run("env", "--json").json["variables"] if way == "print" else {}
    quiet |= {"PATH": f"{Path(claude).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [*COMMAND, "claude"] if way == "launch" else [claude]
    with at_a_terminal(user, command=command, **quiet) as terminal:
        terminal.see("Choose the text style")
        terminal.settle()
        terminal.type(ENTER)
        terminal.see("Security notes")
        terminal.settle()
        terminal.type(ENTER)
        trust_the_folder(terminal)
        assert "Unable to connect" not in terminal.text
        have_it_work(terminal)


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        (["glm", DOWN, UP], "glm-4.7"),  # one row is found, and there is no other to go to
        (["kimi-k2", DOWN, UP], "kimi-k2.5"),
        (["think"], "deepseek-v3.2-thinking"),  # stands in the head of the table as well
        (["no such model"], "kimi-k2.5"),  # nothing is found: the whole list is there again
    ],
)
def test_whatever_is_typed_the_keys_go_on_and_a_model_is_chosen(user: User, keys: list[str], chosen: str) -> None:
    with at_a_terminal(user, "setup", *known(user), *AS_LINES, "--no-proof") as terminal:
        terminal.see("Which model?")
        terminal.type(*keys, ENTER)
        terminal.see("Which model for small work")
        terminal.type(ENTER)
        terminal.see("To connect Claude Code")
        assert terminal.end() == 0
    assert user.section["model"] == chosen
