"""What others on the same machine, and machines elsewhere, can do: nothing. Real processes, real users."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from neuroflow_proxy.demo.provider import DEMO_KEY, DemoProvider
from neuroflow_proxy.demo.run import running
from tests.live import call, free_port, started
from tests.setup.user import COMMAND, KEY, TOKEN, User, somebody

NOBODY = 65534
SYSTEM_PYTHON = shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin")
needs_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0 or not SYSTEM_PYTHON, reason="only root can act as another user"
)


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    with somebody(tmp_path) as user:
        yield user


def as_nobody(code: str, *arguments: str) -> str:
    """Run Python as another user, from a place that is open to all; what it prints, or says in dying."""
    assert SYSTEM_PYTHON is not None
    ended = subprocess.run(
        [SYSTEM_PYTHON, "-I", "-c", code, *arguments],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        env={},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return ended.stdout + ended.stderr


ASK = """
import sys, urllib.request, urllib.error
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""
READ = """
import sys
import tempfile
for path in sys.argv[1:]:
    try:
        print("read", path, open(path, "rb").read())
    except OSError as error:
        print(type(error).__name__)
"""


@needs_root
def test_another_user_of_the_machine_cannot_use_what_set_up_has_made(user: User) -> None:
    assert user.set_up("--yes", "--no-proof").code == 0
    url = f"http://127.0.0.1:{user.section['proxy_port']}"
    assert as_nobody(ASK, f"{url}/healthz") == "200\n", "it is reached, so the next lines mean something"
    assert as_nobody(ASK, f"{url}/v1/models") == "401\n"
    assert as_nobody(ASK, f"{url}/stats") == "401\n"


@needs_root
def test_another_user_of_the_machine_cannot_read_any_file_or_the_environment(user: User) -> None:
    for folder in (user.home.parent, *user.home.parent.parents):  # pytest keeps its folders closed
        if folder.is_relative_to(tempfile.gettempdir()):
            folder.chmod(folder.stat().st_mode | 0o055)
    assert user.set_up("--yes", "--no-proof").code == 0
    (record,) = user.records
    files = [user.file, *user.state.iterdir(), Path(f"/proc/{record.pid}/environ")]
    told = as_nobody(READ, *map(str, files))
    assert told.splitlines() == ["PermissionError"] * len(files), told
    assert as_nobody(READ, "/etc/hostname").startswith("read"), "another user can read what is open"


def other_address() -> str | None:
    """An address of this machine that is not loopback."""
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family is socket.AF_INET and not address.address.startswith("127."):
                return str(address.address)
    return None


@contextmanager
def serving(folder: Path, *flags: str, **env: str) -> Iterator[int]:
    """`serve` as people type it; the value is the port."""
    port = free_port()
    with running(DemoProvider()) as base_url:
        seed = {
            "OPENAI_API_KEY": DEMO_KEY,
            "OPENAI_BASE_URL": base_url,
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
        }
        kept = {name: os.environ[name] for name in ("PYTHONPATH", "SYSTEMROOT") if name in os.environ}
        command = [*COMMAND, "serve", "--port", str(port), *flags]
        with started(command, cwd=folder, env=seed | kept | env, port=port, log=folder / "log"):
            yield port


def status_of(url: str, **headers: str) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def test_it_listens_on_this_machine_alone_unless_told_otherwise(tmp_path: Path) -> None:
    with serving(tmp_path) as port:
        listening = [
            connection.laddr.ip
            for process in psutil.Process().children(recursive=True)
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        ]
    assert listening == ["127.0.0.1"]


def test_told_to_serve_others_it_refuses_to_start_without_a_token(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "OPENAI_API_KEY": DEMO_KEY}
    command = [*COMMAND, "serve", "--host", "0.0.0.0", "--port", str(free_port())]
    ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 3
    assert "token" in ended.stderr


@pytest.mark.skipif(other_address() is None, reason="no address but loopback")
def test_with_a_token_others_are_served_who_have_it(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0", NEUROFLOW_PROXY_TOKEN="t0ken") as port:
        url = f"http://{other_address()}:{port}"
        assert status_of(f"{url}/v1/models") == 401
        assert status_of(f"{url}/v1/models", **{"x-api-key": "t0ken"}) == 200


@pytest.mark.skipif(other_address() is None, reason="no address but loopback")
def test_uvicorn_on_all_addresses_without_a_token_serves_its_own_machine_alone(tmp_path: Path) -> None:
    """`uvicorn proxy:app --host 0.0.0.0`."""
    einfra = Path(__file__).parents[2] / "skills" / "setup" / "scripts" / "einfra"
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "proxy:app", "--host", "0.0.0.0", "--port", str(port)]
    with running(DemoProvider()) as base_url:
        env = {"OPENAI_API_KEY": DEMO_KEY, "OPENAI_BASE_URL": base_url, "HOME": str(tmp_path)}
        env |= {"PATH": os.environ["PATH"], "FORWARDED_ALLOW_IPS": "*", "PYTHONDONTWRITEBYTECODE": "1"}
        with started([*command, "--app-dir", str(einfra)], cwd=tmp_path, env=env, port=port, log=tmp_path / "log"):
            assert call(f"http://127.0.0.1:{port}/v1/models")[0] == 200
            away = f"http://{other_address()}:{port}/v1/models"
            assert status_of(away) == 403
            # Uvicorn would believe this, told to believe everybody.
            assert status_of(away, **{"x-forwarded-for": "127.0.0.1"}) == 403


def test_the_record_and_the_settings_tell_no_key_to_a_process_listing(user: User) -> None:
    assert user.set_up("--yes", "--no-proof").code == 0
    (record,) = user.records
    process = psutil.Process(record.pid)
    told = " ".join([*process.cmdline(), *(f"{name}={value}" for name, value in process.environ().items())])
    assert KEY not in told
    assert user.section["proxy_token"] not in told
    assert TOKEN not in told
