"""The proxy itself: does it run, who has its port, what has it met, and who else serves the same settings."""

from collections.abc import Iterator
from pathlib import Path

from ...errors import Kind
from ...settings import CustomLlm
from ...version import build
from ...wire.messages_api import JSON
from ..health import ask_health
from ..instance import Instances
from ..ports import owner_of
from ..process import Record
from ..report import address
from .check import Check


def proxy(path: Path, section: CustomLlm, record: Record | None, instances: Instances) -> Iterator[Check]:
    """Whether it answers, and if not, why."""
    if record:
        health = ask_health(record.port)
        answers = f"It answers on {address(record.port)} (pid {record.pid})"
        if health is None or health.build != build():
            yield Check("proxy", f"{answers}, but runs the code of before an update.", "configure.py start")
        elif not instances.has_its_name(record, path):
            yield Check("proxy", f"{answers}, since before the machine or folder was renamed.", "configure.py start")
        else:
            yield Check("proxy", f"{answers}.")
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
    taken = f" Its port, {port}, is taken by {owner}; it will start on another." if owner else ""
    yield Check("proxy", f"It is not running.{taken}", "configure.py start", Kind.INSTANCE)


def other_machines(path: Path, record: Record | None, instances: Instances) -> Iterator[Check]:
    """Machines that share this home and have a proxy for the same file. Claude Code's settings name only one port."""
    if record is None:
        return
    for other in instances.on_other_hosts(path):
        if other.port == record.port:
            yield Check("machines", f"{other.host}, which shares this home, has a proxy on the same port.")
        else:
            yield Check(
                "machines",
                f"{other.host}, which shares this home, has a proxy on port {other.port}, and this machine on "
                f"{record.port}. Both write their port into the same settings.",
                f"configure.py restart --port {other.port}",
            )


def what_it_met(stats: JSON) -> Iterator[Check]:
    """What the running proxy says of its settings, its queue, and what it had to mend."""
    if stats["settings_problem"]:
        yield Check("settings", f"The proxy goes on with the last valid ones: {stats['settings_problem']}", "Fix them.")
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
            yield Check("repaired", f"{model}: {mended}.")
    for model, lessons in stats["learned"].items():
        told = ", ".join(f"{name} {lesson}" for name, lesson in lessons.items())
        yield Check("learned", f"{model}: {told}.")
    if stats["ignored_fields"]:
        yield Check("ignored", f"Fields of requests that mean nothing here: {', '.join(stats['ignored_fields'])}.")
