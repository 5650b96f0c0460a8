"""The whole examination, in the order in which a request would stumble over what is wrong."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import OUTCOMES, SettingsError
from ...settings import CustomLlm
from ...wire.messages_api import JSON
from ..claude_settings import Source, sources
from ..health import ask_stats
from ..instance import Instances
from ..place import Place
from ..process import Record
from ..report import Report
from .abilities import abilities
from .check import Check, failed
from .claude_code import installed_claude_code
from .connection import connection, http_proxy, other_clouds, sources_of_variables, window
from .files import private_files
from .provider import models, way_to_provider
from .proxy import other_machines, proxy, what_it_met
from .searching import web_search


def doctor(place: Place, instances: Instances, *, proves: bool) -> Report:
    """What is well and what is not; with `proves`, what the chosen model can do is measured as well."""
    try:
        path, section = place.configured()
    except SettingsError as error:
        return _report([failed("settings", error, otherwise="Run `configure.py setup`.")], [])
    record = instances.running(path)
    section = replace(section, proxy_port=record.port) if record else section
    found = sources(place)
    checks = [
        Check("settings", f"{path}: {section.model} at {section.base_url}."),
        *connection(section, found, place, record),
        *other_clouds(found),
        *(_between(path, section, found, record, instances) if section.proxy_mode == "custom" else ()),
        *_provider(section, record, proves=proves),
        *_session(section, found, record),
        *private_files(path, section, found, place),
        *installed_claude_code(place),
    ]
    return _report(checks, sources_of_variables(section, found, place))


def _between(
    path: Path, section: CustomLlm, found: Sequence[Source], record: Record | None, instances: Instances
) -> Iterator[Check]:
    """What is on the way from Claude Code to the proxy, and the proxy."""
    yield from http_proxy(found)
    yield from proxy(path, section, record, instances)
    yield from other_machines(path, record, instances)


def _provider(section: CustomLlm, record: Record | None, *, proves: bool) -> Iterator[Check]:
    """The provider, as far as one gets, and its model, if there is somebody to ask it through."""
    for check in way_to_provider(section.base_url):
        yield check
        if check.failure:
            return
    told = list(models(section))
    yield from told
    if any(check.failure and check.name != "model" for check in told):
        return  # who is not let in for the list is not let in for an answer
    if proves and (record or section.proxy_mode == "direct"):
        yield from abilities(section, record)
    if proves:
        yield from web_search(section)


def _session(section: CustomLlm, found: Sequence[Source], record: Record | None) -> Iterator[Check]:
    """What sessions have met so far, what was just learned among it, and what that means for the next."""
    stats = ask_stats(record.port, section.proxy_token) if record else None
    if stats:
        yield from what_it_met(stats)
    yield from window(section, stats, found)


def _report(checks: Sequence[Check], told: Sequence[JSON]) -> Report:
    failures = [check.failure for check in checks if check.failure]
    counts = Counter(check.state for check in checks)
    return Report(
        {
            "healthy": not failures,
            "checks": [
                {"name": check.name, "state": check.state, "message": check.message, "hint": check.mend}
                for check in checks
            ],
            "variables": told,
        },
        [
            *(line for check in checks for line in _lines(check)),
            "",
            f"Ok: {counts['ok']}, warnings: {counts['warn']}, failures: {counts['fail']}.",
        ],
        exit_code=OUTCOMES[failures[0]].exit_code if failures else 0,
    )


def _lines(check: Check) -> list[str]:
    lines = [f"{check.state:4}  {check.name:11}  {check.message}"]
    return [*lines, f"{'':19}-> {check.mend}"] if check.mend else lines
