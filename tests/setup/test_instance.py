"""Starting, finding and stopping the one proxy of an integrations file: real processes, real ports."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from neuroflow_proxy.errors import InstanceError
from neuroflow_proxy.setup.files import write_private
from neuroflow_proxy.setup.health import ask_health
from neuroflow_proxy.setup.instance import Instances, child_environment, free_ports
from neuroflow_proxy.setup.lock import exclusive
from neuroflow_proxy.setup.ports import candidates, is_free, owner_of
from neuroflow_proxy.version import VERSION, build
from tests.live import free_port
from tests.setup.user import KEY, User, is_alive, processes_of

only_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")


@contextmanager
def listening(host: str = "127.0.0.1") -> Iterator[int]:
    """Some other program's server."""
    with socket.create_server((host, 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def settled(user: User) -> User:
    """Somebody whose settings are written and whose proxy does not run."""
    user.write_settings()
    return user


def test_a_proxy_is_started_answers_under_its_name_and_is_ended(settled: User) -> None:
    record = settled.start().record
    health = ask_health(record.port)
    assert health is not None
    assert (health.instance_id, health.model) == (record.instance_id, "kimi-k2.5")
    assert record.pid is not None
    assert record.instance_id in psutil.Process(record.pid).cmdline()
    if sys.platform != "win32":
        assert os.getsid(record.pid) == record.pid, "it would die with the terminal"
    assert settled.instances.stop(settled.file)
    assert not is_alive(record.pid)
    assert is_free(record.port)
    assert settled.records == []
    assert not settled.instances.stop(settled.file)


def test_one_that_runs_is_used_and_not_started_twice(settled: User) -> None:
    first = settled.start()
    second = settled.start(port=free_port())
    assert (first.is_new, second.is_new) == (True, False)
    assert second.record == first.record
    assert processes_of(settled) == [first.record.pid]


def test_one_of_other_code_is_replaced_on_its_port(settled: User, monkeypatch: pytest.MonkeyPatch) -> None:
    first = settled.start().record
    monkeypatch.setattr("neuroflow_proxy.setup.instance.build", lambda: "999.0+0")
    second = settled.start(port=first.port)
    assert second.is_new
    assert second.record.port == first.port
    assert processes_of(settled) == [second.record.pid]


def test_code_that_was_changed_between_two_versions_is_other_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuroflow_proxy.version.__file__", str(tmp_path / "version.py"))
    (tmp_path / "wire").mkdir()
    code = tmp_path / "wire" / "sse.py"
    code.write_text("one = 1\n")
    before = build()
    (tmp_path / "wire" / "sse.cpython-311.pyc").write_bytes(b"what Python makes of it")
    assert build() == before
    code.write_text("one = 2\n")
    assert build() != before
    assert build().startswith(f"{VERSION}+")


def test_a_machine_that_was_renamed_still_knows_its_proxy(settled: User) -> None:
    first = settled.start().record
    renamed = Instances(settled.state, host="dhcp-17.example.org")
    assert renamed.running(settled.file) == first
    assert renamed.log(settled.file) == Path(first.log)
    assert renamed.on_other_hosts(settled.file) == []
    second = renamed.start(
        settled.file, port=first.port, on_port=lambda _: None, secret=KEY, env=settled.env, say=print
    ).record
    assert (second.port, second.host) == (first.port, "dhcp-17.example.org")
    assert processes_of(settled) == [second.pid]
    assert settled.records == [second], "nothing is left under the former name"
    assert renamed.stop(settled.file)


def test_a_lost_race_for_a_port_ends_on_the_next(settled: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent finds the port free; when the child binds, somebody has it."""
    told: list[str] = []
    with listening() as taken:
        monkeypatch.setattr("neuroflow_proxy.setup.instance.is_free", lambda port: True)
        monkeypatch.setattr("neuroflow_proxy.setup.instance.candidates", lambda wanted: iter([wanted, free_port()]))
        started = settled.start(port=taken, say=told.append)
    assert started.record.port != taken
    assert "in the same moment" in told[0]
    assert ask_health(started.record.port) is not None


def test_a_proxy_that_was_killed_is_noticed_and_replaced(settled: User) -> None:
    first = settled.start().record
    assert first.pid is not None
    psutil.Process(first.pid).kill()
    deadline = time.monotonic() + 10
    while not is_free(first.port):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert settled.instances.running(settled.file) is None
    second = settled.start(port=first.port)
    assert second.is_new
    assert second.record.pid != first.pid


def test_a_process_that_is_not_proved_ours_is_never_signalled(settled: User) -> None:
    """Records whose pid belongs to somebody else by now: the right number, the wrong process."""
    record = settled.start().record
    assert record.pid is not None
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        try:
            strangers_time = psutil.Process(stranger.pid).create_time()
            nobody_there = free_port()
            for lie in (
                replace(record, port=nobody_there, pid=stranger.pid, create_time=strangers_time),
                replace(record, port=nobody_there, create_time=1.0, since_boot_s=1.0),
                replace(record, port=nobody_there, instance_id="another"),
            ):
                settled.write_record(lie)
                assert not settled.instances.stop(settled.file)
                assert stranger.poll() is None
                assert is_alive(record.pid)
        finally:
            stranger.kill()
    settled.write_record(record)


def test_one_that_answers_as_ours_but_cannot_be_proved_is_left_to_the_user(settled: User) -> None:
    record = settled.start().record
    assert record.pid is not None
    settled.write_record(replace(record, create_time=1.0, since_boot_s=1.0))
    with pytest.raises(InstanceError, match="cannot be proved"):
        settled.instances.stop(settled.file)
    assert is_alive(record.pid)
    settled.write_record(record)


def test_one_whose_start_was_not_recorded_to_the_end_is_found_by_its_name(settled: User) -> None:
    """What a set-up leaves behind that is killed as soon as it has started the process."""
    record = settled.start().record
    assert record.pid is not None
    settled.write_record(replace(record, pid=None, create_time=None))
    assert settled.instances.running(settled.file) is not None
    assert settled.start().record == record
    settled.write_record(replace(record, pid=None, create_time=None))
    assert settled.instances.stop(settled.file)
    assert not is_alive(record.pid)


def test_a_record_of_another_version_is_no_record(settled: User) -> None:
    record = settled.start().record
    path = Path(record.log).with_suffix(".json")
    for text in (b"", b"[]", b"{}", b'{"pid": 1}', b"not json"):
        write_private(path, text)
        assert settled.instances.find(settled.file) is None
    settled.write_record(record)


def test_a_proxy_that_cannot_start_says_why_and_leaves_nothing(settled: User) -> None:
    with pytest.raises(InstanceError) as failure:
        settled.instances.start(
            settled.file,
            port=free_port(),
            on_port=lambda _: settled.file.write_text("{broken") and None,
            secret=KEY,
            env=settled.env,
            say=print,
        )
    assert "not valid JSON" in failure.value.message
    assert ".out" in failure.value.hint
    assert settled.records == []
    assert processes_of(settled) == []


def test_a_start_that_is_interrupted_leaves_no_proxy(settled: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("neuroflow_proxy.setup.instance._wait_until_it_answers", interrupted)
    with pytest.raises(KeyboardInterrupt):
        settled.start()
    assert settled.records == []
    assert processes_of(settled) == []


@only_posix
def test_what_is_kept_of_a_proxy_is_for_its_owner_alone_and_holds_no_key(settled: User) -> None:
    settled.start()
    with settled.instances.lock(settled.file):
        kept = {path.suffix: path for path in settled.state.iterdir()}
    assert set(kept) == {".json", ".lock", ".log", ".out"}
    assert {path.stat().st_mode & 0o777 for path in kept.values()} == {0o600}
    assert settled.state.stat().st_mode & 0o777 == 0o700
    assert not [path for path in kept.values() if KEY.encode() in path.read_bytes()]


def test_the_log_of_the_run_before_is_kept(settled: User) -> None:
    log = Path(settled.start().record.log)
    settled.instances.stop(settled.file)
    log.write_text("what happened yesterday\n")
    settled.start()
    assert log.read_text().startswith("what happened yesterday\n")


def test_machines_that_share_a_home_do_not_share_a_proxy(settled: User, monkeypatch: pytest.MonkeyPatch) -> None:
    record = settled.start().record
    elsewhere = Instances(settled.state, host="login2.example.org")
    with monkeypatch.context() as there:
        there.setattr("neuroflow_proxy.setup.instance.process_of", lambda record: None)  # its process is not there
        assert elsewhere.find(settled.file) is None
        assert elsewhere.on_other_hosts(settled.file) == [record]
        assert not elsewhere.stop(settled.file)
    assert record.pid is not None
    assert is_alive(record.pid)


def test_a_child_inherits_what_the_network_needs_and_nothing_that_decides_for_the_file() -> None:
    env = {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        "BIG_MODEL": "x",
        "OPENAI_BASE_URL": "x",
        "NEUROFLOW_PROXY_TOKEN": "x",
        "ANTHROPIC_BASE_URL": "x",
        "CLAUDE_CODE_MESSAGING_TOKEN": "x",
        "SECRET_BY_ANOTHER_NAME": f"Bearer {KEY}",
    }
    child = child_environment(env, Path("integrations.json"), secret=KEY)
    assert set(child) & set(env) == {"PATH", "HTTPS_PROXY"}
    assert child["NEUROFLOW_PROXY_INTEGRATIONS"] == str(Path("integrations.json").resolve())


def test_a_key_that_is_a_common_word_takes_no_path_away() -> None:
    env = {"PATH": "/opt/ollama/bin:/bin", "OLLAMA_KEY": "ollama"}
    child = child_environment(env, Path("integrations.json"), secret="ollama")
    assert set(child) & set(env) == {"PATH"}


def test_a_port_is_free_until_somebody_listens() -> None:
    with listening() as port:
        assert not is_free(port)
        owner = owner_of(port)
        assert owner is None or f"(pid {os.getpid()})" in owner
    assert is_free(port)


def test_a_server_on_all_addresses_takes_the_port_too() -> None:
    with listening(host="0.0.0.0") as port:
        assert not is_free(port)


def test_ports_are_tried_from_the_wanted_one_and_then_from_4001_up() -> None:
    assert [port for port, _ in zip(candidates(4003), range(4), strict=False)] == [4003, 4001, 4002, 4004]
    assert len(list(candidates(5000))) == len(set(candidates(5000))) == 100


def test_who_has_the_wanted_port_is_told_and_of_all_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    with listening() as wanted, listening() as other:
        free = free_port()
        monkeypatch.setattr("neuroflow_proxy.setup.instance.candidates", lambda port: iter([port, other, free]))
        assert list(free_ports(wanted, told.append)) == [free]
    assert len(told) == 1
    assert told[0].startswith(f"Port {wanted} is taken by ")


def test_a_lock_is_held_by_one_at_a_time_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    with exclusive(path), pytest.raises(InstanceError, match="has not come to its end"), exclusive(path, timeout_s=0.1):
        pass
    with exclusive(path, timeout_s=0.1):
        pass


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    code = (
        "import sys, time; from pathlib import Path; from neuroflow_proxy.setup.lock import exclusive\n"
        "with exclusive(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        holder.kill()
        holder.wait()
    with exclusive(path, timeout_s=5):
        pass


def test_starts_at_once_end_with_one_proxy(settled: User) -> None:
    verbs = [("start",), ("start",), ("start", "--port", str(free_port()))]
    with ThreadPoolExecutor() as pool:
        told = [ran.json for ran in pool.map(lambda verb: settled.run(*verb, "--json"), verbs)]
    assert {one["ok"] for one in told} == {True}
    (running,) = processes_of(settled)
    status = settled.run("status", "--json").json
    assert (status["running"], status["pid"]) == (True, running)
    assert status["port"] == settled.section["proxy_port"]
