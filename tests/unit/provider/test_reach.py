"""The way to a provider: where it ends, and what is said then."""

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from neuroflow_proxy.provider.reach import Step, steps_to


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate that nobody has signed, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    path, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *name]
    subprocess.run([*command, "-keyout", str(key), "-out", str(path)], capture_output=True, check=True)
    with path.open("a") as file:
        file.write(key.read_text())
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[str]:
    """Somebody who shakes hands and says no more; the value is the base URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    return  # the client hangs up where it does not trust

        thread = threading.Thread(target=greet)
        thread.start()
        yield f"https://localhost:{server.getsockname()[1]}/v1"
        thread.join()


def last(base_url: str) -> Step:
    return list(steps_to(base_url))[-1]


def test_a_name_that_nobody_knows_ends_the_way() -> None:
    step = last("https://llm.nowhere.invalid/v1")
    assert (step.name, bool(step.mend)) == ("DNS", True)
    assert "llm.nowhere.invalid" in step.message


def test_where_nobody_listens_the_way_ends() -> None:
    step = last("http://127.0.0.1:9/v1")
    assert (step.name, bool(step.mend)) == ("network", True)
    assert "refused" in step.message


def test_a_certificate_that_nobody_has_signed_is_told_and_how_an_institutions_is_named(tls_server: str) -> None:
    step = last(tls_server)
    assert (step.name, "self-signed" in step.message.replace("self signed", "self-signed")) == ("TLS", True)
    assert "SSL_CERT_FILE" in step.mend


def test_a_certificate_that_is_trusted_is_told_with_its_end(
    tls_server: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    step = last(tls_server)
    assert (step.name, step.mend, "until" in step.message) == ("TLS", "", True)


def test_where_no_tls_is_spoken_it_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_in_the_clear() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer_in_the_clear)
        thread.start()
        step = last(f"https://localhost:{server.getsockname()[1]}")
        thread.join()
    assert (step.name, bool(step.mend)) == ("TLS", True)


def test_through_an_institutions_proxy_only_that_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.getsockname()[1]}")
        (step,) = steps_to("https://llm.nowhere.invalid/v1")
    assert (step.name, step.mend) == ("HTTP proxy", "")
    monkeypatch.setenv("HTTPS_PROXY", "127.0.0.1:9")
    assert last("https://llm.nowhere.invalid/v1").name == "network"
    monkeypatch.setenv("NO_PROXY", "nowhere.invalid")
    assert last("https://llm.nowhere.invalid/v1").name == "DNS"
