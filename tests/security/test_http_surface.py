"""Whatever is sent to the proxy over HTTP: an answer in words, never a 500, never a hang, and it goes on."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuroflow_proxy.demo.provider import DemoProvider
from tests.fuzz.targets import as_request
from tests.grammar import listen, parse_sse
from tests.serving import proxy_before

PATIENCE_S = 20.0
PATHS = ["/", "/healthz", "/stats", "/api/hello", "/v1/models", "/v1/models/kimi-k2.5", "/v1/models/%2e%2e/x", "/v1//"]
ENDPOINTS = ["/v1/messages", "/v1/messages?beta=true", "/v1/messages/count_tokens", "/v1/v1/messages"]

of_the_machine = settings(
    max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
letters = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=30)
headers = st.dictionaries(
    st.sampled_from(
        [
            "content-type",
            "accept",
            "anthropic-version",
            "anthropic-beta",
            "x-claude-code-request-class",
            "user-agent",
            "authorization",
            "x-api-key",
            "x-stainless-retry-count",
            "content-encoding",
            "range",
            "if-none-match",
        ]
    ),
    letters,
    max_size=4,
)
paths = st.one_of(
    st.sampled_from(PATHS + ENDPOINTS), letters.map(lambda path: "/" + path), letters.map(lambda p: "/v1/models/" + p)
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with proxy_before(DemoProvider(limits=None, rules=()), tmp_path_factory.mktemp("surface")) as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        yield client


def check(response: httpx.Response) -> None:
    assert response.status_code != 500, response.text
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        listen(parse_sse(response.content))
    elif response.status_code >= 400 and response.request.method != "HEAD":
        told = response.json()
        assert told["type"] == "error"
        assert told["error"]["message"]


@of_the_machine
@given(st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]), paths, headers, st.binary())
def test_any_request_is_answered(
    client: httpx.Client, method: str, path: str, headers: dict[str, str], content: bytes
) -> None:
    try:
        request = client.build_request(method, path, headers=headers, content=content)
    except httpx.InvalidURL:
        return
    check(client.send(request))


@of_the_machine
@given(st.sampled_from(ENDPOINTS), st.binary(min_size=1, max_size=60), st.booleans())
def test_any_message_is_answered(client: httpx.Client, path: str, tape: bytes, stream: bool) -> None:
    """Requests as they were seen, with odd things in the place of anything."""
    body: dict[str, Any] = {**as_request(b"\xff" + tape), "stream": stream}
    check(client.post(path, content=json.dumps(body).encode()))


@of_the_machine
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([b"GET / HTTP/1.1\r\n", b"Host: 127.0.0.1\r\n"]))))
def test_bytes_that_are_no_http_are_refused_and_nobody_else_notices(url: str, pieces: list[bytes]) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
        except TimeoutError:
            raise
        except OSError:
            pass  # refused before all was sent


def test_after_all_that_it_still_serves(client: httpx.Client) -> None:
    ask = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    assert client.post("/v1/messages", json=ask).status_code == 200
