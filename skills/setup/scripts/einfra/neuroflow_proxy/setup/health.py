"""Asking a proxy on this machine who it is and what it did. Without httpx, so that `status` stays quick."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..settings import file_stamp
from ..wire.messages_api import JSON
from ..wire.plain_json import InvalidJSON, loads
from .ports import LOOPBACK

SERVICE = "neuroflow-proxy"
_LONGEST_ANSWER = 1 << 20
_TAKEN_UP_WITHIN_S = 3.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Health:
    """What a proxy tells of itself to everybody."""

    instance_id: str
    build: str
    """Its version, and which code of that; empty from one that is too old to tell."""
    model: str


def ask_health(port: int, *, timeout_s: float = 2) -> Health | None:
    """Who listens on `port`, if it is a proxy of this kind."""
    answer = _ask(port, "/healthz", {}, timeout_s)
    return Health(*(str(answer.get(name, "")) for name in ("instance_id", "build", "model"))) if answer else None


def ask_stats(port: int, token: str | None, *, timeout_s: float = 2) -> JSON | None:
    """What the proxy on `port` has served, mended and learned; None if it does not say."""
    return _ask(port, "/stats", {"Authorization": f"Bearer {token}"} if token else {}, timeout_s)


def wait_until_read(port: int, token: str | None, path: Path) -> bool:
    """Wait until the proxy on `port` has read its file as it is now, which takes a second; whether it goes by that."""
    changed = file_stamp(path)
    deadline = time.monotonic() + _TAKEN_UP_WITHIN_S
    while time.monotonic() < deadline:
        stats = ask_stats(port, token)
        if stats and stats.get("settings_stamp") == changed:
            return not stats["settings_problem"]
        time.sleep(_POLL_S)
    return False


def _ask(port: int, path: str, headers: Mapping[str, str], timeout_s: float) -> JSON | None:
    """What a proxy of this kind answers. Never goes through `HTTP_PROXY`."""
    import http.client  # here, because where nothing has been started there is nobody to ask

    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers=headers)
        answer = loads(connection.getresponse().read(_LONGEST_ANSWER))
    except (OSError, http.client.HTTPException, InvalidJSON):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) and answer.get("service") == SERVICE else None
