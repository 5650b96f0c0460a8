"""What is asked of one model stays with that model: nothing of it is left over for the next."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from neuroflow_proxy.demo.provider import DemoProvider
from neuroflow_proxy.demo.script import Cut, Pause, Script, Status, finish, in_turn, role, text, tool_call
from neuroflow_proxy.provider import retry
from tests.grammar import Said, listen, parse_sse
from tests.serving import proxy_before

TOOLS = [
    {"name": name, "description": "d", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}
    for name in ("Read", "Write")
]
OK = [*role(), *text("fine"), *finish()]


@contextmanager
def chained(folder: Path, script: Script, *models: str) -> Iterator[tuple[DemoProvider, str]]:
    """A proxy that asks the first model, and falls back to the others."""
    provider = DemoProvider(script, limits=None)
    file = folder / ".neuroflow" / "integrations.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"custom_llm": {"fallback_models": models[1:]}}))
    with proxy_before(provider, folder, BIG_MODEL=models[0]) as url:
        yield provider, url


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_FIRST_WAIT_S", dict.fromkeys(retry._FIRST_WAIT_S, 0.01))


def said(url: str, **more: Any) -> Said:
    body = {"model": "claude-x", "max_tokens": 30_000, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    response = httpx.post(f"{url}/v1/messages", json={**body, **more}, timeout=30)
    assert response.status_code == 200, response.text
    return listen(parse_sse(response.content))


def test_a_limit_that_was_lowered_for_one_model_is_not_the_next_ones(tmp_path: Path) -> None:
    refusal = "max_tokens is too large: 30000. This model supports at most 4096 completion tokens."

    def script(body: Any) -> Any:
        if body["model"] == "qwen3.5-122b":
            return OK
        return [Status(400, {"error": {"message": refusal}}) if body["max_tokens"] > 4096 else Status(503, "down")]

    with chained(tmp_path, script, "kimi-k2.5", "qwen3.5-122b") as (provider, url):
        assert said(url).text == "fine"
    limits = {(request.body["model"], request.body["max_tokens"]) for request in provider.requests}
    assert limits == {("kimi-k2.5", 30_000), ("kimi-k2.5", 4096), ("qwen3.5-122b", 30_000)}


def test_the_next_models_answer_is_read_as_that_model_speaks(tmp_path: Path) -> None:
    """One just talks; the other begins within its thoughts, and only says where they end."""

    def script(body: Any) -> Any:
        if body["model"] == "mistral-small-4":
            return [Status(503, "down")]
        return [*role(), *text("They want a word.\n"), *text("</think>\n\n"), *text("fine"), *finish()]

    with chained(tmp_path, script, "mistral-small-4", "deepseek-v3.2-thinking") as (_, url):
        answer = said(url, thinking={"type": "enabled", "budget_tokens": 9000})
    assert (answer.thinking.strip(), answer.text.strip()) == ("They want a word.", "fine")


def test_a_call_of_which_only_the_name_arrived_is_no_part_of_the_next_answer(tmp_path: Path) -> None:
    broken = [*role(), *tool_call("Write", {}, id="c1")[:1], Pause(0.1), Cut("rst")]
    whole = [*tool_call("Read", {"path": "/a"}, id="c2"), *finish("tool_calls")]
    with chained(tmp_path, in_turn(broken, whole), "kimi-k2.5") as (provider, url):
        assert said(url, tools=TOOLS).calls == [("Read", '{"path":"/a"}')]
    assert len(provider.requests) == 2


def test_models_that_are_listed_twice_each_have_all_their_tries_in_turn_and_no_more(tmp_path: Path) -> None:
    down = [Status(503, "down")]
    models = ("kimi-k2.5", "qwen3.5-122b", "kimi-k2.5", "qwen3.5-122b")
    with chained(tmp_path, lambda body: down, *models) as (provider, url):
        body = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
        assert httpx.post(f"{url}/v1/messages", json=body, timeout=30).status_code == 503
    asked = [request.body["model"] for request in provider.requests]
    assert asked == [model for model in models[:2] for _ in range(retry.MAX_ATTEMPTS)]
