"""Who may talk to the proxy."""

import hmac
from collections.abc import Iterator

import httpx
import pytest

from neuroflow_proxy.demo.provider import DemoProvider
from neuroflow_proxy.server.guard import host_name
from neuroflow_proxy.wire.hosts import is_loopback
from tests.serving import proxy_before

ASK = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with proxy_before(DemoProvider(), tmp_path_factory.mktemp("guarded"), NEUROFLOW_PROXY_TOKEN="t0ken") as url:
        yield url


@pytest.fixture(scope="module")
def open_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with proxy_before(DemoProvider(), tmp_path_factory.mktemp("open")) as url:
        yield url


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer t0ken"},
        {"x-api-key": "t0ken"},
        {"authorization": "bearer t0ken", "x-api-key": "wrong"},
    ],
)
def test_the_token_opens_as_bearer_and_as_api_key(guarded: str, headers: dict[str, str]) -> None:
    assert httpx.post(f"{guarded}/v1/messages", json=ASK, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"x-api-key": ""},
        {"authorization": "t0ken"},
        {"authorization": "Basic t0ken"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens", "/v1/v1/messages"])
def test_nothing_is_served_without_the_token(guarded: str, path: str, headers: dict[str, str]) -> None:
    response = httpx.post(guarded + path, json=ASK, headers=headers)
    assert response.status_code == 401
    assert response.json()["error"]["type"] == "authentication_error"
    assert "access token" in response.json()["error"]["message"]
    assert "scripts/setup" in response.json()["error"]["message"], "a name that everybody can type"
    assert "t0ken" not in response.text
    assert httpx.get(f"{guarded}/v1/models", headers=headers).status_code == 401


def test_health_is_told_without_a_token_and_tells_no_secret(guarded: str) -> None:
    response = httpx.get(f"{guarded}/healthz")
    assert response.status_code == 200
    health = response.json()
    assert health["service"] == "neuroflow-proxy"
    assert set(health) == {"service", "status", "version", "build", "instance_id", "model", "small_model"}
    assert "sk-demo" not in response.text
    assert "t0ken" not in response.text


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/hello"])
def test_probes_are_answered_with_get_and_head(guarded: str, path: str) -> None:
    assert httpx.head(guarded + path).status_code == 200
    assert httpx.get(guarded + path).status_code == 200


def test_without_a_token_this_machine_is_served(open_url: str) -> None:
    assert httpx.post(f"{open_url}/v1/messages", json=ASK).status_code == 200
    assert httpx.post(f"{open_url}/v1/messages", json=ASK, headers={"authorization": "Bearer dummy"}).status_code == 200


def test_a_rebound_dns_name_is_refused(open_url: str) -> None:
    for path in ("/v1/messages", "/healthz"):
        response = httpx.post(open_url + path, json=ASK, headers={"host": "evil.example:4001"})
        assert response.status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000"])
def test_a_web_page_is_refused_and_gets_no_cors_headers(open_url: str, origin: str) -> None:
    response = httpx.post(f"{open_url}/v1/messages", json=ASK, headers={"origin": origin})
    assert response.status_code == 403
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin"])
def test_what_a_browser_fetches_for_a_page_without_naming_it_is_refused_as_well(open_url: str, site: str) -> None:
    """An image, a script, a link that a page follows: no Origin, but the browser says where it comes from."""
    headers = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
    assert httpx.get(f"{open_url}/v1/models", headers=headers).status_code == 403
    assert httpx.get(f"{open_url}/stats", headers=headers).status_code == 403
    # As Node's and Bun's own fetch: no page is behind it.
    assert httpx.get(f"{open_url}/v1/models", headers={"sec-fetch-mode": "cors"}).status_code == 200


def test_a_pages_question_whether_it_may_ask_is_refused(open_url: str, guarded: str) -> None:
    asks = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for url in (open_url, guarded):
        for more in ({}, {"access-control-request-private-network": "true"}):
            response = httpx.options(f"{url}/v1/messages", headers={**asks, **more})
            assert response.status_code in (401, 403)
            assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "header",
    [
        {"x-forwarded-for": "127.0.0.1"},
        {"x-forwarded-for": "203.0.113.9"},
        {"forwarded": "for=203.0.113.9"},
        {"x-real-ip": "203.0.113.9"},
        {"x-forwarded-host": "127.0.0.1"},
    ],
)
def test_what_another_server_passes_on_is_not_from_this_machine(
    open_url: str, guarded: str, header: dict[str, str]
) -> None:
    """A web server or a notebook's port forwarding on the same machine would let in all the world."""
    assert httpx.post(f"{open_url}/v1/messages", json=ASK, headers=header).status_code == 403
    with_token = {**header, "x-api-key": "t0ken"}
    assert httpx.post(f"{guarded}/v1/messages", json=ASK, headers=with_token).status_code == 200


def test_a_refusal_arrives_however_long_the_request(guarded: str) -> None:
    """Who is cut off while sending sees a broken connection, tries again, and never learns why."""
    for _ in range(3):
        response = httpx.post(f"{guarded}/v1/messages", content=b" " * 5_000_000)
        assert response.status_code == 401


def test_a_token_is_compared_in_constant_time(guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def watched(offered: bytes, token: bytes) -> bool:
        compared.append((offered, token))
        return compare(offered, token)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    assert httpx.get(f"{guarded}/v1/models", headers={"x-api-key": "t0keX"}).status_code == 401
    assert (b"t0keX", b"t0ken") in compared


def test_unknown_routes_and_methods_are_told_in_the_messages_apis_form(open_url: str) -> None:
    for method, path in (("GET", "/nowhere"), ("GET", "/v1/messages"), ("POST", "/v1/complete")):
        response = httpx.request(method, open_url + path)
        assert response.status_code == 404
        assert response.json()["error"]["type"] == "not_found_error"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost:4001", "localhost"),
        ("[::1]:4001", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1"),
    ],
)
def test_the_name_in_a_host_header_is_found_and_known_as_ours(host: str, name: str) -> None:
    assert host_name(host) == name
    assert is_loopback(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "::ffff:192.168.0.1",
        "notlocalhost",
        "127.1",
        "2130706433",
        "evil.example",
        "127.0.0.1.evil.example",
        "0.0.0.0",
        "192.168.0.1",
        "localhost.evil.example",
    ],
)
def test_other_names_are_not_ours(name: str) -> None:
    assert not is_loopback(name)
