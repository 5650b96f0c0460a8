"""Making sure that the proxy of an integrations file runs, and saving its port: for `setup` and `start`."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..settings import CustomLlm
from .health import wait_until_read
from .instance import Instances, Say, Started
from .integrations import save_section


class Run(NamedTuple):
    """A proxy that answers. `is_changed`: the integrations file was changed."""

    started: Started
    is_changed: bool


def ensure_running(
    path: Path,
    section: CustomLlm,
    fields: Mapping[str, object],
    *,
    port: int | None,
    instances: Instances,
    env: Mapping[str, str],
    say: Say,
    again: bool = False,
) -> Run:
    """Start the proxy unless it runs already; with `again`, or if it runs on another port than `port`, stop it first.

    `fields` are saved with the port and the token. The caller holds the lock.
    """
    token = section.proxy_token or new_token()
    is_changed = False

    def write_down(chosen: int) -> None:
        nonlocal is_changed
        placed = {**fields, "proxy_port": chosen, "proxy_token": token}
        is_changed = save_section(path, placed, again=is_changed) or is_changed

    running = instances.running(path)
    if running and (again or port not in (None, running.port)):
        instances.stop(path)
    started = instances.start(
        path, port=port or section.proxy_port, on_port=write_down, secret=section.api_key, env=env, say=say
    )
    if is_changed and not started.is_new:
        # Else the next request is still served by the former settings.
        wait_until_read(started.record.port, token, path)
    return Run(started, is_changed)


def new_token() -> str:
    """A token for the local proxy."""
    return secrets.token_urlsafe(32)
