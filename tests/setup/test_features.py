"""Web search and auto mode are chosen, told of, written down, and taken back."""

import json
from pathlib import Path
from typing import Any

import pytest

from neuroflow_proxy.settings import parse_section
from neuroflow_proxy.setup.claude_code import connection_for, variables
from neuroflow_proxy.setup.features import allow_auto_mode, words_on_features
from neuroflow_proxy.setup.undo import Journal
from tests.setup.user import KEY, User


def section(user: User) -> dict[str, Any]:
    document = json.loads((user.project / ".neuroflow" / "integrations.json").read_text("utf-8"))
    found: dict[str, Any] = document["custom_llm"]
    return found


def set_up(user: User, *arguments: str) -> str:
    """Set up by flags; returns what a person is told."""
    ran = user.run(
        *("setup", "--base-url", user.base_url, "--key-stdin", "--yes", "--no-proof", *arguments), stdin=f"{KEY}\n"
    )
    assert ran.code == 0, ran.stderr
    return ran.stdout


def test_a_search_service_is_kept_until_it_is_turned_off(user: User) -> None:
    told = set_up(user, "--web-search", "https://searx.example.org")
    assert section(user)["web_search"] == "https://searx.example.org"
    assert "leaves the academic network" in told
    set_up(user)
    assert section(user)["web_search"] == "https://searx.example.org"
    told = set_up(user, "--web-search", "off")
    assert "web_search" not in section(user)
    assert "--web-search ddgs" in told


def test_what_is_no_search_service_is_refused(user: User) -> None:
    refused = user.run("setup", "--web-search", "google", "--yes")
    assert refused.code == 2
    assert "SearXNG" in refused.stderr


def test_where_nobody_judges_auto_mode_cannot_be_entered_and_undo_takes_that_back(user: User) -> None:
    settings = user.project / ".claude" / "settings.local.json"
    told = set_up(user, "--connect", "settings")
    assert json.loads(settings.read_text("utf-8"))["permissions"] == {"disableAutoMode": "disable"}
    assert "--auto-mode model" in told
    set_up(user, "--connect", "settings", "--auto-mode", "model")
    assert section(user)["auto_mode"] == "model"
    assert not json.loads(settings.read_text("utf-8")).get("permissions")
    set_up(user, "--connect", "settings", "--auto-mode", "off")
    assert "auto_mode" not in section(user)
    assert json.loads(settings.read_text("utf-8"))["permissions"] == {"disableAutoMode": "disable"}
    user.run("undo")
    assert not settings.exists()


@pytest.mark.parametrize("mode", ["off", "model", "local"])
def test_who_has_chosen_auto_mode_keeps_it(tmp_path: Path, mode: str) -> None:
    settings = tmp_path / "settings.json"
    before = json.dumps({"permissions": {"defaultMode": "auto", "allow": ["Bash(make)"]}})
    settings.write_text(before)
    journal = Journal(tmp_path, tmp_path / "integrations.json")
    assert not allow_auto_mode(settings, parse_section({"auto_mode": mode}), journal)
    assert settings.read_text() == before


def test_a_mode_that_is_chosen_later_stays_when_set_up_again_and_when_undone(user: User) -> None:
    settings = user.project / ".claude" / "settings.local.json"
    set_up(user, "--connect", "settings")
    written = json.loads(settings.read_text("utf-8"))
    settings.write_text(json.dumps(written | {"permissions": written["permissions"] | {"defaultMode": "acceptEdits"}}))
    set_up(user, "--connect", "settings")
    assert json.loads(settings.read_text("utf-8"))["permissions"]["defaultMode"] == "acceptEdits"
    user.run("undo")
    assert json.loads(settings.read_text("utf-8")) == {"permissions": {"defaultMode": "acceptEdits"}}


@pytest.mark.parametrize("mode", ["off", "model", "local"])
def test_claude_codes_own_check_is_asked_for_in_local_mode_alone(mode: str) -> None:
    chosen = parse_section({"auto_mode": mode, "small_model": "mini"})
    values = {variable.name: variable.value for variable in variables(connection_for(chosen), {})}
    wanted = {"CLAUDE_CODE_AUTO_MODE_SERVER": "0", "CLAUDE_CODE_AUTO_MODE_MODEL": "mini"} if mode == "local" else {}
    assert {name: value for name, value in values.items() if "AUTO_MODE" in name} == wanted


def test_direct_mode_has_nothing_to_offer() -> None:
    assert words_on_features(parse_section({"proxy_mode": "direct"})) == []
