"""A laptop that gets another address in the midst of a session. Run as root in a network namespace of its own:

    unshare --net python -m tests.server.another_network

The provider is in a second namespace, joined by a cable (veth). Prints in how many seconds the next turn was answered.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import uvicorn

from neuroflow_proxy.demo.provider import DemoProvider
from neuroflow_proxy.server.app import create_app
from tests.serving import serving, settings, wait_until

PROVIDER, PORT = "10.9.0.2", 8000
FIRST, LATER = "10.9.0.1/24", "10.9.0.7/24"
LIMIT_S = 300.0


def provide() -> None:
    """Be the provider, once its side of the cable is there."""
    sys.stdin.readline()
    uvicorn.run(DemoProvider(), host=PROVIDER, port=PORT, log_config=None)


def main() -> None:
    command = ["unshare", "--net", sys.executable, "-m", "tests.server.another_network", "provide"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as provider:
        try:
            here = os.readlink("/proc/self/ns/net")
            wait_until(lambda: os.readlink(f"/proc/{provider.pid}/ns/net") != here, "a namespace of its own")
            _lay_cable(provider.pid)
            assert provider.stdin is not None
            provider.stdin.write("\n")
            provider.stdin.flush()
            wait_until(_is_served, "the provider", 30)
            print(json.dumps(_two_turns()))
        finally:
            provider.kill()


def _two_turns() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        given = settings(f"http://{PROVIDER}:{PORT}/v1", Path(folder), NEUROFLOW_PROXY_ALLOW_HTTP="1")
        with serving(create_app(given)) as url:
            _ask(url)
            _ip("address", "del", FIRST, "dev", "here")
            _ip("address", "add", LATER, "dev", "here")
            assert _is_served(), "a new connection would do"
            began = time.monotonic()
            _ask(url)
            return {"seconds": time.monotonic() - began}


def _ask(url: str) -> None:
    body = {"model": "claude", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello there!"}]}
    answer = httpx.post(f"{url}/v1/messages", json=body, timeout=LIMIT_S)
    assert answer.status_code == 200, answer.text


def _lay_cable(process: int) -> None:
    _ip("link", "set", "lo", "up")
    _ip("link", "add", "here", "type", "veth", "peer", "name", "there")
    _ip("link", "set", "there", "netns", str(process))
    _ip("address", "add", FIRST, "dev", "here")
    _ip("link", "set", "here", "up")
    inside = ("nsenter", "--target", str(process), "--net")
    _ip("address", "add", f"{PROVIDER}/24", "dev", "there", by=inside)
    _ip("link", "set", "there", "up", by=inside)


def _ip(*arguments: str, by: tuple[str, ...] = ()) -> None:
    subprocess.run([*by, "ip", *arguments], check=True)


def _is_served() -> bool:
    try:
        socket.create_connection((PROVIDER, PORT), 2).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    provide() if sys.argv[1:] == ["provide"] else main()
