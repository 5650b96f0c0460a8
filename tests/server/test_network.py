"""The network as httpx users expect it: proxies of the institution, and certificates of its own."""

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from neuroflow_proxy.demo.provider import DEMO_KEY, DemoProvider
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.errors import Kind, UpstreamError
from neuroflow_proxy.provider.client import Endpoint, UpstreamClient
from neuroflow_proxy.provider.models_list import fetch_model_ids, list_models


def test_a_remote_provider_is_asked_through_the_institutions_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(DemoProvider()) as base_url:
        # The built-in provider takes the part of the proxy: it answers whatever host it is asked for.
        monkeypatch.setenv("HTTP_PROXY", base_url.removesuffix("/v1"))
        monkeypatch.delenv("NO_PROXY", raising=False)
        ids = list_models("http://provider.example/v1", DEMO_KEY, provider="custom")
    assert "kimi-k2.5" in ids


def test_a_host_in_no_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(DemoProvider()) as base_url:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert list_models(base_url.replace("127.0.0.1", "localhost"), DEMO_KEY, provider="custom")


def test_a_certificate_authority_of_the_institution_is_trusted_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(cert)]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    body = b'{"data": [{"id": "behind-tls"}]}'

    async def ask() -> list[str]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        try:
            async with UpstreamClient() as client:
                return await fetch_model_ids(client, Endpoint(f"https://localhost:{port}/v1", "k"), provider="custom")
        finally:
            server.close()
            await server.wait_closed()

    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UpstreamError) as refused:
        asyncio.run(ask())
    assert refused.value.kind is Kind.UNREACHABLE
    assert "certificate" in refused.value.message.lower()
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    assert asyncio.run(ask()) == ["behind-tls"]
