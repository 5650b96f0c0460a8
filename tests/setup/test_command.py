"""Hints name the command that was typed."""

import sys
from pathlib import Path

import pytest

from neuroflow_proxy.setup.command import STARTER, Command, command_of
from tests.setup.user import User

ROOT = Path(__file__).parents[2]
OF_UV = {"UV": "/usr/bin/uv"}
OF_UV_RUN = OF_UV | {"UV_RUN_RECURSION_DEPTH": "1"}


@pytest.mark.parametrize(
    ("started_as", "env", "name"),
    [
        ("configure.py", OF_UV_RUN, "uv run configure.py"),
        ("skills/my setup/configure.py", OF_UV_RUN, "uv run 'skills/my setup/configure.py'"),
        ("einfra/configure.py", {}, "python3 einfra/configure.py"),
        ("einfra/proxy.py", OF_UV_RUN, "uv run einfra/proxy.py"),
        ("/x/neuroflow_proxy/__main__.py", {}, "python3 -m neuroflow_proxy"),
        ("/srv/a/.local/bin/neuroflow-proxy", {}, "neuroflow-proxy"),
        ("/srv/a/.cache/uv/archive-v0/x/bin/neuroflow-proxy", OF_UV, "uvx neuroflow-proxy"),
        ("/project/.venv/bin/neuroflow-proxy", OF_UV_RUN, "uv run neuroflow-proxy"),
        ("neuroflow-proxy.exe", {}, "neuroflow-proxy"),
        ("/x/neuroflow_proxy/__main__.py", OF_UV_RUN | {STARTER: "python3 scripts/setup"}, "python3 scripts/setup"),
    ],
)
def test_a_command_is_called_as_it_was_typed(started_as: str, env: dict[str, str], name: str) -> None:
    assert command_of(started_as, "/usr/bin/python3", env).name == name


@pytest.mark.parametrize(
    ("words", "spelt"),
    [
        ("Run `configure.py start`.", "Run `neuroflow-proxy start`."),
        (
            'eval "$(configure.py env)", or `configure.py setup`',
            'eval "$(neuroflow-proxy env)", or `neuroflow-proxy setup`',
        ),
        ("configure.py use kimi-k2.6", "neuroflow-proxy use kimi-k2.6"),
        ("/srv/a/configure.py is a file", "/srv/a/configure.py is a file"),
        ("my-configure.py start", "my-configure.py start"),
    ],
)
def test_the_name_is_put_where_a_command_stands_and_nowhere_else(words: str, spelt: str) -> None:
    assert Command("neuroflow-proxy").spell(words) == spelt


def test_every_text_of_an_answer_for_programs_is_spelt() -> None:
    told = {"ok": True, "hint": "configure.py start", "checks": [{"hint": "configure.py stop"}], "port": 4001}
    assert Command("x").spell_all(told) == {"ok": True, "hint": "x start", "checks": [{"hint": "x stop"}], "port": 4001}


def test_a_name_that_looks_like_a_pattern_is_put_there_as_it_is() -> None:
    assert Command(r"uv run 'C:\1\configure.py'").spell("`configure.py env`") == r"`uv run 'C:\1\configure.py' env`"


def test_hints_help_and_answers_speak_of_the_script_that_was_started(user: User) -> None:
    del_starter = {STARTER: ""}
    script = ROOT / "skills" / "setup" / "scripts" / "einfra" / "configure.py"
    name = f"{Path(sys.executable).name} {script}"
    ran = user.run("status", "--json", command=[sys.executable, str(script)], **del_starter)
    assert ran.json["configured"] is False
    ran = user.run("use", "kimi-k2.5", "--json", command=[sys.executable, str(script)], **del_starter)
    assert ran.json["error"]["hint"] == f"Run `{name} setup`."
    assert f"usage: {name}" in user.run("--help", command=[sys.executable, str(script)], **del_starter).stdout
