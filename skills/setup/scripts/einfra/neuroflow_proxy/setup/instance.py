"""The one detached proxy that belongs to an integrations file: found, started, stopped.

A `Record` in the user's state folder says which process it is. It is written before the process exists and again as
soon as it does, so that whoever is killed half-way leaves nothing that the next run cannot find. The record proves
nothing: `process.py` tells whether a process is ours, and a port is ours if `/healthz` answers with the instance id.
Anything else is never signalled.

Homes may be shared between machines and loopback is not, so a record belongs to a host as well. Where a machine was
renamed, a process that runs here is known by its proof; where a folder was moved, its file is known by its token.
"""

import contextlib
import glob
import hashlib
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

from ..errors import OUTCOMES, InstanceError, Kind, SettingsError
from ..settings import read_section
from ..version import build
from ..wire.plain_json import InvalidJSON, dumps, loads
from .files import open_private, remove_leftovers, write_private
from .health import Health, ask_health
from .integrations import name_of, state_name
from .keys import EINFRA_VARIABLES, OPENAI_VARIABLE
from .lock import exclusive
from .platforms import detached
from .ports import LAST_PORT, candidates, is_free, owner_of
from .process import Record, end, process_of
from .undo import Journal

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

    @contextlib.contextmanager
    def lock(self, integrations: Path) -> Iterator[None]:
        """Only one at a time may change this file and its proxy. What is known of it has its present name then."""
        with exclusive(self._path(integrations, "lock")):
            former, place = self.under_a_former_name(integrations), integrations.resolve()
            if former and former.integrations != str(place):
                Journal(self.state, integrations).follow(Path(former.integrations))
                self._write(replace(former, integrations=str(place)))
                for suffix in ("json", "lock"):
                    self._path_of(former.host, former.integrations, suffix).unlink(missing_ok=True)
            yield

    def find(self, integrations: Path) -> Record | None:
        """What is written down for this file, true or not."""
        return _read(self._path(integrations, "json")) or self.under_a_former_name(integrations)

    def under_a_former_name(self, integrations: Path) -> Record | None:
        """What was written down before the machine was renamed, or the folder moved."""
        own = self._path(integrations, "json")
        if own.exists():
            return None
        place, mark = integrations.resolve(), _mark(integrations)
        for record in filter(None, map(_read, self.state.glob("*.json"))):
            former = Path(record.integrations)
            if former == place and process_of(record):
                return record
            is_known = mark is not None and record.mark == mark and record.host == self._host
            if is_known and (not os.path.exists(former) or os.path.samefile(former, place)):  # else this is a copy
                return record
        return None

    def has_its_name(self, record: Record, integrations: Path) -> bool:
        """Whether a proxy was started under the names that the machine and the folder have now."""
        return record.file == self._path(integrations, "json")

    def running(self, integrations: Path) -> Record | None:
        """The proxy of this file, if it answers."""
        answering = self._answering(integrations)
        return answering[0] if answering else None

    def log(self, integrations: Path) -> Path:
        """Where the proxy of this file writes, or wrote when it last ran."""
        former = self.under_a_former_name(integrations)
        return Path(former.log) if former else self._path(integrations, "log")

    def on_other_hosts(self, integrations: Path) -> list[Record]:
        """What other machines that share this home have written down for this file."""
        own = self._path(integrations, "json")
        paths = [path for path in self.state.glob(f"*-{state_name(integrations)}.json") if path != own]
        return [record for record in map(_read, paths) if record and not process_of(record)]

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
        if answering and self.has_its_name(answering[0], integrations) and answering[1].build == build():
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
            record = replace(record, mark=_mark(integrations))
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
        if record and not self.has_its_name(record, integrations):
            self._rename(record, integrations)
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

    def _rename(self, record: Record, integrations: Path) -> None:
        """Give what a proxy has left under a former name the present one."""
        former, own = record.file, self._path(integrations, "json")
        for path in former.parent.glob(f"{glob.escape(former.stem)}.*"):
            with contextlib.suppress(OSError):
                if path.suffix == ".lock":
                    path.unlink()
                else:
                    path.replace(own.with_name(f"{own.stem}{path.name.removeprefix(former.stem)}"))

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
        return self._path_of(self._host, str(integrations.resolve()), suffix)

    def _path_of(self, host: str, integrations: str, suffix: str) -> Path:
        """The same for a path that is no more, or a link now: as it is written down."""
        return self.state / f"{re.sub(r'[^A-Za-z0-9.-]', '-', host)}-{name_of(integrations)}.{suffix}"


def _read(path: Path) -> Record | None:
    try:
        return Record(**loads(path.read_bytes()))
    except (OSError, InvalidJSON, TypeError):  # none, or one that another version wrote: nothing to go by
        return None


def _mark(integrations: Path) -> str | None:
    """What a file is known by, wherever it is: its token is its own."""
    with contextlib.suppress(SettingsError):
        section = read_section(integrations)
        if section and section.proxy_token:
            return hashlib.sha256(section.proxy_token.encode()).hexdigest()[:12]
    return None


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
