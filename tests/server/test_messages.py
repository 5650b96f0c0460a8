"""The Messages API over HTTP: the real server in front of the built-in provider."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from neuroflow_proxy.demo.provider import DemoProvider
from neuroflow_proxy.demo.script import (
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
    usage,
)
from neuroflow_proxy.provider import client
from neuroflow_proxy.server import answers, asking
from tests.grammar import listen, parse_sse
from tests.serving import proxy_before, wait_until

READ = {
    "name": "Read",
    "description": "d",
    "input_schema": {"type": "object", "properties": {"file_path": {"type": "string"}}},
}


def ask(**more: Any) -> dict[str, Any]:
    return {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}], **more}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DemoProvider, str]]:
    provider = DemoProvider()
    with proxy_before(provider, tmp_path_factory.mktemp("proxy")) as url:
        yield provider, url


@pytest.fixture
def provider(served: tuple[DemoProvider, str]) -> DemoProvider:
    served[0].requests.clear()
    served[0].script = None
    return served[0]


@pytest.fixture
def url(served: tuple[DemoProvider, str]) -> str:
    return served[1]


ANSWER = [*role(), *reasoning("Let me see."), *text("Dobrý den, žluťoučký kůň\u2028!", pieces=5), *finish()]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages?beta=true", "/v1/v1/messages?a=1&b=2"])
def test_a_streamed_answer_arrives_whole(provider: DemoProvider, url: str, path: str) -> None:
    provider.script = in_turn(ANSWER)
    response = httpx.post(url + path, json=ask(stream=True))
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-neuroflow-model"] == "kimi-k2.5"
    events = parse_sse(response.content)
    assert events[0]["message"]["model"] == "claude-opus-5-5"
    said = listen(events)
    assert (said.thinking, said.text) == ("Let me see.", "Dobrý den, žluťoučký kůň\u2028!")
    assert said.usage["input_tokens"] > 0
    assert said.usage["output_tokens"] > 0


@pytest.mark.parametrize("name", ["kimi\nk2", "kimi\x7fk2", "kimižk2"])
def test_any_model_name_is_answered(provider: DemoProvider, url: str, name: str) -> None:
    response = httpx.post(f"{url}/v1/messages", json=ask(model=name))
    assert response.status_code == 404
    assert response.json()["error"]["type"] == "not_found_error"
    assert response.headers["x-neuroflow-model"] == "kimi?k2"


def test_an_answer_that_is_not_streamed_says_the_same(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn(
        [*ANSWER[:-1], *tool_call("Read", {"file_path": "/a"}, id="c1", pieces=3), *finish("stop")]
    )
    message = httpx.post(f"{url}/v1/messages", json=ask(tools=[READ])).json()
    assert message["type"] == "message"
    assert message["model"] == "claude-opus-5-5"
    assert message["stop_reason"] == "tool_use"
    assert [block["type"] for block in message["content"]] == ["thinking", "text", "tool_use"]
    assert message["content"][2]["input"] == {"file_path": "/a"}
    assert message["usage"]["input_tokens"] > 0


def test_the_provider_is_always_asked_for_a_stream_with_usage(provider: DemoProvider, url: str) -> None:
    httpx.post(f"{url}/v1/messages", json=ask())
    (request,) = provider.requests
    assert request.body["stream"] is True
    assert request.body["stream_options"] == {"include_usage": True}
    assert request.status == 200


def test_several_turns_with_a_tool_go_on_from_what_was_said(provider: DemoProvider, url: str) -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Read /etc/hostname"}]
    provider.script = in_turn(
        [
            *reasoning("I read it."),
            *tool_call("Read", {"file_path": "/etc/hostname"}, id="functions.Read:0"),
            *finish("tool_calls"),
        ],
        [*text("It says box."), *finish()],
    )
    first = httpx.post(f"{url}/v1/messages", json=ask(messages=messages, tools=[READ])).json()
    call = first["content"][-1]
    messages += [
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": "box"}]},
    ]
    second = httpx.post(f"{url}/v1/messages", json=ask(messages=messages, tools=[READ])).json()
    assert second["content"][0]["text"] == "It says box."
    sent = provider.requests[1].body["messages"]
    assert [message["role"] for message in sent][-3:] == ["user", "assistant", "tool"]
    assert sent[-1]["content"] == "box"
    assert sent[-1]["tool_call_id"] == sent[-2]["tool_calls"][0]["id"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_refusal_is_a_real_status_with_the_providers_words(provider: DemoProvider, url: str, stream: bool) -> None:
    provider.script = in_turn(*[[Status(403, {"error": {"message": "not for you"}})]] * 9)
    response = httpx.post(f"{url}/v1/messages", json=ask(stream=stream))
    assert response.status_code == 403
    assert response.json()["type"] == "error"
    assert response.json()["error"]["type"] == "permission_error"
    assert "not for you" in response.json()["error"]["message"]


@pytest.mark.parametrize("how", ["fin", "rst", "end"])
def test_a_stream_that_breaks_after_text_ends_with_an_error_event(provider: DemoProvider, url: str, how: Any) -> None:
    provider.script = in_turn([*text("half of"), Pause(0.3), Cut(how)])
    said = listen(parse_sse(httpx.post(f"{url}/v1/messages", json=ask(stream=True)).content))
    assert said.text == "half of"
    assert said.error is not None


def test_bad_requests_are_told_in_the_messages_apis_form(url: str) -> None:
    for body in (
        b"",
        b"{",
        b"[]",
        b"NaN",
        b'{"model": "m"}',
        b'{"model":"m","max_tokens":1,"messages":7}',
        b"[" * 20000,
    ):
        response = httpx.post(f"{url}/v1/messages", content=body)
        assert response.status_code == 400, body[:40]
        assert response.json()["error"]["type"] == "invalid_request_error"
    assert httpx.get(f"{url}/healthz").status_code == 200


def test_silence_is_filled_with_pings(provider: DemoProvider, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "HOLD_HEADERS_S", 0.1)
    monkeypatch.setattr(answers, "PING_INTERVAL_S", 0.1)
    provider.script = in_turn([Pause(0.5), *text("a"), Pause(0.5), *text("b"), *finish()])
    events = parse_sse(httpx.post(f"{url}/v1/messages", json=ask(stream=True)).content)
    assert events[0]["type"] == "ping"
    assert [event["type"] for event in events].count("ping") >= 4
    assert listen(events).text == "ab"


def test_an_early_failure_is_a_status_and_a_late_one_an_event(
    provider: DemoProvider, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "HOLD_HEADERS_S", 0.2)
    refused = Status(403, {"error": {"message": "not for you"}})
    provider.script = in_turn([refused], [Pause(0.6), refused])
    assert httpx.post(f"{url}/v1/messages", json=ask(stream=True)).status_code == 403
    late = httpx.post(f"{url}/v1/messages", json=ask(stream=True))
    assert late.status_code == 200
    error = listen(parse_sse(late.content)).error
    assert error is not None
    assert error["type"] == "permission_error"
    assert "not for you" in error["message"]


def test_a_client_that_goes_takes_the_request_upstream_with_it(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn([*text("a"), Hang()], [Hang()])
    with httpx.stream("POST", f"{url}/v1/messages", json=ask(stream=True)) as response:
        next(response.iter_bytes())
    wait_until(lambda: provider.requests[0].disconnected, "the stream upstream is closed", 1.0)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{url}/v1/messages", json=ask(), timeout=0.3)
    wait_until(lambda: provider.requests[1].disconnected, "the request upstream is closed", 1.0)


def test_a_server_that_is_stopped_says_so_in_the_answers_that_it_cuts_off(tmp_path: Path) -> None:
    """Where a stream only breaks off, Claude Code throws away what was said, and has all of it said anew."""
    whole_call = tool_call("Read", {"file_path": "/a"}, id="c1", pieces=2)
    provider = DemoProvider(in_turn([*role(), *whole_call, *text("and"), Hang()], [Hang()]))
    with ThreadPoolExecutor() as clients:
        with proxy_before(provider, tmp_path) as url:
            asked = []
            for streams in (True, False):
                body = ask(stream=streams, tools=[READ])
                asked.append(clients.submit(httpx.post, f"{url}/v1/messages", json=body, timeout=20))
                wait_until(lambda: len(provider.requests) == len(asked), "the provider is asked")
        streamed, whole = (answer.result() for answer in asked)
    said = listen(parse_sse(streamed.content))
    assert said.error == {"type": "api_error", "message": "The proxy was stopped."}
    assert [json.loads(arguments) for _, arguments in said.calls] == [{"file_path": "/a"}]
    assert (whole.status_code, whole.json()["error"]) == (503, said.error)


def test_a_provider_that_finished_but_does_not_close_is_not_waited_for(
    provider: DemoProvider, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "END_GRACE_S", 0.1)
    provider.script = in_turn([*text("a"), *finish(), Hang()])
    said = listen(parse_sse(httpx.post(f"{url}/v1/messages", json=ask(stream=True)).content))
    assert (said.text, said.stop_reason) == ("a", "end_turn")


def test_the_last_words_do_not_wait_for_a_body_that_does_not_end(
    provider: DemoProvider, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "DRAIN_S", 4.0)
    chunk = {"choices": [{"index": 0, "delta": {"content": "All of it."}, "finish_reason": "stop"}]}
    provider.script = in_turn([Raw(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()), Hang()])
    began, said = time.monotonic(), b""
    with httpx.stream("POST", f"{url}/v1/messages", json=ask(stream=True), timeout=30) as response:
        for piece in response.iter_raw():
            said += piece
            if b"All of it." in said:
                break
        assert time.monotonic() - began < 3


def test_json_where_a_stream_was_asked_is_read_too(provider: DemoProvider, url: str) -> None:
    body = {"choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}
    provider.script = in_turn([Raw(json.dumps(body).encode()), Cut("end")])
    assert listen(parse_sse(httpx.post(f"{url}/v1/messages", json=ask(stream=True)).content)).text == "hi"


@pytest.mark.parametrize(("choice", "calls"), [("auto", 1), ("none", 0)])
def test_a_call_in_the_text_stays_text_where_the_client_wants_none(
    provider: DemoProvider, url: str, choice: str, calls: int
) -> None:
    written = 'See:\n<tool_call>\n{"name": "Read", "arguments": {"file_path": "/a"}}\n</tool_call>'
    provider.script = in_turn([*role(), *text(written), *finish()])
    body = ask(tools=[READ], tool_choice={"type": choice})
    message = httpx.post(f"{url}/v1/messages", json=body).json()
    assert len([block for block in message["content"] if block["type"] == "tool_use"]) == calls
    assert message["stop_reason"] == ("tool_use" if calls else "end_turn")
    assert (message["content"][0]["text"] == written) is not bool(calls)


def test_tokens_are_counted_without_asking_the_provider(provider: DemoProvider, url: str) -> None:
    response = httpx.post(f"{url}/v1/messages/count_tokens?beta=true", json=ask())
    assert response.json()["input_tokens"] > 0
    assert provider.requests == []


def test_tokens_are_counted_as_the_named_model_counts_them(provider: DemoProvider, url: str) -> None:
    long = {"messages": [{"role": "user", "content": "a bridge of words " * 1_000}]}

    def counted(model: str) -> int:
        response = httpx.post(f"{url}/v1/messages/count_tokens", json=ask(model=model, **long))
        return int(response.json()["input_tokens"])

    of_the_chosen, of_another = counted("claude-opus-5-5"), counted("anthropic/qwen3.5-122b")
    provider.script = in_turn([*role(), *text("Yes."), *finish(), *usage(2 * of_another, 1)])
    assert httpx.post(f"{url}/v1/messages", json=ask(model="anthropic/qwen3.5-122b", **long)).status_code == 200
    assert counted("anthropic/qwen3.5-122b") == pytest.approx(2 * of_another, rel=0.1)
    assert counted("claude-opus-5-5") == of_the_chosen


def test_one_connection_upstream_serves_many_requests(tmp_path: Path) -> None:
    provider = DemoProvider()
    peers = set()

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        peers.add(scope.get("client"))
        await provider(scope, receive, send)

    with proxy_before(noting, tmp_path) as url, httpx.Client() as client:  # type: ignore[arg-type]
        for _ in range(3):
            assert client.post(f"{url}/v1/messages", json=ask()).status_code == 200
    assert len(peers - {None}) == 1
