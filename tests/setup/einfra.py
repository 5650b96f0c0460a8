"""e-INFRA CZ, as far as anybody on this machine can tell: the built-in provider under its name, behind TLS.

A proxy such as institutions have (HTTPS_PROXY) takes the connection to the gateway's host and ends it here, with a
certificate that is trusted because SSL_CERT_FILE names it. So set-up runs on its own defaults, with no network.
"""

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from neuroflow_proxy.settings import EINFRA_BASE_URL
from tests.live import cannot

HOST = urlsplit(EINFRA_BASE_URL).hostname


@contextmanager
def einfra(base_url: str, folder: Path) -> Iterator[dict[str, str]]:
    """Let e-INFRA CZ be the provider at `base_url`, for whoever has the variables that are the value."""
    certificate = _certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    gate = _Gate(base_url, context)
    thread = threading.Thread(target=lambda: asyncio.run(gate.serve()))
    thread.start()
    try:
        assert gate.is_open.wait(timeout=20), "it did not start"
        yield {"HTTPS_PROXY": f"http://127.0.0.1:{gate.port}", "SSL_CERT_FILE": str(certificate)}
    finally:
        gate.shut()
        thread.join()


class _Gate:
    """The proxy of the institution, in an event loop of its own."""

    port = 0

    def __init__(self, base_url: str, context: ssl.SSLContext) -> None:
        self.is_open = threading.Event()
        self._provider = urlsplit(base_url)
        self._context = context

    async def serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.is_open.set()
        await self._end.wait()
        server.close()

    def shut(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            asked = (await reader.readuntil(b"\r\n\r\n")).split()
            assert asked[:2] == [b"CONNECT", f"{HOST}:443".encode()], "nobody else is to be asked"
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.start_tls(self._context)
            inner_reader, inner_writer = await asyncio.open_connection(self._provider.hostname, self._provider.port)
            writers.append(inner_writer)
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            for one in writers:
                one.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


def _certificate(folder: Path) -> Path:
    """A certificate for the gateway's name, and its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        cannot("there is no openssl to make a certificate with")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    certificate.write_bytes(certificate.read_bytes() + key.read_bytes())
    return certificate
