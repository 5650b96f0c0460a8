"""The whole way with LiteLLM itself in it: set-up, the proxy, LiteLLM as the gateway, the built-in provider behind."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from neuroflow_proxy.demo.provider import DemoProvider
from neuroflow_proxy.demo.rules.families import fits
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.demo.script import (
    Answer,
    Cut,
    Hang,
    Pause,
    Raw,
    Status,
    finish,
    in_turn,
    reasoning,
    role,
    text,
    tool_call,
)
from tests.gateway.gateway import AT_ONCE, litellm
from tests.grammar import Said, listen, parse_sse
from tests.serving import wait_until
from tests.setup.user import KEY, WRONG_KEY, Ran, User

pytestmark = pytest.mark.e2e

MODELS = ("kimi-k2.5", "glm-4.7", "gpt-oss-120b")
OK: Answer = [*role(), *text("fine"), *finish()]
READ = {
    "name": "Read",
    "description": "Reads a file.",
    "input_schema": {
        "type": "object",
        "properties": {"file_path": {"type": "string"}},
        "required": ["file_path"],
        "additionalProperties": False,
    },
}
BASH = {
    "name": "Bash",
    "description": "Runs a command.",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
}


def question(**more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Hi"}]
    return {"model": "claude-opus-5-5", "max_tokens": 4000, "stream": True, "messages": messages, **more}


@dataclass(frozen=True)
class Gateway:
    """Somebody who has set up with LiteLLM's address, and what stands behind it."""

    user: User
    ran: Ran
    provider: DemoProvider
    http: httpx.Client
    """The way to the proxy that was set up."""

    def ask(self, **more: Any) -> httpx.Response:
        return self.http.post("/v1/messages", json=question(**more))

    def say(self, **more: Any) -> Said:
        response = self.ask(**more)
        assert response.status_code == 200, response.text
        return listen(parse_sse(response.content))

    @property
    def retries(self) -> int:
        """How often the proxy has asked again since its start."""
        return sum(int(model["retries"]) for model in self.http.get("/stats").json()["models"].values())

    @property
    def statuses(self) -> list[int | None]:
        return [received.status for received in self.provider.requests]


@pytest.fixture(scope="module")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("litellm")
    home, project = folder / "home of somebody", folder / "home of somebody" / "project"
    project.mkdir(parents=True)
    provider = DemoProvider(limits=None)
    with running(provider) as behind, litellm(folder, models=MODELS, behind=behind, key=KEY) as base_url:
        user = User(home, project, provider, base_url)
        ran = user.set_up("--yes")
        try:
            assert ran.code == 0, ran.stdout + ran.stderr
            token = {"authorization": f"Bearer {user.section['proxy_token']}"}
            with httpx.Client(base_url=ran.json["url"], headers=token, timeout=60) as http:
                yield Gateway(user, ran, provider, http)
        finally:
            user.run("stop")


@pytest.fixture
def gateway(set_up: Gateway) -> Gateway:
    set_up.provider.script = None
    set_up.provider.requests.clear()
    set_up.provider.most_in_flight = 0
    return set_up


def test_set_up_finds_the_models_and_recommends_one(set_up: Gateway) -> None:
    assert set_up.ran.json["model"] == "kimi-k2.5"


def test_set_up_tells_a_wrong_key_from_a_right_one(set_up: Gateway, tmp_path: Path) -> None:
    user = User(tmp_path, tmp_path, set_up.provider, set_up.user.base_url)
    ran = user.run("setup", "--base-url", user.base_url, "--key-stdin", "--yes", "--json", stdin=f"{WRONG_KEY}\n")
    assert (ran.code, ran.json["error"]["kind"]) == (4, "authentication")


def test_the_models_are_listed_for_claude_codes_own_list(gateway: Gateway) -> None:
    listed = gateway.http.get("/v1/models").json()["data"]
    assert [(model["id"], model["display_name"]) for model in listed] == [(f"anthropic/{id}", id) for id in MODELS]


def test_what_was_thought_and_said_arrives_as_it_was(gateway: Gateway) -> None:
    thought, words = "Přemýšlím…\u2028", 'Žluťoučký kůň\u2028\u0085 "úpěl" \\ 漢字 🐎\n\tkonec.'
    gateway.provider.script = in_turn([*role(), *reasoning(thought, pieces=4), *text(words, pieces=9), *finish()])
    said = gateway.say()
    assert (said.thinking, said.text, said.stop_reason) == (thought, words, "end_turn")
    assert said.usage["input_tokens"] > 0
    assert said.usage["output_tokens"] > 1


def test_an_answer_that_is_not_streamed_says_the_same(gateway: Gateway) -> None:
    gateway.provider.script = in_turn([*role(), *reasoning("Hm."), *text("Yes.", pieces=2), *finish()])
    message = gateway.ask(stream=False).json()
    assert [block.get("thinking", block.get("text")) for block in message["content"]] == ["Hm.", "Yes."]


@pytest.mark.parametrize("model", MODELS)
def test_tools_are_used_over_several_turns_and_every_request_is_accepted(gateway: Gateway, model: str) -> None:
    """The provider refuses what is not in the form of its model: ids, reasoning that does not come back, fields."""
    messages: list[dict[str, Any]] = []
    called = []
    for request in ("Read /a and read /b, all at once.", "Run `date`, then run `id`."):
        messages.append({"role": "user", "content": request})
        while True:
            answer = gateway.ask(model=f"anthropic/{model}", messages=messages, tools=[READ, BASH], stream=False)
            content = answer.json()["content"]
            messages.append({"role": "assistant", "content": content})
            calls = [block for block in content if block["type"] == "tool_use"]
            if not calls:
                break
            called.append([(call["name"], *call["input"].values()) for call in calls])
            results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "It ran."} for call in calls]
            messages.append({"role": "user", "content": results})
    assert called == [[("Read", "/a"), ("Read", "/b")], [("Bash", "date")], [("Bash", "id")]]
    assert set(gateway.statuses) == {200}
    assert {received.body["model"] for received in gateway.provider.requests} == {model}


@pytest.mark.parametrize(
    ("refusal", "status", "says"),
    [
        (Status(400, {"error": {"message": "I do not like it."}}), 400, "I do not like it."),
        (Status(401, {"error": {"message": "invalid api key"}}), 401, "key"),
        (Status(403, {"error": {"message": "not for you"}}), 403, "not for you"),
        (Status(404, {"error": {"message": "The model `x` does not exist."}}), 404, "does not exist"),
        (Status(400, {"error": {"message": "Budget has been exceeded! Current cost: 2"}}), 402, "no credit"),
    ],
)
def test_a_refusal_is_told_in_the_providers_own_words_alone(
    gateway: Gateway, refusal: Status, status: int, says: str
) -> None:
    refused: Answer = [refusal]
    gateway.provider.script = in_turn(*[refused] * 3)
    response = gateway.ask(messages=[{"role": "user", "content": says}])  # what was refused is remembered for a while
    assert (response.status_code, len(gateway.statuses)) == (status, 1), response.text
    message = response.json()["error"]["message"]
    assert says in message
    assert "fallback" not in message.lower()


@pytest.mark.parametrize(
    "fault",
    [
        Status(500, {"error": {"message": "the engine has died"}}),
        Status(502, "<html><title>502 Bad Gateway</title></html>", {"content-type": "text/html"}),
        Status(503, "Service Unavailable"),
        Status(429, {"detail": "Queue is full"}, {"retry-after": "1"}),
    ],
    ids=lambda fault: str(fault.code),
)
def test_what_passes_is_not_seen(gateway: Gateway, fault: Status) -> None:
    gateway.provider.script = in_turn([fault], OK)
    assert gateway.say().text == "fine"
    assert gateway.statuses == [fault.code, 200]


OVERFLOWS = (
    "This model's maximum context length is 1000 tokens. However, your request has 5000 input tokens. Please reduce "
    "the length of the input messages.",
    "The input (5000 tokens) is longer than the model's context length (1000 tokens).",
    "Requested token count exceeds the model's maximum context length of 1000 tokens. You requested a total of 5000 "
    "tokens: 4900 tokens from the input messages and 100 tokens for the completion.",
)


@pytest.mark.parametrize("words", OVERFLOWS)
def test_an_overflow_is_worded_so_that_claude_code_compacts(gateway: Gateway, words: str) -> None:
    refused: Answer = [Status(400, {"error": {"message": words, "code": 400}})]
    gateway.provider.script = in_turn(*[refused] * 3)
    response = gateway.ask(messages=[{"role": "user", "content": words}])
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith("prompt is too long")
    assert "1000" in response.json()["error"]["message"]


def test_too_large_max_tokens_are_corrected_from_the_refusal(gateway: Gateway) -> None:
    def small(body: Any) -> Answer:
        complaints = list(fits(20_000)(body))
        return [Status(400, {"error": {"message": complaints[0]}})] if complaints else OK

    gateway.provider.script = small
    assert gateway.say(model="glm-4.7", max_tokens=30_000).text == "fine"
    assert gateway.statuses == [400, 200]
    assert gateway.provider.requests[1].body["max_tokens"] < 20_000


def test_six_at_once_share_the_two_places_of_the_key_and_none_is_refused(gateway: Gateway) -> None:
    gateway.provider.script = lambda _: [*role(), Pause(0.3), *text("fine"), *finish()]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: gateway.say().text, range(6)))
    assert answers == ["fine"] * 6
    assert gateway.provider.most_in_flight == AT_ONCE


def test_while_others_have_both_places_it_is_waited_for(gateway: Gateway) -> None:
    held = [*role(), *text("held"), Pause(4), *finish()]
    gateway.provider.script = in_turn(*[held] * AT_ONCE, OK)

    def ask_without_the_proxy(_: int) -> int:
        body = {"model": MODELS[0], "messages": [{"role": "user", "content": "Hi"}], "stream": True}
        key = {"authorization": f"Bearer {KEY}"}
        return httpx.post(f"{gateway.user.base_url}/chat/completions", json=body, headers=key, timeout=30).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        others = pool.map(ask_without_the_proxy, range(AT_ONCE))
        wait_until(lambda: len(gateway.statuses) == AT_ONCE, "both places are taken")
        before = gateway.retries
        assert gateway.say().text == "fine"
        assert gateway.retries > before
        assert list(others) == [200] * AT_ONCE


@pytest.mark.parametrize(
    "fault",
    [
        [Pause(0.2), Cut("rst")],
        [Pause(0.2), Cut("fin")],
        [Raw(b'data: {"error": {"message": "the engine has died", "code": 500}}\n\n'), Cut("end")],
    ],
    ids=["reset", "closed", "error inside"],
)
def test_an_answer_that_breaks_off_ends_with_an_error(gateway: Gateway, fault: Answer) -> None:
    gateway.provider.script = in_turn([*role(), *text("half of"), *fault])
    said = gateway.say()
    assert said.text == "half of"
    assert said.error is not None


def test_half_a_call_never_runs(gateway: Gateway) -> None:
    half = tool_call("Bash", {"command": "rm -r build/old"}, id="functions.Bash:0", pieces=2)[:2]
    gateway.provider.script = in_turn([*role(), *half, Cut("end")], OK)
    for name, arguments in gateway.say(tools=[BASH]).calls:
        with pytest.raises(json.JSONDecodeError):
            json.loads(arguments)
        assert name == "Bash"


def test_who_goes_takes_the_request_with_them_all_the_way(gateway: Gateway) -> None:
    gateway.provider.script = in_turn([*role(), *text("a"), Hang()])
    with gateway.http.stream("POST", "/v1/messages", json=question()) as response:
        next(response.iter_bytes())
    wait_until(lambda: gateway.provider.requests[0].disconnected, "the provider sees that the client is gone", 5.0)
