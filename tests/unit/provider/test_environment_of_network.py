"""Variables of the shell that mean nothing to a request stop nothing; those that cannot be used are told in words."""

import pytest

from neuroflow_proxy.demo.provider import DEMO_KEY, DemoProvider
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.errors import ProxyError, SettingsError
from neuroflow_proxy.provider.models_list import list_models
from neuroflow_proxy.provider.network import proxy_for


@pytest.mark.parametrize(
    "socks", ["socks5://127.0.0.1:9", "socks5h://127.0.0.1:9", "socks://127.0.0.1:9/", "http://h:x"]
)
def test_a_proxy_that_cannot_be_used_is_nothing_to_a_provider_on_this_machine(
    socks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", socks)
    with running(DemoProvider()) as base_url:
        assert list_models(base_url, DEMO_KEY, provider="demo")


@pytest.mark.parametrize("socks", ["socks5://u:secret@127.0.0.1:9", "socks://127.0.0.1:9/", "http://h:x"])
def test_where_only_such_a_proxy_leads_out_it_is_said_in_words(socks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", socks)
    with pytest.raises(ProxyError) as caught:
        list_models("https://llm.invalid/v1", "k", provider="x")
    assert "no HTTP proxy" in caught.value.message
    assert "NO_PROXY" in caught.value.hint
    assert "secret" not in caught.value.full_message


def test_the_proxy_for_the_scheme_stands_over_all_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "127.0.0.1:7890")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    assert proxy_for("https", "llm.example") == "http://127.0.0.1:7890"
    assert proxy_for("https", "inside.example") is None
    assert proxy_for("https", "127.0.0.1") is None


def test_a_certificate_file_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/opt/gone/cacert.pem")
    with pytest.raises(SettingsError, match="SSL_CERT_FILE names /opt/gone"):
        list_models("https://127.0.0.1:1/v1", "k", provider="x")
