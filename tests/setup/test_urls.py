"""Any form of a provider's URL becomes its base URL."""

import pytest

from neuroflow_proxy.errors import ProxyError
from neuroflow_proxy.setup.urls import to_base_url
from neuroflow_proxy.wire.hosts import is_this_machine, sends_keys_in_the_clear


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("llm.ai.e-infra.cz", "https://llm.ai.e-infra.cz/v1"),
        ("https://llm.ai.e-infra.cz", "https://llm.ai.e-infra.cz/v1"),
        ("https://llm.ai.e-infra.cz/", "https://llm.ai.e-infra.cz/v1"),
        ("HTTPS://llm.ai.e-infra.cz/v1/", "https://llm.ai.e-infra.cz/v1"),
        (" https://llm.ai.e-infra.cz/v1/chat/completions\n", "https://llm.ai.e-infra.cz/v1"),
        ("https://llm.ai.e-infra.cz/v1/models", "https://llm.ai.e-infra.cz/v1"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
        ("gpu-node:8000", "https://gpu-node:8000/v1"),
        ("http://gpu-node", "http://gpu-node/v1"),
        ("localhost", "http://localhost/v1"),
        ("localhost:11434", "http://localhost:11434/v1"),
        ("127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
    ],
)
def test_every_form_is_understood(given: str, base: str) -> None:
    assert to_base_url(given) == base
    assert to_base_url(base) == base


def test_a_full_endpoint_is_believed_where_there_is_no_v1() -> None:
    assert to_base_url("https://api.example.org/chat/completions") == "https://api.example.org"


@pytest.mark.parametrize(
    "given",
    [
        *("", "   ", "ftp://example.org", "file:///etc/passwd", "https://", "https://user:secret@example.org/v1"),
        *(
            "https://example.org:99999",
            "http://[::1",
            "https://example.org/v1?key=secret",
            "secret with spaces",
            "sk-secret",
            "models/secret-1.5",
            "https://secret@example.org/v1",
            "https://:secret@example.org/v1",
            "https://example.org/v1#secret",
            "https://example.org/v1 secret",
            "https://example.org:0/v1",
        ),
    ],
)
def test_what_is_no_plain_url_is_refused_without_being_quoted(given: str) -> None:
    with pytest.raises(ProxyError) as refusal:
        to_base_url(given)
    assert "secret" not in refusal.value.full_message
    assert refusal.value.outcome.exit_code == 2


@pytest.mark.parametrize("url", ["http://localhost:1/v1", "http://127.0.0.9/v1", "http://[::1]/v1"])
def test_this_machine_is_known(url: str) -> None:
    assert is_this_machine(url)
    assert not sends_keys_in_the_clear(url)


@pytest.mark.parametrize("url", ["http://192.168.1.5:8000/v1", "http://localhost.example.org/v1"])
def test_an_unencrypted_way_to_another_machine_is_known(url: str) -> None:
    assert sends_keys_in_the_clear(url)
    assert not sends_keys_in_the_clear(url.replace("http:", "https:"))
