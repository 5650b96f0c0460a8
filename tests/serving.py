"""Running the proxy for tests: the real server, in a thread, on a free loopback port."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from neuroflow_proxy.demo.provider import DEMO_KEY, DemoProvider
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.server.app import create_app
from neuroflow_proxy.settings import Settings, load_settings

PATIENCE_S = 20.0


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an ASGI application; the value is its base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, log_level="error", ws="none", timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline, "the server did not start in time"
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def settings(base_url: str, folder: Path, **env: str) -> Settings:
    """Settings as `uvicorn proxy:app` has them: from the environment alone."""
    given = {"OPENAI_API_KEY": DEMO_KEY, "OPENAI_BASE_URL": base_url, "BIG_MODEL": "kimi-k2.5"}
    return load_settings({**given, **env}, cwd=folder, home=folder)


@contextmanager
def proxy_before(provider: DemoProvider, folder: Path, **env: str) -> Iterator[str]:
    """The proxy in front of the built-in provider; the value is the proxy's base URL."""
    with running(provider) as base_url, serving(create_app(settings(base_url, folder, **env))) as url:
        yield url


def wait_until(condition: Any, what: str, patience_s: float = 5.0) -> None:
    """Wait for something that another thread brings about."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.005)
