"""What each verb does, and its exit code. What a verb needs is imported when it is called, so that help is quick.

Data go to stdout, talk to stderr. With `--json` there is exactly one JSON object on stdout, for errors too. Nothing is
asked unless stdin and stdout are a terminal and `--json` and `--yes` are absent.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import INTERRUPTED_EXIT_CODE, OUTCOMES, InstanceError, Kind, ProxyError
from .flags import UsageError, own, parse

if TYPE_CHECKING:
    from .setup.asker import Asker, Wishes
    from .setup.claude_code import Connection
    from .setup.command import Command
    from .setup.instance import Instances
    from .setup.place import Place
    from .setup.platforms import Shell
    from .setup.report import Report
    from .setup.voice import Voice


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    wants_json = "--json" in own(arguments)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a path may hold letters that a console knows not
    verb: str | None = None
    try:
        flags = parse(arguments, _command())
        verb = flags.verb
        return _run(flags)
    except ProxyError as error:
        return _fail(error, verb=verb, wants_json=wants_json)
    except KeyboardInterrupt:
        _say("Interrupted.")
        return INTERRUPTED_EXIT_CODE
    except BrokenPipeError:  # whoever read has read enough: `logs --follow | head`
        # Else Python would complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        refusal = InstanceError(
            f"The machine refuses: {where}{error.strerror or error}.",
            hint="See whether the disk is full, and whether your home can be written. Then run this again, or "
            "`configure.py undo`.",
        )
        return _fail(refusal, verb=verb, wants_json=wants_json)


def _fail(error: ProxyError, *, verb: str | None, wants_json: bool) -> int:
    code = error.outcome.exit_code
    if wants_json:
        _print_json(
            {
                "ok": False,
                "verb": verb,
                "error": {"kind": str(error.kind), "message": error.message, "hint": error.hint},
                "exit_code": code,
            }
        )
    else:
        _say("\n".join(filter(None, [error.message, error.hint])))
        if verb == "env" and not sys.stdout.isatty():
            # Of `eval "$(... env)" && claude` a shell would take no lines for no fault, and start Claude Code as it is.
            print("false")
    return code


def _run(flags: argparse.Namespace) -> int:
    if flags.verb == "serve":
        return _serve(flags)
    if flags.verb == "claude":
        return _claude(flags)
    if flags.verb is None and _has_terminal(flags):
        flags = parse(["setup"], _command())
    verb = flags.verb or "status"
    report = _VERBS[verb](flags)
    if flags.json:
        _print_json({"ok": not report.exit_code, "verb": verb, **report.data})
    elif report.lines:
        print(_command().spell("\n".join(report.lines)), flush=True)
    if report.data.get("launch"):
        return _claude(parse(["claude"], _command()))
    if flags.verb is None and not report.data["configured"]:
        return OUTCOMES[Kind.NEEDS_TERMINAL].exit_code
    return report.exit_code


def _setup(flags: argparse.Namespace) -> "Report":
    from .setup.setting_up import setup

    if flags.connect == "launch" and not _has_terminal(flags):
        raise UsageError(
            "Claude Code cannot be started without a terminal.",
            hint="Set up without `--connect launch`, then run `configure.py claude -- -p PROMPT`.",
        )
    place = _place()
    wishes = _wishes(flags, place)
    return setup(wishes, place, _asker(flags, wishes), _instances(place), _voice(), shell=_shell(flags, place))


def _undo(flags: argparse.Namespace) -> "Report":
    from .setup import verbs

    place = _place()
    return verbs.undo(place, _instances(place))


def _claude(flags: argparse.Namespace) -> int:
    from .setup import verbs

    place = _place()
    return verbs.claude(place, _instances(place), _say, arguments=flags.handed_on)


def _status(flags: argparse.Namespace) -> "Report":
    from .setup.status import status

    place = _place()
    return status(place, _instances(place))


def _start(flags: argparse.Namespace) -> "Report":
    from .setup import verbs

    place = _place()
    return verbs.start(place, _instances(place), _say, port=flags.port, again=flags.verb == "restart")


def _stop(flags: argparse.Namespace) -> "Report":
    from .setup import verbs

    place = _place()
    return verbs.stop(place, _instances(place))


def _models(flags: argparse.Namespace) -> "Report":
    from shutil import get_terminal_size

    from .setup import verbs

    place = _place()
    width = get_terminal_size().columns if sys.stdout.isatty() else None
    return verbs.models(_wishes(flags, place), place, _voice(), limit=flags.limit, width=width)


def _use(flags: argparse.Namespace) -> "Report":
    from .setup import verbs

    if not (flags.model or flags.small_model or flags.tier):
        raise UsageError("Which model?", hint="`configure.py use MODEL`, or `configure.py use --small-model ID`.")
    place = _place()
    return verbs.use(
        place, _instances(place), _say, model=flags.model, small_model=flags.small_model, tiers=dict(flags.tier)
    )


def _logs(flags: argparse.Namespace) -> "Report":
    from .setup.logs import follow, logs

    place = _place()
    if not flags.follow:
        return logs(place, _instances(place), limit=flags.lines)
    if flags.json:
        raise UsageError("--json is one object, and --follow has no end.", hint="Leave one of them out.")
    return follow(place, _instances(place), limit=flags.lines, show=_show)


def _record(flags: argparse.Namespace) -> "Report":
    from .setup import record

    place = _place()
    return (record.end if flags.end else record.begin)(place, _instances(place), _say)


def _status_line(flags: argparse.Namespace) -> "Report":
    from .setup.status_line import status_line

    place = _place()
    return status_line(place, _instances(place))


def _doctor(flags: argparse.Namespace) -> "Report":
    from .setup.doctor.examine import doctor

    place = _place()
    return doctor(place, _instances(place), proves=not flags.no_proof)


def _env(flags: argparse.Namespace) -> "Report":
    from .setup import verbs

    place = _place()
    return verbs.env(place, _say, shell=_shell(flags, place), explain=flags.explain)


def _demo(flags: argparse.Namespace) -> "Report":
    from tempfile import TemporaryDirectory

    from .setup import demonstration
    from .setup.report import Report

    if flags.prompt and not flags.claude:
        raise UsageError("--prompt is for Claude Code.", hint="Add --claude.")
    with TemporaryDirectory(prefix="neuroflow-demo-") as name, _demo_connection(Path(name)) as connection:
        if flags.claude:
            prompt = flags.prompt or (None if _has_terminal(flags) else demonstration.CLAUDE_PROMPT)
            if not prompt:
                _say(demonstration.CLAUDE_HINT)
            answer = demonstration.run_claude_code(connection, Path(name), _place(), prompt=prompt)
            return Report({"prompt": prompt, "answer": answer}, [answer] if answer else [])
        told = demonstration.converse(connection, Path(name), _show_on_stderr if flags.json else _show)
    return Report(
        {"tool_calls": told.tool_calls, "first_event_ms": told.first_event_ms, "answer": told.answer},
        ["", "All of that went through the proxy. With a key of yours: `configure.py setup`."],
    )


@contextmanager
def _demo_connection(folder: Path) -> "Iterator[Connection]":
    """The built-in provider and a proxy in front of it, both in this process: with it, both are gone."""
    from urllib.parse import urlsplit

    from .demo.provider import DEMO_KEY, DemoProvider
    from .demo.run import running
    from .models.profiles import profile_for
    from .server.app import create_app
    from .settings import load_settings
    from .setup.claude_code import Connection
    from .setup.starting import new_token

    token = new_token()
    with running(DemoProvider()) as base_url:
        # Nothing of the user's own settings is looked at, neither the environment nor any file.
        nothing = folder / "integrations.json"
        nothing.write_text("{}")
        settings = load_settings(
            {
                "NEUROFLOW_PROXY_INTEGRATIONS": str(nothing),
                "NEUROFLOW_PROXY_TOKEN": token,
                "OPENAI_BASE_URL": base_url,
                "OPENAI_API_KEY": DEMO_KEY,
            }
        )
        with running(create_app(settings, load=lambda: settings)) as proxy_url:
            yield Connection(
                port=urlsplit(proxy_url).port or 0,
                token=token,
                provider="the built-in provider",
                model=settings.model,
                small_model=settings.model,
                context_window=profile_for(settings.model).context_window,
                max_output_tokens=None,
            )


def _serve(flags: argparse.Namespace) -> int:
    """Run the proxy in the foreground. Needs neither psutil nor questionary: proxy.py installs neither."""
    from .server.run import serve
    from .settings import load_settings

    settings = load_settings()
    if flags.instance_id:
        settings = replace(settings, instance_id=flags.instance_id)
    return serve(settings, host=flags.host, port=flags.port or settings.port)


_VERBS: dict[str, Callable[[argparse.Namespace], "Report"]] = {
    "setup": _setup,
    "status": _status,
    "start": _start,
    "restart": _start,
    "stop": _stop,
    "models": _models,
    "use": _use,
    "env": _env,
    "undo": _undo,
    "logs": _logs,
    "record": _record,
    "statusline": _status_line,
    "doctor": _doctor,
    "demo": _demo,
}


def _place() -> "Place":
    from .settings import environment
    from .setup.place import Place

    return Place(cwd=Path.cwd(), home=_home(), env=environment(), platform=sys.platform)


def _home() -> Path:
    from .setup.platforms import home_without_links

    return home_without_links(sys.platform, Path.home())


def _instances(place: "Place") -> "Instances":
    from socket import gethostname

    from .setup.instance import Instances
    from .setup.platforms import machine_name, state_dir

    host = machine_name(place.platform, gethostname())
    return Instances(state_dir(place.platform, place.env, place.home), host=host)


def _wishes(flags: argparse.Namespace, place: "Place") -> "Wishes":
    from .presets import PRESETS
    from .setup.asker import Wishes
    from .setup.connect import Connect
    from .setup.integrations import Scope
    from .setup.keys import key_from_flags

    key = key_from_flags(from_stdin=flags.key_stdin, variable=flags.key_env, file=flags.key_file, env=place.env)
    base_url = next((preset.base_url for preset in PRESETS if preset.name == flags.provider), flags.base_url)
    if flags.verb == "models":
        return Wishes(base_url=base_url, key=key, allows_http=flags.allow_http)
    return Wishes(
        base_url=base_url,
        allows_http=flags.allow_http,
        key=key,
        model=flags.model,
        small_model=flags.small_model,
        tiers=dict(flags.tier),
        scope=Scope(flags.scope) if flags.scope else None,
        port=flags.port,
        mode=flags.proxy_mode,
        connect=Connect(flags.connect) if flags.connect else None,
        skips_login=flags.skip_login or None,
        shares=flags.flowie or None,
        web_search=flags.web_search,
        auto_mode=flags.auto_mode,
        proves=not flags.no_proof,
        is_dry_run=flags.dry_run,
    )


def _asker(flags: argparse.Namespace, wishes: "Wishes") -> "Asker":
    """Decided before questionary is imported, and once."""
    if flags.yes or not _has_terminal(flags):
        from .setup.asker import Unattended

        return Unattended(takes_defaults=flags.yes, has_model=wishes.model is not None)
    from .setup.wizard import Terminal

    return Terminal(_home())


def _has_terminal(flags: argparse.Namespace) -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and not flags.json


def _shell(flags: argparse.Namespace, place: "Place") -> "Shell":
    from .setup.platforms import Shell, default_shell

    return Shell(flags.shell) if flags.shell else default_shell(place.platform, place.env)


def _voice() -> "Voice":
    from .settings import environment
    from .setup.voice import Voice

    return Voice(sys.stderr, environment(), _command().spell)


def _command() -> "Command":
    from .settings import environment
    from .setup.command import command_of

    return command_of(sys.argv[0], sys.executable, environment())


def _say(words: str) -> None:
    print(_command().spell(words), file=sys.stderr, flush=True)


def _show(words: str) -> None:
    print(words, end="", flush=True)


def _show_on_stderr(words: str) -> None:
    print(words, end="", file=sys.stderr, flush=True)


def _print_json(value: dict[str, Any]) -> None:
    from .wire.plain_json import dumps

    sys.stdout.flush()
    sys.stdout.buffer.write(dumps(_command().spell_all(value)) + b"\n")
    sys.stdout.buffer.flush()
