"""A network without an institution's proxy and certificates, whoever runs the tests."""

import pytest


@pytest.fixture(autouse=True)
def no_proxy_of_an_institution(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
