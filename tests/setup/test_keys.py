"""Where keys come from, and to whom they may go."""

import io
import sys
from pathlib import Path

import pytest

from neuroflow_proxy.errors import SettingsError
from neuroflow_proxy.presets import OWN_KEY
from neuroflow_proxy.settings import EINFRA_BASE_URL, CustomLlm, parse_section
from neuroflow_proxy.setup.keys import (
    checked,
    found_keys,
    key_from_flags,
    last_four,
    looks_like_a_jwt,
    provider_name,
    where_keys_are_made,
)

KEY = "sk-test-key-4711"
ELSEWHERE = "https://openrouter.ai/api/v1"


def section(key: str, base_url: str = EINFRA_BASE_URL) -> CustomLlm:
    return parse_section({"api_key": key, "base_url": base_url})


def from_flags(*, from_stdin: bool = False, variable: str | None = None, file: Path | None = None) -> str | None:
    key = key_from_flags(from_stdin=from_stdin, variable=variable, file=file, env={"MY_KEY": KEY, "EMPTY": " "})
    return key and key.value


def test_no_flag_gives_no_key() -> None:
    assert from_flags() is None


def test_a_key_is_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f" {KEY}\r\nand more".encode())))
    assert from_flags(from_stdin=True) == KEY


def test_a_terminal_is_no_standard_input_for_a_key_since_it_would_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(io.BytesIO(KEY.encode())))
    with pytest.raises(SettingsError, match="terminal"):
        from_flags(from_stdin=True)


def test_standard_input_that_is_no_text_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe\x00")))
    with pytest.raises(SettingsError):
        from_flags(from_stdin=True)


def test_a_key_is_read_from_a_variable() -> None:
    assert from_flags(variable="MY_KEY") == KEY


def test_a_key_is_read_from_a_file_whatever_editor_wrote_it(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"\xef\xbb\xbf" + KEY.encode() + b"\r\n")
    assert from_flags(file=file) == KEY


@pytest.mark.parametrize(("variable", "words"), [("EMPTY", "no key in the variable EMPTY"), ("ABSENT", "not set")])
def test_a_variable_without_a_key_is_told(variable: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        from_flags(variable=variable)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        from_flags(file=tmp_path / "absent")
    (tmp_path / "picture").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(SettingsError, match="text"):
        from_flags(file=tmp_path / "picture")


@pytest.mark.parametrize("raw", ["two words", "line\nbreak", "klíč-který-není", "tab\there", "nul\0", "x" * 9000])
def test_what_fits_no_header_is_no_key_and_is_not_quoted(raw: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        checked(raw, "here")
    assert raw not in refusal.value.full_message


def test_only_the_last_four_letters_are_shown_and_of_a_short_key_none() -> None:
    assert last_four(KEY) == "…4711"
    assert last_four("short") == "…"
    assert KEY not in repr(checked(KEY, "here"))


def test_a_key_is_found_only_for_the_service_that_it_belongs_to() -> None:
    env = {"E_INFRA_API_TOKEN": "einfra-one", "OPENAI_API_KEY": "openai-one"}
    files = [(Path("a"), section("file-one")), (Path("b"), section("other-one", ELSEWHERE))]
    assert [key.value for key in found_keys(EINFRA_BASE_URL, env, files)] == ["einfra-one", "file-one"]
    assert [key.value for key in found_keys(ELSEWHERE, env, files)] == ["other-one"]
    assert [key.value for key in found_keys("https://api.openai.com/v1", env, files)] == ["openai-one"]
    assert found_keys(EINFRA_BASE_URL, {"E_INFRA_API_TOKEN": " "}, [(Path("a"), section(""))]) == []


def test_the_variables_of_openai_belong_together() -> None:
    env = {"OPENAI_API_KEY": "one", "OPENAI_BASE_URL": EINFRA_BASE_URL}
    assert [key.value for key in found_keys(EINFRA_BASE_URL, env, [])] == ["one"]


def test_the_same_key_is_found_once() -> None:
    env = {"EINFRA_API_KEY": KEY, "E_INFRA_API_TOKEN": KEY}
    (key,) = found_keys(EINFRA_BASE_URL, env, [(Path("a"), section(KEY))])
    assert "EINFRA_API_KEY" in key.source


def test_the_jwt_beside_the_keys_is_known_for_what_it_is() -> None:
    assert looks_like_a_jwt("eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl")
    assert not looks_like_a_jwt(KEY)


def test_where_keys_are_made_is_said() -> None:
    assert "https://chat.ai.e-infra.cz" in where_keys_are_made(EINFRA_BASE_URL)
    assert "openrouter.ai" in where_keys_are_made(ELSEWHERE)
    assert "account pages of llm.example" in where_keys_are_made("https://llm.example/v1")
    assert where_keys_are_made("http://localhost:11434/v1") == OWN_KEY


def test_a_provider_is_called_as_people_call_it() -> None:
    urls = (EINFRA_BASE_URL, "https://llm.example:8000/v1", "http://[::1]:8000/v1")
    assert [provider_name(url) for url in urls] == ["einfra", "llm.example", "::1"]
