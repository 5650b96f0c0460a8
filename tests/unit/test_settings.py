"""The effective settings, and the one model of the integrations file."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from neuroflow_proxy.errors import SettingsError
from neuroflow_proxy.settings import (
    SECTION_SCHEMA,
    TIERS,
    find_integrations,
    integrations_schema,
    load_settings,
    parse_section,
    read_section,
)

ROOT = Path(__file__).parents[2]
LEAST_SECTION = {
    "provider": "einfra",
    "base_url": "https://llm.ai.e-infra.cz/v1",
    "api_key": "the-key",
    "model": "kimi-k2.5",
    "proxy_mode": "custom",
    "proxy_port": 4001,
}

# Padding is forgiven in a file that people edit, and no schema can say so.
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 70000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["custom", "direct", "", "x", "http://x", "https://x/v1", "ftp://x", " \n", "4001"]),
    st.lists(st.integers(), max_size=1),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
    st.dictionaries(st.sampled_from([*TIERS, "other"]), st.sampled_from(["x", " ", 1, None]), max_size=3),
)
SECTIONS = st.dictionaries(st.sampled_from([*SECTION_SCHEMA["properties"], "somebody else's"]), VALUES) | VALUES


def write(folder: Path, document: object) -> Path:
    path = folder / ".neuroflow" / "integrations.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), "utf-8")
    return path


def test_the_published_schema_is_the_one_that_files_are_checked_against() -> None:
    published = ROOT / "integrations.schema.json"
    expected = json.dumps(integrations_schema(), indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("NEUROFLOW_TEST_UPDATE"):
        published.write_text(expected, "utf-8")
    assert published.read_text("utf-8") == expected, "run with NEUROFLOW_TEST_UPDATE=1 to write it"


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(integrations_schema())


@given(SECTIONS)
def test_the_reader_takes_exactly_what_the_schema_takes(section: Any) -> None:
    is_valid = Draft202012Validator(SECTION_SCHEMA).is_valid(section)
    try:
        parse_section(section)
    except ValueError:
        assert not is_valid
    else:
        assert is_valid


def test_the_least_section_is_read_as_it_stands(tmp_path: Path) -> None:
    section = read_section(write(tmp_path, {"custom_llm": LEAST_SECTION}))
    assert section is not None
    assert (section.provider, section.base_url, section.api_key) == ("einfra", LEAST_SECTION["base_url"], "the-key")
    assert (section.model, section.proxy_mode, section.proxy_port) == ("kimi-k2.5", "custom", 4001)
    assert (section.small_model, section.proxy_token) == (None, None)


def test_a_key_with_a_line_end_from_an_editor_is_still_the_key(tmp_path: Path) -> None:
    section = read_section(write(tmp_path, {"custom_llm": LEAST_SECTION | {"api_key": " the-key\n"}}))
    assert section is not None
    assert section.api_key == "the-key"


def test_tiers_are_read_without_padding_and_without_what_is_none(tmp_path: Path) -> None:
    section = read_section(write(tmp_path, {"custom_llm": {"tiers": {"opus": " glm-5.2 ", "gold": "x"}}}))
    assert section is not None
    assert section.tiers == {"opus": "glm-5.2"}
    settings = load_settings({}, cwd=tmp_path, home=tmp_path)
    assert settings.tiers == {"opus": "glm-5.2"}
    assert load_settings({"BIG_MODEL": "big"}, cwd=tmp_path, home=tmp_path).tiers == {}


def test_a_complaint_about_a_tier_says_which(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"custom_llm\.tiers must be an object, opus in it a string"):
        read_section(write(tmp_path, {"custom_llm": {"tiers": {"sonnet": "x", "opus": 7}}}))


def test_a_complaint_names_every_bad_field_and_no_value(tmp_path: Path) -> None:
    bad = LEAST_SECTION | {"api_key": ["the-key"], "proxy_port": "the-port", "proxy_mode": "the-mode"}
    with pytest.raises(SettingsError) as refusal:
        read_section(write(tmp_path, {"custom_llm": bad}))
    words = refusal.value.full_message
    assert all(f"custom_llm.{name} must be" in words for name in ("api_key", "proxy_port", "proxy_mode"))
    assert not any(value in words for value in ("the-key", "the-port", "the-mode"))


def test_neither_settings_nor_section_show_the_key_when_printed(tmp_path: Path) -> None:
    path = write(tmp_path, {"custom_llm": LEAST_SECTION | {"proxy_token": "the-token"}})
    shown = repr(read_section(path)) + repr(load_settings({}, cwd=tmp_path, home=tmp_path))
    assert "the-key" not in shown
    assert "the-token" not in shown


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"custom_llm": []}'])
def test_a_broken_file_is_named(text: str, tmp_path: Path) -> None:
    path = write(tmp_path, {})
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"integrations\.json"):
        load_settings({}, cwd=tmp_path, home=tmp_path)


def test_the_nearest_file_with_our_section_applies(tmp_path: Path) -> None:
    home, project, inner = tmp_path, tmp_path / "a", tmp_path / "a" / "b"
    everywhere = write(home, {"custom_llm": LEAST_SECTION})
    of_the_project = write(project, {"custom_llm": LEAST_SECTION})
    write(inner, {"zotero": {}})
    assert find_integrations(inner, home, {}) == of_the_project
    assert find_integrations(tmp_path / "elsewhere", home, {}) == everywhere
    assert find_integrations(tmp_path.parent, home, {}) == everywhere


def test_the_environment_stands_over_the_file(tmp_path: Path) -> None:
    write(tmp_path, {"custom_llm": LEAST_SECTION | {"small_model": "small"}})
    env = {
        "OPENAI_API_KEY": "other-key",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1/",
        "BIG_MODEL": "big",
        "NEUROFLOW_PROXY_TOKEN": "token",
        "NEUROFLOW_PROXY_PORT": "4010",
    }
    settings = load_settings(env, cwd=tmp_path, home=tmp_path)
    assert (settings.api_key, settings.base_url) == ("other-key", "http://127.0.0.1:9/v1")
    assert (settings.token, settings.port) == ("token", 4010)
    assert (settings.model, settings.small_model) == ("big", "big"), (
        "the file's small model belongs to the file's model"
    )


def test_the_file_that_the_environment_names_stands_over_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, {"custom_llm": LEAST_SECTION})
    named = write(tmp_path / "elsewhere", {"custom_llm": LEAST_SECTION | {"model": "named"}})
    settings = load_settings({"NEUROFLOW_PROXY_INTEGRATIONS": str(named)}, cwd=tmp_path, home=tmp_path)
    assert (settings.model, settings.path) == ("named", named)
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings({"NEUROFLOW_PROXY_INTEGRATIONS": str(tmp_path)}, cwd=tmp_path, home=tmp_path)


CLEAR_TEXT = "http://gpu-node:8000/v1"


def test_a_key_goes_over_an_unencrypted_way_only_where_that_was_allowed(tmp_path: Path) -> None:
    def base_url(section: dict[str, Any], **env: str) -> str:
        write(tmp_path, {"custom_llm": LEAST_SECTION | section})
        return load_settings(env, cwd=tmp_path, home=tmp_path).base_url

    for section, env in (({"base_url": CLEAR_TEXT}, {}), ({}, {"OPENAI_BASE_URL": CLEAR_TEXT})):
        with pytest.raises(SettingsError, match=r"https|not encrypted"):
            base_url(section, **env)
    assert base_url({"base_url": CLEAR_TEXT, "allow_http": True}) == CLEAR_TEXT
    assert base_url({"allow_http": True}, OPENAI_BASE_URL=CLEAR_TEXT) == CLEAR_TEXT
    assert base_url({}, OPENAI_BASE_URL=CLEAR_TEXT, NEUROFLOW_PROXY_ALLOW_HTTP="1") == CLEAR_TEXT
    assert base_url({"base_url": "http://127.0.0.1:8000/v1"}) == "http://127.0.0.1:8000/v1"


def test_without_anything_the_defaults_are_e_infra_and_no_key(tmp_path: Path) -> None:
    settings = load_settings({}, cwd=tmp_path, home=tmp_path)
    assert (settings.base_url, settings.model) == ("https://llm.ai.e-infra.cz/v1", "kimi-k2.5")
    assert (settings.api_key, settings.token, settings.path) == ("", None, None)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "4001a", "4001.0", "4001²", "9" * 5_000])
def test_a_port_of_the_environment_that_is_none_is_refused(port: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="NEUROFLOW_PROXY_PORT"):
        load_settings({"NEUROFLOW_PROXY_PORT": port}, cwd=tmp_path, home=tmp_path)
