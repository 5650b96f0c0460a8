"""Web search for clients that believe the server does it: alone, within an answer, and off."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from neuroflow_proxy.demo.provider import DemoProvider
from neuroflow_proxy.demo.script import Status, finish, in_turn, reasoning, role, text, tool_call
from neuroflow_proxy.provider import retry
from neuroflow_proxy.server import answers, searching
from neuroflow_proxy.websearch import search
from neuroflow_proxy.websearch.failure import SearchFailed
from neuroflow_proxy.websearch.searxng import search_searxng
from tests.grammar import Said, listen, parse_sse
from tests.sdk import read_with_sdk
from tests.searxng import PAGES, SearXNG
from tests.serving import proxy_before, serving, wait_until

SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
READ = {"name": "Read", "description": "d", "input_schema": {"type": "object", "properties": {}}}


@pytest.fixture
def service() -> Iterator[tuple[SearXNG, str]]:
    app = SearXNG()
    with serving(app) as url:
        yield app, url


@pytest.fixture
def provider() -> DemoProvider:
    return DemoProvider(limits=None)


def configure(folder: Path, **section: Any) -> None:
    file = folder / ".neuroflow" / "integrations.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"custom_llm": section}))


@pytest.fixture
def searxng(service: tuple[SearXNG, str]) -> SearXNG:
    return service[0]


@pytest.fixture
def url(
    provider: DemoProvider, service: tuple[SearXNG, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    monkeypatch.setattr(retry, "_FIRST_WAIT_S", dict.fromkeys(retry._FIRST_WAIT_S, 0.01))
    configure(tmp_path, web_search=service[1])
    with proxy_before(provider, tmp_path) as url:
        yield url


def only(query: str, tool: dict[str, Any] = SEARCH, **more: Any) -> dict[str, Any]:
    """The request that Claude Code's WebSearch makes."""
    content = [{"type": "text", "text": f"Perform a web search for the query: {query}"}]
    return {
        "model": "kimi-k2.5",
        "max_tokens": 32_000,
        "messages": [{"role": "user", "content": content}],
        "tools": [tool],
        "tool_choice": {"type": "auto"},
        "stream": True,
        **more,
    }


def asked(url: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    response = httpx.post(f"{url}/v1/messages", json=body, timeout=30)
    assert response.status_code == 200, response.text
    return parse_sse(response.content)


def kinds(said: Said) -> list[str]:
    return [block["type"] for block in said.blocks]


# --- one search and nothing else


@pytest.mark.parametrize("dated", ["web_search_20250305", "web_search_20260209"])
def test_a_search_is_answered_without_asking_a_model(
    provider: DemoProvider, searxng: SearXNG, url: str, dated: str
) -> None:
    events = asked(url, only("žluťoučký kůň & spol.", {**SEARCH, "type": dated}))
    said = listen(events)
    read_with_sdk(events)
    assert provider.requests == []
    assert searxng.queries == ["žluťoučký kůň & spol."]
    assert kinds(said) == ["server_tool_use", "web_search_tool_result", "text", "text", "text"]
    call, result, first, *_ = said.blocks
    assert (call["name"], json.loads(call["text"])) == ("web_search", {"query": "žluťoučký kůň & spol."})
    assert call["id"].startswith("srvtoolu_")
    assert result["tool_use_id"] == call["id"]
    assert [page["url"] for page in result["content"]] == [page["url"] for page in PAGES]
    assert result["content"][0]["title"] == "Masaryk University"
    assert result["content"][0]["page_age"] == "2026-03-01"
    assert {page["type"] for page in result["content"]} == {"web_search_result"}
    assert "Founded in 1919 & still there." in first["text"]
    (citation,) = first["citations"]
    assert citation["cited_text"] in first["text"]
    assert (citation["type"], citation["url"]) == ("web_search_result_location", "https://www.muni.cz/en")
    assert said.usage["server_tool_use"] == {"web_search_requests": 1}
    assert said.stop_reason == "end_turn"


def test_a_search_that_is_not_streamed_says_the_same(url: str) -> None:
    streamed = listen(asked(url, only("kůň")))
    message = httpx.post(f"{url}/v1/messages", json=only("kůň", stream=False)).json()
    assert [block["type"] for block in message["content"]] == kinds(streamed)
    assert message["content"][0]["input"] == {"query": "kůň"}
    assert message["content"][1]["content"] == streamed.blocks[1]["content"]
    assert message["content"][2]["citations"] == streamed.blocks[2]["citations"]
    assert message["usage"]["server_tool_use"] == {"web_search_requests": 1}


@pytest.mark.parametrize(
    ("domains", "kept"),
    [
        ({"allowed_domains": ["muni.cz"]}, ["https://www.muni.cz/en"]),
        ({"allowed_domains": ["example.org/guide", "ni.cz"]}, ["https://docs.example.org/guide/start"]),
        ({"blocked_domains": ["example", "kun.example"]}, ["https://www.muni.cz/en", PAGES[2]["url"]]),
    ],
)
def test_domains_are_honoured_whatever_the_service_finds(url: str, domains: Any, kept: list[str]) -> None:
    result = listen(asked(url, only("kůň", {**SEARCH, **domains}))).blocks[1]
    assert [page["url"] for page in result["content"]] == kept


def test_pages_of_private_networks_are_not_told(searxng: SearXNG, url: str) -> None:
    hosts = ["127.0.0.1", "10.1.2.3", "[::1]", "localhost:8080", "router", "nas.local", "169.254.169.254", "0x7f.1"]
    searxng.results = [{"url": f"http://{host}/admin", "title": "t", "content": "c"} for host in hosts]
    searxng.results += [{"url": "file:///etc/passwd"}, {"url": "javascript:alert(1)"}, {"url": 7}, PAGES[0]]
    result = listen(asked(url, only("kůň"))).blocks[1]
    assert [page["url"] for page in result["content"]] == ["https://www.muni.cz/en"]


def test_results_are_cut_to_size(searxng: SearXNG, url: str) -> None:
    searxng.results = [
        {"url": f"https://{index}.example.org/", "title": "t" * 5_000, "content": "c" * 20_000} for index in range(30)
    ]
    response = httpx.post(f"{url}/v1/messages", json=only("kůň"))
    assert len(listen(parse_sse(response.content)).blocks[1]["content"]) == 10
    assert len(response.content) < 50_000


@pytest.mark.parametrize("name", ["ALL_PROXY", "HTTP_PROXY"])
def test_a_proxy_of_the_institution_is_not_asked_about_a_service_on_this_machine(
    service: tuple[SearXNG, str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "socks5://127.0.0.1:9")
    assert asyncio.run(search_searxng(service[1], "kůň"))


def test_where_only_such_a_proxy_leads_out_the_search_fails_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(SearchFailed, match="SearXNG cannot be reached"):
        asyncio.run(search_searxng("https://search.invalid", "secret"))


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (403, b"Forbidden", "unavailable"),
        (429, b"", "too_many_requests"),
        (500, b"<html>", "unavailable"),
        (302, b"", "unavailable"),
        (200, b"<html>no JSON</html>", "unavailable"),
        (200, b'{"results": {}}', "unavailable"),
        (200, b"[]", "unavailable"),
    ],
)
def test_a_service_that_fails_is_told_as_a_failed_search(
    searxng: SearXNG, url: str, status: int, body: bytes, code: str
) -> None:
    searxng.status, searxng.body = status, body
    events = asked(url, only("kůň"))
    said = listen(events)
    read_with_sdk(events)
    assert kinds(said) == ["server_tool_use", "web_search_tool_result", "text"]
    assert said.blocks[1]["content"] == {"type": "web_search_tool_result_error", "error_code": code}
    assert said.usage["server_tool_use"] == {"web_search_requests": 0}


def test_a_service_that_is_silent_is_given_up_on(
    tmp_path: Path, provider: DemoProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "TIME_LIMIT_S", 0.2)

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        while (await receive())["type"] != "http.disconnect":
            pass

    with serving(silent) as service:
        configure(tmp_path, web_search=service)
        with proxy_before(provider, tmp_path) as url:
            said = listen(asked(url, only("kůň")))
    assert said.blocks[1]["content"]["error_code"] == "unavailable"


def test_a_search_that_the_end_of_the_server_cuts_off_says_so(
    tmp_path: Path, provider: DemoProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "HOLD_HEADERS_S", 0.0)  # so that the stream has begun
    searches = 0

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        nonlocal searches
        assert scope["type"] == "http"
        searches += 1
        while (await receive())["type"] != "http.disconnect":
            pass

    with serving(silent) as service, ThreadPoolExecutor() as clients:
        configure(tmp_path, web_search=service)
        with proxy_before(provider, tmp_path) as url:
            bodies = (only("kůň"), only("kůň", stream=False))
            asked = [clients.submit(httpx.post, f"{url}/v1/messages", json=body, timeout=20) for body in bodies]
            wait_until(lambda: searches == 2, "both search")
        streamed, whole = (answer.result() for answer in asked)
    error = {"type": "api_error", "message": "The proxy was stopped."}
    assert parse_sse(streamed.content)[-1] == {"type": "error", "error": error}
    assert (whole.status_code, whole.json()["error"]) == (503, error)


def test_off_is_said_at_once_in_words_for_the_model_and_the_user(tmp_path: Path, provider: DemoProvider) -> None:
    with proxy_before(provider, tmp_path) as url:
        said = listen(asked(url, only("kůň")))
    assert said.blocks[1]["content"]["error_code"] == "unavailable"
    assert "not turned on" in said.text
    assert "/neuroflow:setup" in said.text
    assert provider.requests == []


# --- a model that has the tool among others


def ask(**more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Who founded it?"}]
    return {"model": "kimi-k2.5", "max_tokens": 4_000, "messages": messages, "stream": True, **more}


def searches(query: str, id: str = "functions.web_search:0") -> list[Any]:
    return [
        *role(),
        *reasoning("I look it up."),
        *text("Let me search."),
        *tool_call("web_search", {"query": query}, id=id, pieces=2),
        *finish("tool_calls"),
    ]


ANSWER = [*role(), *text("It was founded in 1919."), *finish()]


def test_a_model_searches_and_goes_on_in_the_same_answer(provider: DemoProvider, searxng: SearXNG, url: str) -> None:
    provider.script = in_turn(searches("Masaryk"), ANSWER)
    events = asked(url, ask(tools=[SEARCH, READ]))
    said = listen(events)
    read_with_sdk(events)
    assert searxng.queries == ["Masaryk"]
    assert kinds(said) == ["thinking", "text", "server_tool_use", "web_search_tool_result", "text"]
    assert json.loads(said.blocks[2]["text"]) == {"query": "Masaryk"}
    assert said.text == "Let me search.It was founded in 1919."
    assert said.stop_reason == "end_turn"
    assert said.usage["server_tool_use"] == {"web_search_requests": 1}
    found = provider.requests[1].body["messages"][-1]
    assert found["role"] == "tool"
    assert "Founded in 1919 & still there." in found["content"]


def test_the_next_turn_begins_with_the_bytes_of_the_turn_that_searched(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn(searches("Masaryk"), ANSWER, searches("kůň"), ANSWER)
    body = ask(tools=[SEARCH, READ], stream=False, thinking={"type": "adaptive"})
    first = httpx.post(f"{url}/v1/messages", json=body).json()
    body["messages"] += [
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": "And the horse?"},
    ]
    assert httpx.post(f"{url}/v1/messages", json=body).status_code == 200
    bodies = [request.body for request in provider.requests]
    assert len(bodies) == 4
    for earlier, later in pairwise(bodies):
        assert later["tools"] == earlier["tools"]
        assert later["messages"][: len(earlier["messages"])] == earlier["messages"]
    assert [message["role"] for message in bodies[-1]["messages"]] == [
        *("system", "user", "assistant", "tool", "assistant"),
        *("user", "assistant", "tool"),
    ]


def test_searches_and_the_clients_tools_in_one_answer(provider: DemoProvider, url: str) -> None:
    both = [
        *role(),
        *tool_call("web_search", {"query": "Masaryk"}, id="a"),
        *tool_call("Read", {}, id="b", index=1),
        *finish("tool_calls"),
    ]
    provider.script = in_turn(both, ANSWER)
    body = ask(tools=[SEARCH, READ], stream=False)
    first = httpx.post(f"{url}/v1/messages", json=body).json()
    assert [block["type"] for block in first["content"]] == ["server_tool_use", "tool_use", "web_search_tool_result"]
    assert first["stop_reason"] == "tool_use"
    result = {"type": "tool_result", "tool_use_id": first["content"][1]["id"], "content": "read"}
    body["messages"] += [{"role": "assistant", "content": first["content"]}, {"role": "user", "content": [result]}]
    assert httpx.post(f"{url}/v1/messages", json=body).json()["content"][0]["text"] == "It was founded in 1919."
    calling, found, read = provider.requests[1].body["messages"][-3:]
    assert [call["id"] for call in calling["tool_calls"]] == [found["tool_call_id"], read["tool_call_id"]]
    assert "Founded in 1919" in found["content"]
    assert read["content"] == "read"


def test_no_more_searches_are_made_than_the_client_allows(provider: DemoProvider, searxng: SearXNG, url: str) -> None:
    provider.script = in_turn(searches("one"), searches("two"), searches("three"), ANSWER)
    said = listen(asked(url, ask(tools=[{**SEARCH, "max_uses": 2}])))
    assert searxng.queries == ["one", "two"]
    results = [block["content"] for block in said.blocks if block["type"] == "web_search_tool_result"]
    assert results[2] == {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}
    assert "No more searches" in provider.requests[3].body["messages"][-1]["content"]
    assert said.usage["server_tool_use"] == {"web_search_requests": 2}
    assert said.text.endswith("It was founded in 1919.")


def test_a_model_that_never_stops_searching_is_paused_and_can_go_on(
    provider: DemoProvider, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MAX_ROUNDS", 3)
    provider.script = in_turn(*[searches(str(index)) for index in range(3)], ANSWER)
    body = ask(tools=[{"type": "web_search_20250305", "name": "web_search"}], stream=False)
    paused = httpx.post(f"{url}/v1/messages", json=body).json()
    assert paused["stop_reason"] == "pause_turn"
    assert len(provider.requests) == 3
    body["messages"].append({"role": "assistant", "content": paused["content"]})
    assert httpx.post(f"{url}/v1/messages", json=body).json()["stop_reason"] == "end_turn"
    assert provider.requests[3].body["messages"][-1]["role"] == "tool"


@pytest.mark.parametrize("choice", [{"type": "tool", "name": "web_search"}, {"type": "any"}])
def test_a_tool_that_had_to_be_called_need_not_be_called_again(provider: DemoProvider, url: str, choice: Any) -> None:
    provider.script = in_turn(searches("Masaryk"), ANSWER)
    body = ask(tools=[SEARCH], tool_choice=choice)
    assert listen(asked(url, body)).stop_reason == "end_turn"
    assert ["tool_choice" in request.body for request in provider.requests] == [True, False]


def test_the_provider_may_stumble_between_search_and_answer(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn(searches("Masaryk"), [Status(503, "down")], ANSWER)
    assert listen(asked(url, ask(tools=[SEARCH]))).text.endswith("It was founded in 1919.")


def test_a_provider_that_refuses_after_the_search_ends_the_answer_in_an_error(provider: DemoProvider, url: str) -> None:
    provider.script = in_turn(searches("Masaryk"), [Status(403, {"error": {"message": "not for you"}})])
    said = listen(asked(url, ask(tools=[SEARCH])))
    assert said.error is not None
    assert kinds(said)[-1] == "web_search_tool_result"


def test_a_model_whose_search_is_off_is_told_how_it_is_turned_on(tmp_path: Path, provider: DemoProvider) -> None:
    provider.script = in_turn(searches("Masaryk"), ANSWER)
    with proxy_before(provider, tmp_path) as url:
        said = listen(asked(url, ask(tools=[SEARCH])))
    assert said.blocks[3]["content"]["error_code"] == "unavailable"
    assert "/neuroflow:setup" in provider.requests[1].body["messages"][-1]["content"]


def test_a_search_without_a_query_is_told_to_the_model(provider: DemoProvider, searxng: SearXNG, url: str) -> None:
    provider.script = in_turn([*role(), *tool_call("web_search", "{}", id="a"), *finish("tool_calls")], ANSWER)
    said = listen(asked(url, ask(tools=[SEARCH])))
    assert said.blocks[1]["content"]["error_code"] == "invalid_input"
    assert searxng.queries == []


def test_half_a_character_in_a_query_fails_no_answer(provider: DemoProvider, searxng: SearXNG, url: str) -> None:
    provider.script = in_turn(
        [*role(), *tool_call("web_search", '{"query": "k\\ud83d"}', id="a"), *finish("tool_calls")], ANSWER
    )
    assert listen(asked(url, ask(tools=[SEARCH]))).text == "It was founded in 1919."
    alone = httpx.post(f"{url}/v1/messages", content=json.dumps(only("k\ud83d")))
    assert kinds(listen(parse_sse(alone.content)))[:2] == ["server_tool_use", "web_search_tool_result"]
    assert searxng.queries == ["k\ufffd", "k\ufffd"]


def test_results_that_another_server_sealed_are_told_by_title_and_address(provider: DemoProvider, url: str) -> None:
    pages = [
        {"type": "web_search_result", "title": "T", "url": "https://a.example/", "encrypted_content": "EqgfCioIARgB"}
    ]
    history = [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": pages},
        {"type": "text", "text": "Found.", "citations": [{"type": "web_search_result_location"}]},
    ]
    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": history},
        {"role": "user", "content": "go on"},
    ]
    provider.script = in_turn(ANSWER, ANSWER)
    listen(asked(url, ask(messages=messages, tools=[SEARCH])))
    listen(asked(url, ask(messages=messages, tools=[READ])))
    with_tool, without = (
        [message for message in request.body["messages"] if message["role"] != "system"]
        for request in provider.requests
    )
    assert [message["role"] for message in with_tool] == ["user", "assistant", "tool", "assistant", "user"]
    assert with_tool[2]["content"] == "T\nhttps://a.example/"
    assert [message["role"] for message in without] == ["user", "assistant", "user"]
    assert "https://a.example/" in without[1]["content"]
