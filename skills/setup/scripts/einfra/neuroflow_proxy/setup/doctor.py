"""What is well and what is not, in the order in which a request would stumble over it. Looks only; changes nothing.

Every check that is not well says what mends it. Values that are secrets are shown by their last four letters.
"""

import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from ..errors import OUTCOMES, Kind, ProxyError, SettingsError, UpstreamError
from ..settings import CustomLlm
from ..wire.messages_api import JSON
from .catalog import offer, recommended
from .claude_code import PROXY_VARIABLES, find_claude
from .claude_settings import SHELL, Source, sources, winner
from .files import PRIVATE_FILE
from .flow import refused_key
from .git_guard import exposure
from .health import ask_health, ask_stats
from .instance import Instances, Record
from .keys import last_four, where_keys_are_made
from .place import Place
from .ports import LOOPBACK, owner_of
from .proof import prove
from .report import Report
from .service_status import ask_loads
from .usage import window_of

State = Literal["ok", "mind", "fail"]

_CLAUDE_TIMEOUT_S = 10
# These decide alone when the proxy runs in the foreground; a detached one never sees them.
_OVER_THE_FILE = ("BIG_MODEL", "SMALL_MODEL", "OPENAI_BASE_URL", "OPENAI_API_KEY", "NEUROFLOW_PROXY_TOKEN")
_OTHER_CLOUDS = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `failure` is what kind of failure it is, if requests cannot pass because of it."""

    name: str
    message: str
    mend: str = ""
    failure: Kind | None = None

    @property
    def state(self) -> State:
        return "fail" if self.failure else "mind" if self.mend else "ok"


def doctor(place: Place, instances: Instances, *, proves: bool) -> Report:
    """What is well and what is not, each with what mends it."""
    checks = examine(place, instances, proves=proves)
    failed = [check.failure for check in checks if check.failure]
    told = [line for check in checks for line in _check_lines(check)]
    counts = Counter(check.state for check in checks)
    summary = f"{counts['ok']} well, {counts['mind']} to mind, {counts['fail']} to mend."
    return Report(
        {
            "healthy": not failed,
            "checks": [
                {"name": check.name, "state": check.state, "message": check.message, "hint": check.mend}
                for check in checks
            ],
        },
        [*told, "", summary],
        exit_code=OUTCOMES[failed[0]].exit_code if failed else 0,
    )


def examine(place: Place, instances: Instances, *, proves: bool) -> list[Check]:
    """Look at everything that there is to look at; with `proves`, let the model use a tool as well."""
    try:
        path, section = place.configured()
    except SettingsError as error:
        return [Check("settings", error.message, error.hint or "Run `configure.py setup`.", error.kind)]
    running = instances.running(path)
    record = running[0] if running else None
    stats = ask_stats(record.port, section.proxy_token) if record else None
    found = sources(place)
    return [
        *_settings(path, section, place),
        *_git(path, place),
        *_proxy(path, section, record, instances),
        *_connection(section, record, found),
        *_http_proxy(found),
        *_window(section, stats, found),
        *_provider(section),
        *_service(stats),
        *(_proof(section, record) if record and proves else ()),
        *_claude_code(place),
    ]


def _settings(path: Path, section: CustomLlm, place: Place) -> Iterator[Check]:
    yield Check("settings", f"{path}: {section.model} at {section.base_url}.")
    if sys.platform != "win32":
        mode = path.stat().st_mode & 0o777
        if mode & ~PRIVATE_FILE:
            yield Check(
                "file mode",
                f"Others on this machine can read the key (mode {mode:o}).",
                f"chmod 600 {shlex.quote(str(path))}",
            )
        else:
            yield Check("file mode", "Only you can read the key.")
    over = [name for name in _OVER_THE_FILE if place.env.get(name)]
    if over:
        yield Check(
            "environment",
            f"{', '.join(over)} in this shell stand over the file for `configure.py serve` and proxy.py.",
            f"unset {' '.join(over)}",
        )


def _git(path: Path, place: Place) -> Iterator[Check]:
    try:
        problem = exposure(path, env=place.env)
    except SettingsError as error:
        problem = error
    if problem:
        yield Check("git", problem.message, problem.hint, problem.kind)
    else:
        yield Check("git", "Git does not take the file with the key.")


def _proxy(path: Path, section: CustomLlm, record: Record | None, instances: Instances) -> Iterator[Check]:
    if record:
        yield Check("proxy", f"It answers on http://{LOOPBACK}:{record.port} (pid {record.pid}).")
        return
    elsewhere = instances.on_other_hosts(path)
    if elsewhere:
        yield Check(
            "proxy",
            f"It was started on {elsewhere[0].host}, and a proxy serves only the machine that it runs on.",
            "configure.py start",
            Kind.INSTANCE,
        )
        return
    port = section.proxy_port
    owner = "another proxy of this kind" if ask_health(port) else owner_of(port)
    taken = f" Its port, {port}, is taken by {owner}; another will be found." if owner else ""
    yield Check("proxy", f"It does not run.{taken}", "configure.py start", Kind.INSTANCE)


def _connection(section: CustomLlm, record: Record | None, found: Sequence[Source]) -> Iterator[Check]:
    for broken in found:
        if broken.problem:
            yield Check("connection", f"{broken.path} counts for nothing: {broken.problem}.", f"Mend {broken.path}.")
    url = f"http://{LOOPBACK}:{record.port if record else section.proxy_port}"
    wanted = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": section.proxy_token or "", "ANTHROPIC_API_KEY": ""}
    for name, value in wanted.items():
        source = winner(found, name)
        is_set = source.env[name] if source else ""
        if source is None and name == "ANTHROPIC_API_KEY":
            continue
        if source is None:
            yield Check("connection", f"{name} is set nowhere that reaches a Claude Code started here.", _connect(None))
        elif is_set.rstrip("/") == value:
            yield Check("connection", f"{name} is {_shown(name, value)}, from {source.name}.{_losers(found, name)}")
        elif name == "ANTHROPIC_API_KEY":
            yield Check(
                "connection",
                f"{name} is {_shown(name, is_set)}, from {source.name}: Claude Code may ask about it, or use it.",
                _connect(source),
            )
        else:
            yield Check(
                "connection",
                f"{name} is {_shown(name, is_set)}, from {source.name}, and not {_shown(name, value)}: "
                f"requests do not pass.{_losers(found, name)}",
                _connect(source),
                Kind.SETTINGS,
            )
    for name in _OTHER_CLOUDS:
        cloud = winner(found, name)
        if cloud and cloud.env[name] not in ("", "0", "false"):
            yield Check(
                "connection", f"{name} in {cloud.name} leads around the proxy.", _removed(name, cloud), Kind.SETTINGS
            )


def _connect(source: Source | None) -> str:
    if source and source.path:
        return f"Take it out of {source.path}, or run `configure.py setup --connect settings`."
    return 'eval "$(configure.py env)", or `configure.py setup --connect settings`.'


def _removed(name: str, source: Source) -> str:
    return f"Take {name} out of {source.path}." if source.path else f"unset {name}"


def _losers(found: Sequence[Source], name: str) -> str:
    setting = [source.name for source in found if name in source.env][1:]
    return f" It is set in {', '.join(setting)} too, without effect." if setting else ""


def _shown(name: str, value: str) -> str:
    if not value:
        return "empty"
    if name == "ANTHROPIC_BASE_URL":
        parts = urlsplit(value)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return last_four(value)


def _http_proxy(found: Sequence[Source]) -> Iterator[Check]:
    for name in PROXY_VARIABLES:
        source = winner(found, name) or winner(found, name.lower())
        if source is None or not (source.env.get(name) or source.env.get(name.lower())):
            continue
        no_proxy = winner(found, "NO_PROXY") or winner(found, "no_proxy")
        hosts = (no_proxy.env.get("NO_PROXY") or no_proxy.env.get("no_proxy", "")) if no_proxy else ""
        if not {LOOPBACK, "*"} & {host.strip() for host in hosts.split(",")}:
            yield Check(
                "HTTP proxy",
                f"{name} in {source.name} catches requests to this machine too, so they do not reach the proxy.",
                f"export NO_PROXY={LOOPBACK},localhost"
                if source.name == SHELL
                else f"Set NO_PROXY to {LOOPBACK},localhost in {source.path}.",
                Kind.SETTINGS,
            )
            return
        yield Check("HTTP proxy", f"{name} is set, and NO_PROXY lets {LOOPBACK} pass.")
        return


def _window(section: CustomLlm, stats: JSON | None, found: Sequence[Source]) -> Iterator[Check]:
    real = window_of(section.model, stats)
    name = "CLAUDE_CODE_MAX_CONTEXT_TOKENS"
    source = winner(found, name)
    if source is None or not source.env[name].isdecimal():
        return
    believed = int(source.env[name])
    if believed > real:
        yield Check(
            "window",
            f"Claude Code believes in {believed:,} tokens, from {source.name}, and {section.model} takes {real:,}: "
            "long sessions will be refused.",
            _connect(source),
        )
    else:
        yield Check("window", f"Claude Code compacts within {believed:,} tokens; {section.model} takes {real:,}.")


def _provider(section: CustomLlm) -> Iterator[Check]:
    from ..provider.models_list import list_model_ids

    if not section.api_key:
        yield Check("key", "There is none.", where_keys_are_made(section.base_url))
    try:
        ids = list_model_ids(section.base_url, section.api_key, provider=section.provider)
    except UpstreamError as error:
        is_refusal = error.kind in (Kind.AUTHENTICATION, Kind.PERMISSION)
        told = refused_key(error, section.api_key, section.base_url) if is_refusal else error
        mend = told.hint or "See whether the service is up, then run this again."
        yield Check("key" if is_refusal else "provider", told.message, mend, told.kind)
        return
    if section.api_key:
        yield Check("key", f"{section.base_url} takes the key {last_four(section.api_key)}.")
    loads = ask_loads(section.base_url)
    best = recommended(offer(ids, loads))
    mend = f"configure.py use {best.id}" if best else "configure.py models"
    for model in dict.fromkeys(filter(None, (section.model, section.small_model, *section.fallback_models))):
        load = loads.get(model.lower())
        if model not in ids:
            yield Check("model", f"{model} is not on the provider's list any more.", mend, Kind.NOT_FOUND)
        elif load and not load.is_up:
            yield Check("model", f"{model} is down, as the provider's status service says.", mend, Kind.OVERLOADED)
        else:
            yield Check("model", f"{model} is on the provider's list.")


def _service(stats: JSON | None) -> Iterator[Check]:
    """What the running proxy has met."""
    if not stats:
        return
    if stats["settings_problem"]:
        yield Check("settings", f"The proxy goes on with the last good ones: {stats['settings_problem']}", "Mend them.")
    waiting = stats["queue"]["waiting"]
    if waiting:
        yield Check(
            "queue",
            f"{len(waiting)} requests wait for a place, the first for {waiting[0]['waited_s']:.0f} s; "
            f"{stats['queue']['limit']} may run at once.",
        )
    for model, counted in stats["models"].items():
        mended = ", ".join(f"{kind} {count}x" for kind, count in counted["mended"].items())
        if mended:
            yield Check("mended", f"{model}: {mended}.")
    for model, lessons in stats["learned"].items():
        told = ", ".join(f"{name} {lesson}" for name, lesson in lessons.items())
        yield Check("learned", f"{model}: {told}.")
    if stats["ignored_fields"]:
        yield Check("ignored", f"Fields of requests that mean nothing here: {', '.join(stats['ignored_fields'])}.")


def _proof(section: CustomLlm, record: Record) -> Iterator[Check]:
    proof = prove(record.port, section.proxy_token or "", section.model)
    if proof.problem:
        yield Check("tool call", f"{section.model}: {proof.problem}", "configure.py models", Kind.BROKEN_ANSWER)
    else:
        yield Check("tool call", f"{section.model}: {proof.words}.")


def _claude_code(place: Place) -> Iterator[Check]:
    try:
        claude = find_claude(place)
        answer = subprocess.run(  # noqa: S603
            [claude, "--version"], capture_output=True, encoding="utf-8", timeout=_CLAUDE_TIMEOUT_S, check=False
        )
    except (ProxyError, OSError, subprocess.TimeoutExpired) as error:
        hint = error.hint if isinstance(error, ProxyError) else "See that `claude --version` works."
        yield Check("Claude Code", str(error), hint)
        return
    yield Check(
        "Claude Code", f"{answer.stdout.strip() or 'of an unknown version'}, at {shutil.which(claude) or claude}."
    )


def _check_lines(check: Check) -> list[str]:
    lines = [f"{check.state:4}  {check.name:11}  {check.message}"]
    return [*lines, f"{'':19}-> {check.mend}"] if check.mend else lines
