"""What a client may take of the proxy: bounded, refused in words, and never in the way of real work."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from neuroflow_proxy.demo.provider import DemoProvider
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.server import body, connection
from neuroflow_proxy.server.app import create_app
from neuroflow_proxy.server.connection import Bounded, Connection
from neuroflow_proxy.server.run import MAX_CONNECTIONS
from tests.serving import PATIENCE_S, settings, wait_until

ASK: dict[str, Any] = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
MEGABYTE = 2**20
# The two parsers that uvicorn has: a start with the three packages that must be there has no httptools.
PROTOCOLS = ["httptools", "h11"]


def bounded(parser: str) -> type:
    """`Connection`, on the parser of that name."""
    if parser == "h11":
        from uvicorn.protocols.http.h11_impl import H11Protocol

        return type("OnH11", (Bounded, H11Protocol), {})
    return Connection


@contextmanager
def proxy(folder: Path, *, http: Any = Connection, limit: int | None = None, **env: str) -> Iterator[str]:
    """The proxy as `serve` runs it, with the built-in provider behind it."""
    with running(DemoProvider()) as base_url:
        app = create_app(settings(base_url, folder, **env))
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, http=http, ws="none", log_config=None, log_level="error", limit_concurrency=limit)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started, "it is there", PATIENCE_S)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        yield client


def answer_of(client: socket.socket) -> tuple[int, dict[str, Any]]:
    """Status and body of what is said before the connection ends; status 0 if nothing is said."""
    told = b""
    with_end = time.monotonic() + 10
    while data := client.recv(65536):
        told += data
        assert time.monotonic() < with_end
    if not told:
        return 0, {}
    head, _, content = told.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(content) if content.startswith(b"{") else {}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEADERS_TIMEOUT_S", 0.3)
    monkeypatch.setattr(connection, "BODY_TIMEOUT_S", 0.3)


def test_a_request_of_32_megabytes_is_served(roomy: str) -> None:
    text = "so and so on and on " * (32 * MEGABYTE // 20)
    ask = {**ASK, "messages": [{"role": "user", "content": text}]}
    response = httpx.post(f"{roomy}/v1/messages/count_tokens", json=ask, timeout=60)
    assert response.status_code == 200, response.text[:200]
    assert response.json()["input_tokens"] > MEGABYTE


@pytest.mark.parametrize("told", [True, False], ids=["told its length", "chunked"])
def test_a_larger_one_is_refused_in_words_that_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    monkeypatch.setattr(body, "MAX_BODY_BYTES", MEGABYTE)

    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 100_000

    with proxy(tmp_path) as url, httpx.Client() as client:
        for _ in range(3):
            content: Any = b" " * 4_000_000 if told else pieces()
            response = client.post(f"{url}/v1/messages", content=content)
            assert response.status_code == 413
            assert response.json()["error"]["type"] == "request_too_large"
            assert "1 MB" in response.json()["error"]["message"]
        assert client.post(f"{url}/v1/messages", json=ASK).status_code == 200


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with proxy(tmp_path_factory.mktemp("roomy"), limit=MAX_CONNECTIONS) as url:
        yield url


# How deep Python's recursion goes differs from version to version; so deep goes none.
TOO_DEEP = 200_000


@pytest.mark.parametrize("deep", [200, 900, 2_000, 10_000, 50_000, TOO_DEEP])
@pytest.mark.parametrize("where", ["schema", "input", "content"])
def test_what_is_nested_too_deeply_is_refused_and_nothing_breaks(roomy: str, deep: int, where: str) -> None:
    nested = '{"a":' * deep + "1" + "}" * deep
    message = {"role": "user", "content": "Hi"}
    if where == "schema":
        ask = {**ASK, "tools": [{"name": "T", "input_schema": "HERE"}]}
    elif where == "input":
        call = {"type": "tool_use", "id": "toolu_1", "name": "T", "input": "HERE"}
        ask = {**ASK, "messages": [message, {"role": "assistant", "content": [call]}]}
    else:
        ask = {**ASK, "messages": [{"role": "user", "content": "HERE"}]}
    content = json.dumps(ask).replace('"HERE"', nested)
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        response = httpx.post(roomy + path, content=content.encode(), timeout=30)
        assert response.status_code in (200, 400), response.text[:300]
        if deep == TOO_DEEP:
            assert response.status_code == 400
            assert response.json()["error"]["type"] == "invalid_request_error"
    assert httpx.post(f"{roomy}/v1/messages", json=ASK).status_code == 200


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("parser", PROTOCOLS)
def test_who_connects_and_says_nothing_is_shown_out(tmp_path: Path, parser: str) -> None:
    with proxy(tmp_path, http=bounded(parser)) as url, connected(url) as client:
        assert answer_of(client) == (0, {})


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("parser", PROTOCOLS)
def test_headers_that_never_end_are_not_waited_for(tmp_path: Path, parser: str) -> None:
    with proxy(tmp_path, http=bounded(parser)) as url, connected(url) as client:
        client.sendall(b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        status, told = answer_of(client)
    assert status == 408
    assert "headers" in told["error"]["message"]


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("parser", PROTOCOLS)
def test_a_second_request_on_a_connection_is_bounded_as_the_first(tmp_path: Path, parser: str) -> None:
    with proxy(tmp_path, http=bounded(parser)) as url, connected(url) as client:
        client.sendall(b"GET /api/hello HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        wait_until(lambda: b"ok" in client.recv(4096), "the first answer")
        client.sendall(b"GET /api/hello HTTP/1.1\r\n")
        assert answer_of(client)[0] == 408


@pytest.mark.parametrize("parser", PROTOCOLS)
def test_headers_without_end_are_refused(tmp_path: Path, parser: str) -> None:
    with proxy(tmp_path, http=bounded(parser)) as url, connected(url) as client:
        client.sendall(b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        try:
            for number in range(200):
                client.sendall(b"X-%d: %s\r\n" % (number, b"a" * 4000))
                time.sleep(0.0005)
            status, _ = answer_of(client)
        except ConnectionError:  # refused before all was sent, which the system may tell in this way alone
            status = 431
    assert status in (400, 431)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("parser", PROTOCOLS)
def test_a_body_that_comes_too_slowly_is_refused_in_words(tmp_path: Path, parser: str) -> None:
    with proxy(tmp_path, http=bounded(parser)) as url, connected(url) as client:
        client.sendall(b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")
        status, told = answer_of(client)
    assert status == 408
    assert told["error"]["type"] == "timeout_error"


def test_more_connections_than_there_is_room_for_are_told_to_come_again(tmp_path: Path) -> None:
    with proxy(tmp_path, limit=20) as url:
        host, port = url.removeprefix("http://").split(":")
        idle = [socket.create_connection((host, int(port))) for _ in range(20)]
        try:
            assert httpx.get(f"{url}/healthz").status_code == 503
        finally:
            for client in idle:
                client.close()

        def is_served() -> bool:
            return httpx.get(f"{url}/healthz").status_code == 200

        wait_until(is_served, "there is room again")
    assert MAX_CONNECTIONS > 64 + 2, "who waits in line needs a connection as well"


def test_sixty_clients_at_once_are_all_served(roomy: str) -> None:
    async def ask_all() -> list[int]:
        async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=None)) as client:
            responses = await asyncio.gather(*(client.post(f"{roomy}/v1/messages", json=ASK) for _ in range(60)))
        return [response.status_code for response in responses]

    assert set(asyncio.run(ask_all())) == {200}
