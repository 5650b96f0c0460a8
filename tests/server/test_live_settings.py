"""Settings follow their file, at once and without a restart."""

import json
import os
import time
from pathlib import Path

import httpx
import pytest

from neuroflow_proxy.demo.provider import DEMO_KEY, DemoProvider
from neuroflow_proxy.demo.run import running
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


@pytest.mark.parametrize("elsewhere", [{}, {"custom_llm": {"model": "another", "api_key": "for another service"}}])
@pytest.mark.parametrize("found_by", ["its name", "its place"])
def test_a_file_that_is_gone_for_a_while_keeps_the_last_good_settings(
    found_by: str, elsewhere: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some editors write a file by taking the old one away first."""
    monkeypatch.setattr(live_settings, "CHECK_INTERVAL_S", 0.0)
    home, project = tmp_path / "home", tmp_path / "project"
    file = project / INTEGRATIONS_NAME
    for path, content in ((file, None), (home / INTEGRATIONS_NAME, elsewhere)):
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content))

    def choose(model: str) -> None:
        file.write_text(json.dumps({"custom_llm": {"model": model, "api_key": "for this service"}}))

    env = {"NEUROFLOW_PROXY_INTEGRATIONS": str(file)} if found_by == "its name" else {}
    load = lambda: load_settings(env, cwd=project, home=home)  # noqa: E731
    choose("first")
    live = LiveSettings(load(), load, time.monotonic)
    file.unlink()
    assert (live.current().model, live.current().api_key) == ("first", "for this service")
    assert live.problem is not None
    choose("second")
    assert live.current().model == "second"
    assert live.problem is None
