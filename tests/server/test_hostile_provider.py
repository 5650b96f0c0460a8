"""A provider, or whoever took its place, cannot get the key sent elsewhere, and cannot take all memory or time."""

import asyncio
import contextlib
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from neuroflow_proxy.demo.provider import DEMO_KEY
from neuroflow_proxy.errors import Kind, UpstreamError
from neuroflow_proxy.provider import client as provider_client
from neuroflow_proxy.provider import models_list
from neuroflow_proxy.provider.client import Endpoint, UpstreamAnswer, UpstreamClient
from neuroflow_proxy.provider.models_list import fetch_model_ids
from neuroflow_proxy.server import asking
from neuroflow_proxy.server.app import create_app
from neuroflow_proxy.wire import sse
from tests.serving import serving, settings

ASK: dict[str, Any] = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"on and on "},"finish_reason":null}]}\n\n'

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Hostile:
    """Answers each request, whatever it is, as `answer` does; remembers what came."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[bytes] = []
        self.serving: set[asyncio.Task[None] | None] = set()
        self._answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.add(asyncio.current_task())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            await self._answer(head, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has had enough, or the test
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def listening(hostile: Hostile, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = await asyncio.start_server(hostile, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in hostile.serving:
            if task:
                task.cancel()
        await server.wait_closed()


async def asked(port: int, *, host: str = "127.0.0.1", scheme: str = "http") -> bytes:
    """Ask for a chat completion; the whole body of the answer."""
    endpoint = Endpoint(f"{scheme}://{host}:{port}/v1", DEMO_KEY)
    async with UpstreamClient() as client, await client.chat(endpoint, b"{}", silence_s=5) as answer:
        return b"".join([data async for data in _pieces_of(answer)])


async def _pieces_of(answer: UpstreamAnswer) -> AsyncIterator[bytes]:
    while data := await answer.next_piece():
        yield data


async def through_the_proxy(folder: Path, hostile: Hostile, *, stream: bool) -> httpx.Response:
    async with listening(hostile) as port:
        app = create_app(settings(f"http://127.0.0.1:{port}/v1", folder))
        with serving(app) as url:
            async with httpx.AsyncClient(timeout=30) as client:
                return await client.post(f"{url}/v1/messages", json={**ASK, "stream": stream})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_does_not_carry_the_key_to_another_host(status: int) -> None:
    async def run() -> list[bytes]:
        async def take(head: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

        thief = Hostile(take)
        async with listening(thief) as port:

            async def send_on(head: bytes, writer: asyncio.StreamWriter) -> None:
                place = b"http://localhost:%d/v1/chat/completions" % port
                writer.write(b"HTTP/1.1 %d Away\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n" % (status, place))

            honest = Hostile(send_on)
            async with listening(honest) as first:
                await asked(first)
                async with UpstreamClient() as client:
                    endpoint = Endpoint(f"http://127.0.0.1:{first}/v1", DEMO_KEY)
                    with pytest.raises(UpstreamError):
                        await fetch_model_ids(client, endpoint, provider="custom")
            assert len(honest.requests) == 2
            assert all(DEMO_KEY.encode() in head for head in honest.requests)
            return thief.requests

    assert asyncio.run(run()) == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """One that is good for localhost, if one trusts whoever made it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return cert, context


def test_a_conversation_goes_to_nobody_whose_certificate_is_not_good(
    certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, context = certificate

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    async def run(host: str) -> tuple[bytes | UpstreamError, list[bytes]]:
        hostile = Hostile(answer)
        async with listening(hostile, context) as port:
            try:
                return await asked(port, host=host, scheme="https"), hostile.requests
            except UpstreamError as error:
                return error, hostile.requests

    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    by_nobody_known = asyncio.run(run("localhost"))
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    assert asyncio.run(run("localhost"))[0] == b"{}"
    for_another_host = asyncio.run(run("127.0.0.1"))
    for refused, requests in (by_nobody_known, for_another_host):
        assert isinstance(refused, UpstreamError)
        assert refused.kind is Kind.UNREACHABLE
        assert "certificate" in refused.message.lower()
        assert requests == []


@pytest.mark.parametrize("stream", [True, False])
def test_a_line_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 2**20)
    sent = 0

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(STREAM_HEAD + b"data: ")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    response = asyncio.run(through_the_proxy(tmp_path, Hostile(answer), stream=stream))
    told = response.json()["error"]
    assert told["type"] == "api_error"
    assert "longer than" in told["message"]
    assert "bug" not in told["message"]
    assert sent < 64 * 2**20, "of the list of models, and of three tries"


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    monkeypatch.setattr(asking, "MAX_ANSWER_BYTES", 2**20)

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        while True:
            writer.write(EVENT * 500)
            await writer.drain()

    response = asyncio.run(through_the_proxy(tmp_path, Hostile(answer), stream=stream))
    told = response.text.rstrip().splitlines()[-1].removeprefix("data: ")
    assert json.loads(told)["error"]["type"] == "api_error"
    assert "did not end" in told


def test_an_hour_of_the_fastest_model_fits_into_an_answer() -> None:
    """150 tokens a second, each in a chunk of its own of 300 bytes."""
    assert asking.MAX_ANSWER_BYTES > 3600 * 150 * 300


def test_headers_without_end_are_given_up(tmp_path: Path) -> None:
    sent = 0

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-%d: %s\r\n" % (sent, b"y" * 4000))
            await writer.drain()
            sent += 4000

    response = asyncio.run(through_the_proxy(tmp_path, Hostile(answer), stream=True))
    assert response.status_code == 502
    assert sent < 64 * 2**20


async def drip(head: bytes, writer: asyncio.StreamWriter) -> None:
    """An error that comes by the byte, never silent for long and never whole."""
    writer.write(b"HTTP/1.1 500 Oh\r\ncontent-type: application/json\r\n\r\n{")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


def test_an_error_that_never_ends_is_told_without_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_client, "ERROR_BODY_TIMEOUT_S", 0.2)
    response = asyncio.run(through_the_proxy(tmp_path, Hostile(drip), stream=True))
    assert response.status_code in (500, 502, 503)


def test_a_list_of_models_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_list, "TIMEOUT_S", 0.3)

    async def run(answer: Answer) -> UpstreamError:
        async with listening(Hostile(answer)) as port, UpstreamClient() as client:
            with pytest.raises(UpstreamError) as refused:
                await fetch_model_ids(client, Endpoint(f"http://127.0.0.1:{port}/v1", "k"), provider="custom")
            return refused.value

    async def flood(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b" " * 65536)
            await writer.drain()

    assert asyncio.run(run(drip)).kind is Kind.TIMEOUT
    assert asyncio.run(run(flood)).kind in (Kind.TIMEOUT, Kind.BROKEN_ANSWER)
