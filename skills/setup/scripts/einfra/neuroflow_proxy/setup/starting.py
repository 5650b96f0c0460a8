"""Letting the proxy of an integrations file run, and writing down where it does: what `setup` and `start` do alike."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..settings import CustomLlm
from .health import takes_up
from .instance import Instances, Say, Started
from .integrations import save_section


class Run(NamedTuple):
    """A proxy that answers. `is_changed`: something else than before stands in the file now."""

    started: Started
    is_changed: bool


def let_run(
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
    """Start the proxy, unless it runs; with `again`, or if it runs on another port than `port`, end it first.

    `fields` go into the file with the port and the token. Hold the lock.
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
        takes_up(started.record.port, token, path)  # else what is asked of it next is answered by what was before
    return Run(started, is_changed)


def new_token() -> str:
    """A token for the local proxy."""
    return secrets.token_urlsafe(32)
