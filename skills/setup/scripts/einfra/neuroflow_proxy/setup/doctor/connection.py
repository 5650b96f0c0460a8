"""Whether a Claude Code that is started here asks whom it should: which source wins for every variable, and what by."""

from collections import Counter
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from ...errors import Kind
from ...settings import CustomLlm
from ...wire.hosts import is_this_machine
from ...wire.messages_api import JSON
from ..claude_code import BASE_URL, OTHER_CLOUDS, PROXY_VARIABLES, TOKEN, Variable, connection_for, is_on, variables_for
from ..claude_settings import SHELL, Source, winner
from ..health import ask_health, ask_stats
from ..keys import last_four
from ..place import Place
from ..ports import LOOPBACK, owner_of
from ..process import Record
from ..usage import window_of
from .check import Check

_KEY = "ANTHROPIC_API_KEY"
_WINDOW = "CLAUDE_CODE_MAX_CONTEXT_TOKENS"


def connection(section: CustomLlm, found: Sequence[Source], place: Place, record: Record | None) -> Iterator[Check]:
    """Every variable of ours: what it is, by which source, and whether requests reach the proxy with it."""
    for broken in found:
        if broken.problem:
            yield Check("connection", f"{broken.path} is ignored: {broken.problem}.", f"Fix {broken.path}.")
    wanted = {variable.name: variable for variable in variables_for(section, place)}
    url, token = winner(found, BASE_URL), winner(found, TOKEN)
    decisive = [_decisive(wanted[name], found) for name in (BASE_URL, TOKEN)]
    yield from decisive
    yield from _anthropic_key(found)
    if record and url and token and section.proxy_mode == "custom" and all(check.state == "ok" for check in decisive):
        if ask_stats(record.port, token.env[TOKEN]):
            yield Check("connection", "A request with these reaches the proxy.")
        else:
            yield Check("connection", "The proxy refuses these.", "configure.py restart", Kind.AUTHENTICATION)
    if url:
        told = (BASE_URL, TOKEN, _KEY, _WINDOW, "NO_PROXY")
        rest = [variable for name, variable in wanted.items() if name not in told]
        yield from _rest(rest, found)


def sources_of_variables(section: CustomLlm, found: Sequence[Source], place: Place) -> list[JSON]:
    """Every variable of ours, for programs: what it should be, what it is, and which source says so."""
    told = []
    for variable in variables_for(section, place):
        source = winner(found, variable.name)
        value = source.env[variable.name] if source else None
        told.append(
            {
                "name": variable.name,
                "wanted": _shown(variable.name, variable.value),
                "value": None if value is None else _shown(variable.name, value),
                "source": source.name if source else None,
                "path": str(source.path) if source and source.path else None,
                "is_as_wanted": value == variable.value,
            }
        )
    return told


def other_clouds(found: Sequence[Source]) -> Iterator[Check]:
    """Switches of Claude Code that lead around any base URL."""
    for name in OTHER_CLOUDS:
        source = winner(found, name)
        if source and is_on(source.env[name]):
            mend = f"Take {name} out of {source.path}." if source.path else f"unset {name}"
            yield Check("connection", f"{name} in {source.name} bypasses the proxy.", mend, Kind.SETTINGS)


def http_proxy(found: Sequence[Source]) -> Iterator[Check]:
    """Whether an institution's proxy would catch requests to this machine: Claude Code sends it even those."""
    for name in PROXY_VARIABLES:
        source = winner(found, name) or winner(found, name.lower())
        if source is None or not (source.env.get(name) or source.env.get(name.lower())):
            continue
        no_proxy = winner(found, "NO_PROXY") or winner(found, "no_proxy")
        hosts = (no_proxy.env.get("NO_PROXY") or no_proxy.env.get("no_proxy", "")) if no_proxy else ""
        if {LOOPBACK, "*"} & {host.strip() for host in hosts.split(",")}:
            yield Check("HTTP proxy", f"{name} is set, and NO_PROXY lets {LOOPBACK} pass.")
        else:
            yield Check(
                "HTTP proxy",
                f"{name} in {source.name} catches requests to this machine too, so they do not reach the proxy.",
                f"export NO_PROXY={LOOPBACK},localhost"
                if source.name == SHELL
                else f"Set NO_PROXY to {LOOPBACK},localhost in {source.path}.",
                Kind.SETTINGS,
            )
        return


def window(section: CustomLlm, stats: JSON | None, found: Sequence[Source]) -> Iterator[Check]:
    """Whether Claude Code compacts before the model's window is full."""
    real = window_of(section.model, section, stats)
    source = winner(found, _WINDOW)
    if source is None or not source.env[_WINDOW].isdecimal():
        return
    believed = int(source.env[_WINDOW])
    if believed > real:
        # What the proxy has learned since set-up stands in no file yet; what somebody else wrote is theirs to change.
        again = f"configure.py setup{' --connect settings' if source.path else ''}"
        yield Check(
            "window",
            f"Claude Code counts with {believed:,} tokens, from {source.name}, and {section.model} takes {real:,}: "
            "long sessions will be refused.",
            again if connection_for(section).context_window > real else _connect(source),
        )
    else:
        yield Check("window", f"Claude Code compacts within {believed:,} tokens; {section.model} takes {real:,}.")


def _decisive(wanted: Variable, found: Sequence[Source]) -> Check:
    """A variable without which no request arrives."""
    name, value = wanted.name, wanted.value
    source = winner(found, name)
    if source is None:
        return Check("connection", f"{name} is not set for a Claude Code that is started here.", _connect(None))
    if source.leads_to(wanted):
        return Check("connection", f"{name} is {_shown(name, value)}, from {source.name}.{_losers(found, name)}")
    is_set = source.env[name]
    there = _who_is_there(is_set) if name == BASE_URL else ""
    return Check(
        "connection",
        f"{name} is {_shown(name, is_set)}, from {source.name}, and not {_shown(name, value)}: "
        f"requests do not arrive.{there}{_losers(found, name)}",
        _connect(source),
        Kind.SETTINGS,
    )


def _anthropic_key(found: Sequence[Source]) -> Iterator[Check]:
    source = winner(found, _KEY)
    if source and source.env[_KEY]:
        yield Check(
            "connection",
            f"{_KEY} is {last_four(source.env[_KEY])}, from {source.name}: Claude Code may ask about it, or use it.",
            _connect(source),
        )
    elif source:
        yield Check("connection", f"{_KEY} is empty, from {source.name}.{_losers(found, _KEY)}")


def _rest(wanted: Sequence[Variable], found: Sequence[Source]) -> Iterator[Check]:
    """The variables that choose the model and save tokens: one by one where something is wrong, else counted."""
    well: Counter[str] = Counter()
    missing = 0
    for variable in wanted:
        source = winner(found, variable.name)
        if source is None:
            missing += 1
        elif source.env[variable.name] == variable.value:
            well[source.name] += 1
        else:
            yield Check(
                "connection",
                f"{variable.name} is {source.env[variable.name] or 'empty'}, from {source.name}, and not "
                f"{variable.value}.{_losers(found, variable.name)}",
                _connect(source),
            )
    for name, count in well.items():
        yield Check("connection", f"{count} more variables are as they should be, from {name}.")
    if missing:
        yield Check("connection", f"{missing} more variables are set nowhere.", _connect(None))


def _who_is_there(url: str) -> str:
    """Who would get the requests, if they stay on this machine."""
    try:
        port = urlsplit(url).port
    except ValueError:
        return ""
    if not port or not is_this_machine(url):
        return ""
    health = ask_health(port)
    if health:
        return f" There, another proxy of this kind listens, for {health.model}."
    owner = owner_of(port)
    return f" There, {owner} listens." if owner else ""


def _connect(source: Source | None) -> str:
    if source and source.path:
        return f"Take it out of {source.path}, or run `configure.py setup --connect settings`."
    return 'eval "$(configure.py env)", or `configure.py setup --connect settings`.'


def _losers(found: Sequence[Source], name: str) -> str:
    setting = [source.name for source in found if name in source.env][1:]
    return f" It is set in {', '.join(setting)} too, without effect." if setting else ""


def _shown(name: str, value: str) -> str:
    """A value as it may be shown: of tokens their end, and of an address what names no user and no password."""
    if not value:
        return "empty"
    if name == BASE_URL:
        parts = urlsplit(value)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return last_four(value) if name in (TOKEN, _KEY) else value
