"""The one detached proxy that belongs to an integrations file: found, started, stopped.

A `Record` in the user's state folder says which process it is. It is written before the process exists and again as
soon as it does, so that whoever is killed half-way leaves nothing that the next run cannot find. The record proves
nothing: `process.py` tells whether a process is ours, and a port is ours if `/healthz` answers with the instance id.
Anything else is never signalled.

Homes may be shared between machines and loopback is not, so a record belongs to a host as well.
"""

import contextlib
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..errors import OUTCOMES, InstanceError, Kind
from ..version import build
from ..wire.plain_json import InvalidJSON, dumps, loads
from .files import open_private, remove_leftovers, write_private
from .health import Health, ask_health
from .integrations import state_name
from .keys import EINFRA_VARIABLES, OPENAI_VARIABLE
from .lock import exclusive
from .platforms import detached
from .ports import LAST_PORT, candidates, is_free, owner_of
from .process import Record, end, process_of

START_TIMEOUT_S = 30.0
_POLL_S = 0.05
_LOG_TAIL_LINES = 15

_PACKAGE_PARENT = Path(__file__).resolve().parents[2]

# What a detached proxy is not to inherit: who started it (Claude Code hands its own token and address to every child),
# and whatever would stand over the integrations file, which is to decide alone and at any time.
_UNWANTED_PREFIXES = ("ANTHROPIC_", "CLAUDE")
_UNWANTED = {
    *EINFRA_VARIABLES,
    OPENAI_VARIABLE,
    "OPENAI_BASE_URL",
    "BIG_MODEL",
    "SMALL_MODEL",
    "NEUROFLOW_PROXY_TOKEN",
    "NEUROFLOW_PROXY_PORT",
    "NEUROFLOW_PROXY_INSTANCE_ID",
}

_SHORTEST_SECRET = 12

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Started:
    """A proxy that answers. `is_new` is false if it did so before."""

    record: Record
    is_new: bool


class Instances:
    """This user's detached proxies on this machine, by integrations file. Hold `lock` to start or stop one."""

    def __init__(self, state: Path, *, host: str) -> None:
        self.state = state
        self._host = host

    def lock(self, integrations: Path) -> contextlib.AbstractContextManager[None]:
        """Only one at a time may change this file and its proxy."""
        return exclusive(self._path(integrations, "lock"))

    def find(self, integrations: Path) -> Record | None:
        """What is written down for this file, true or not."""
        try:
            return Record(**loads(self._path(integrations, "json").read_bytes()))
        except (OSError, InvalidJSON, TypeError):  # none, or one that another version wrote: nothing to go by
            return None

    def running(self, integrations: Path) -> Record | None:
        """The proxy of this file, if it answers."""
        answering = self._answering(integrations)
        return answering[0] if answering else None

    def log(self, integrations: Path) -> Path:
        """Where the proxy of this file writes, or wrote when it last ran."""
        return self._path(integrations, "log")

    def on_other_hosts(self, integrations: Path) -> list[Record]:
        """What other machines that share this home have written down for this file."""
        own = self._path(integrations, "json")
        found = []
        for path in self.state.glob(f"*-{state_name(integrations)}.json"):
            with contextlib.suppress(OSError, InvalidJSON, TypeError):  # as in `find`
                found += [Record(**loads(path.read_bytes()))] if path != own else []
        return found

    def start(
        self,
        integrations: Path,
        *,
        port: int,
        on_port: Callable[[int], None],
        secret: str,
        env: Mapping[str, str],
        say: Say,
    ) -> Started:
        """Let a proxy run for this file: the one that is running, or a new one on the first free port from `port` on.
        One that runs other code than this is replaced: there has been an update.

        `on_port` is told the port before the proxy looks at the file. `secret` is kept out of the child's environment,
        whatever variable it stands in.
        """
        answering = self._answering(integrations)
        if answering and answering[1].build == build():
            record, _ = answering
            on_port(record.port)
            return Started(self._completed(record), is_new=False)
        self.stop(integrations)
        for candidate in free_ports(port, say):
            record = Record(
                instance_id=secrets.token_hex(8),
                host=self._host,
                port=candidate,
                log=str(self._path(integrations, "log")),
                integrations=str(integrations.resolve()),
            )
            on_port(candidate)
            started = self._try_start(record, child_environment(env, integrations, secret=secret))
            if started:
                return Started(started, is_new=True)
            say(f"Port {candidate} was taken in the same moment; trying the next.")
        raise InstanceError(
            f"No port up to {LAST_PORT} can be had.",
            hint="Name one with --port. In a sandbox, run the same command in a terminal outside it.",
        )

    def stop(self, integrations: Path) -> bool:
        """End this file's proxy. Returns whether there was one. Signals nothing that is not proved to be it."""
        record = self.find(integrations)
        process = process_of(record) if record else None
        if process:
            end(process)
        elif self.running(integrations):
            raise InstanceError(
                "A proxy answers under the name of ours, but which process it is cannot be proved.",
                hint=f"Find out who listens on port {record.port if record else '?'} and end it yourself.",
            )
        path = self._path(integrations, "json")
        remove_leftovers(path)
        path.unlink(missing_ok=True)
        return process is not None

    def forget(self, integrations: Path) -> None:
        """Remove what a proxy that has ended left behind: its log, its last words, what it recorded."""
        log = self.log(integrations)
        for path in (*log.parent.glob(f"{log.name}*"), log.with_suffix(".out"), log.with_suffix(".claude")):
            path.unlink(missing_ok=True)
        shutil.rmtree(log.with_suffix(".recordings"), ignore_errors=True)

    def leave(self, integrations: Path) -> None:
        """Remove the lock, and the folder with it if nothing else is there. The last thing to do under the lock."""
        with contextlib.suppress(OSError):  # Windows removes no open file, and other proxies may have files here
            self._path(integrations, "lock").unlink(missing_ok=True)
            self.state.rmdir()

    def _answering(self, integrations: Path) -> tuple[Record, Health] | None:
        """The proxy of this file and what it tells of itself, if it does."""
        record = self.find(integrations)
        health = ask_health(record.port) if record else None
        return (record, health) if record and health and health.instance_id == record.instance_id else None

    def _completed(self, record: Record) -> Record:
        """The record with its process, which whoever started that may have been killed before writing down."""
        process = process_of(record) if record.pid is None else None
        if process is None:
            return record
        record = replace(record, pid=process.pid, create_time=process.create_time())
        self._write(record)
        return record

    def _try_start(self, record: Record, env: Mapping[str, str]) -> Record | None:
        """Start a process and wait until it answers. None if somebody else got the port first."""
        import psutil

        self._write(record)
        child = self._spawn(record, env)
        try:
            began = psutil.Process(child.pid).create_time()
            record = replace(record, pid=child.pid, create_time=began, since_boot_s=began - psutil.boot_time())
            self._write(record)
            if _wait_until_it_answers(child, record):
                child.returncode = 0  # it is on its own now: nobody is to wait for it, or to warn that nobody did
                return record
        except BaseException:
            child.kill()
            child.wait()
            self._path(Path(record.integrations), "json").unlink(missing_ok=True)
            raise
        return None

    def _spawn(self, record: Record, env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        mark = ["--port", str(record.port), "--instance-id", record.instance_id]
        # What it says beside its log, which it turns over by itself: a traceback, or why it could not start.
        descriptor = open_private(_output_file(record))
        # As we are; then PYTHONUTF8 and PYTHONPATH say nothing.
        isolated = ["-I", "-X", "utf8"] if sys.flags.isolated else []
        try:
            return subprocess.Popen(  # noqa: S603
                [sys.executable, *isolated, "-m", "neuroflow_proxy", "serve", *mark],
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=subprocess.STDOUT,
                cwd=self.state,
                env={**env, "NEUROFLOW_PROXY_LOG": record.log},
                **detached(sys.platform),
            )
        finally:
            os.close(descriptor)

    def _write(self, record: Record) -> None:
        write_private(self._path(Path(record.integrations), "json"), dumps(asdict(record)))

    def _path(self, integrations: Path, suffix: str) -> Path:
        host = re.sub(r"[^A-Za-z0-9.-]", "-", self._host)
        return self.state / f"{host}-{state_name(integrations)}.{suffix}"


def child_environment(env: Mapping[str, str], integrations: Path, *, secret: str) -> dict[str, str]:
    """The environment of a detached proxy: the user's, without what it must not know or obey."""

    def is_unwanted(name: str, value: str) -> bool:
        # A local service may have a key like "ollama", which is no secret and may well be a part of the PATH.
        holds_secret = value.strip() == secret or (len(secret) >= _SHORTEST_SECRET and secret in value)
        return name.startswith(_UNWANTED_PREFIXES) or name in _UNWANTED or holds_secret

    return {name: value for name, value in env.items() if not is_unwanted(name, value)} | {
        "NEUROFLOW_PROXY_INTEGRATIONS": str(integrations.resolve()),
        "PYTHONPATH": str(_PACKAGE_PARENT),
        "PYTHONUTF8": "1",  # the log, where the system's own encoding knows no Czech
    }


def free_ports(wanted: int, say: Say) -> Iterator[int]:
    """Ports that can be bound now, the wanted one first; says who has that. On a login node many others are taken."""
    for port in candidates(wanted):
        if is_free(port):
            yield port
        elif port == wanted:
            say(f"Port {port} is taken by {_holder(port)}.")


def _holder(port: int) -> str:
    if ask_health(port):
        return "another proxy of this kind"
    return owner_of(port) or "a program that the system does not name"


def _wait_until_it_answers(child: "subprocess.Popen[bytes]", record: Record) -> bool:
    """Whether the child got its port and answers on it. Raises `InstanceError` with the log's end if neither."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        health = ask_health(record.port, timeout_s=1)
        if health and health.instance_id == record.instance_id:
            return True
        if child.poll() is not None:
            if child.returncode == OUTCOMES[Kind.INSTANCE].exit_code:  # its bind failed
                return False
            raise InstanceError(
                f"The proxy ended as soon as it was started.{_last_words(record)}", hint=_where_output_is(record)
            )
        time.sleep(_POLL_S)
    raise InstanceError(
        f"The proxy did not answer within {START_TIMEOUT_S:.0f} s.{_last_words(record)}", hint=_where_output_is(record)
    )


def _last_words(record: Record) -> str:
    lines = _output_file(record).read_text("utf-8", "replace").strip().splitlines()[-_LOG_TAIL_LINES:]
    return "\n  " + "\n  ".join(lines) if lines else " It printed nothing."


def _where_output_is(record: Record) -> str:
    return f"The whole output is in {_output_file(record)}."


def _output_file(record: Record) -> Path:
    return Path(record.log).with_suffix(".out")
