"""Settings follow their file, at once and without a restart."""

import json
import os
import time
from functools import partial
from pathlib import Path

import httpx
import pytest

from neuroflow_proxy.demo.provider import DEMO_KEY, DemoProvider
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.demo.script import Status, finish, in_turn, role, text
from neuroflow_proxy.server import live_settings
from neuroflow_proxy.server.app import create_app
from neuroflow_proxy.server.live_settings import LiveSettings
from neuroflow_proxy.settings import INTEGRATIONS_NAME, load_settings
from tests.serving import serving

ASK = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


def test_the_next_request_goes_to_the_model_that_the_file_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_settings, "CHECK_INTERVAL_S", 0.0)
    file = tmp_path / "integrations.json"
    provider = DemoProvider()

    def answers(url: str, asked: str) -> str:
        response = httpx.post(f"{url}/v1/messages", json={**ASK, "model": asked})
        assert response.status_code == 200
        return response.headers["x-neuroflow-model"]

    with running(provider) as base_url:

        def write(content: str) -> None:
            fresh = file.with_suffix(".new")
            fresh.write_text(content)
            os.replace(fresh, file)

        def choose(model: str) -> None:
            section = {"base_url": base_url, "api_key": DEMO_KEY, "model": model}
            write(json.dumps({"custom_llm": section}))

        choose("kimi-k2.5")
        env = {"NEUROFLOW_PROXY_INTEGRATIONS": str(file)}
        load = lambda: load_settings(env, cwd=tmp_path, home=tmp_path)  # noqa: E731
        with serving(create_app(load=load)) as url:
            assert answers(url, "claude-opus-5-5") == "kimi-k2.5"
            choose("qwen3.5-122b")
            assert answers(url, "claude-opus-5-5") == "qwen3.5-122b"
            # Claude Code goes on asking for the model it was started with; its picker's names carry a prefix.
            assert answers(url, "kimi-k2.5") == "qwen3.5-122b"
            assert answers(url, "anthropic/kimi-k2.5") == "kimi-k2.5"
            write("{broken")
            assert answers(url, "claude-opus-5-5") == "qwen3.5-122b"
            assert "not valid JSON" in httpx.get(f"{url}/stats").json()["settings_problem"]
            choose("kimi-k2.5")
            assert answers(url, "claude-opus-5-5") == "kimi-k2.5"
            assert httpx.get(f"{url}/stats").json()["settings_problem"] is None


@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize("left", [None, '{"another_program": {}}'])
def test_settings_that_are_taken_away_hold_until_they_are_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str | None, is_named: bool
) -> None:
    """Neither the person's global file nor the defaults take their place: they name another provider."""
    monkeypatch.setattr(live_settings, "CHECK_INTERVAL_S", 0.0)
    project, home = (tmp_path / name / INTEGRATIONS_NAME for name in ("project", "home"))

    def write(path: Path, model: str) -> None:
        section = {"base_url": "http://127.0.0.1:9/v1", "api_key": "k", "model": model, "proxy_token": "t"}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"custom_llm": section}))

    write(project, "kimi-k2.5")
    write(home, "glm-5.2")
    env = {"NEUROFLOW_PROXY_INTEGRATIONS": str(project)} if is_named else {}
    load = partial(load_settings, env, cwd=project.parent.parent, home=home.parent.parent)
    live = LiveSettings(load(), load, time.monotonic)
    if left is None:
        project.unlink()
    else:
        project.write_text(left)
    settings = live.current()
    assert (settings.model, settings.token) == ("kimi-k2.5", "t")
    assert str(project) in str(live.problem)
    write(project, "qwen3-coder")
    assert live.current().model == "qwen3-coder"
    assert live.problem is None


def test_a_limit_that_is_taken_out_of_the_file_gives_way_to_the_providers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_settings, "CHECK_INTERVAL_S", 0.0)
    file = tmp_path / "integrations.json"

    def choose(**limit: int) -> None:
        section = {"base_url": base_url, "api_key": DEMO_KEY, "model": "kimi-k2.5", **limit}
        file.write_text(json.dumps({"custom_llm": section}))

    def limit() -> int:
        running_at_once: int = httpx.get(f"{url}/stats").json()["queue"]["limit"]
        return running_at_once

    told = [Status(400, {"detail": "no"}, {"x-rate-limit-max-concurrent": "5"})]
    provider = DemoProvider(in_turn([*role(), *text("Hi"), *finish()], told), limits=None)
    with running(provider) as base_url:
        choose(max_concurrent_requests=10)
        load = partial(load_settings, {"NEUROFLOW_PROXY_INTEGRATIONS": str(file)}, cwd=tmp_path, home=tmp_path)
        with serving(create_app(load=load)) as url:
            assert httpx.post(f"{url}/v1/messages", json={**ASK, "model": "claude-x"}).status_code == 200
            assert limit() == 10
            choose()
            assert limit() == 2, "what holds until the provider has told"
            choose(max_concurrent_requests=10)
            assert httpx.post(f"{url}/v1/messages", json={**ASK, "model": "claude-x"}).status_code == 400
            assert limit() == 10
            choose()
            assert limit() == 5, "it was told while another held"
