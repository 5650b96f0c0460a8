"""The providers that people use."""

import pytest

from neuroflow_proxy.flags import PROVIDERS
from neuroflow_proxy.presets import PRESETS, Preset, preset_of
from neuroflow_proxy.setup.keys import found_keys, provider_name, where_keys_are_made
from neuroflow_proxy.setup.urls import to_base_url
from neuroflow_proxy.wire.hosts import is_this_machine, sends_keys_in_the_clear
from tests.setup.user import User


def test_the_command_line_knows_all_of_them() -> None:
    assert tuple(preset.name for preset in PRESETS) == PROVIDERS
    assert PROVIDERS[0] == "einfra"


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_each_is_whole(preset: Preset) -> None:
    assert to_base_url(preset.base_url) == preset.base_url
    assert not sends_keys_in_the_clear(preset.base_url)
    assert provider_name(preset.base_url) == preset.name
    assert preset_of(f"{preset.base_url}/chat/completions") is preset
    if not is_this_machine(preset.base_url):
        assert preset.keys_page in where_keys_are_made(preset.base_url)
        for variable in preset.variables:
            (key,) = found_keys(preset.base_url, {variable: "sk-something"}, [])
            assert variable in key.source


def test_the_key_of_one_is_offered_to_no_other() -> None:
    env = {variable: "sk-something" for preset in PRESETS[1:] for variable in preset.variables}
    assert found_keys(PRESETS[0].base_url, env, []) == []


def test_a_service_on_another_port_of_this_machine_is_none_of_them() -> None:
    assert preset_of("http://127.0.0.1:4321/v1") is None


def test_a_provider_and_a_base_url_are_one_too_many(user: User) -> None:
    assert user.run("models", "--provider", "ollama", "--base-url", "http://localhost:1/v1").code == 2


def test_a_provider_can_be_named(user: User) -> None:
    ran = user.run("setup", "--provider", "moonshot", "--yes", "--json")
    assert (ran.code, ran.json["error"]["kind"]) == (7, "needs_terminal")
    assert "https://api.moonshot.ai/v1" in ran.json["error"]["message"]
