"""The command line: verbs, flags, exit codes. What a verb needs is imported when it is called, so that help is quick.

Data go to stdout, talk to stderr. With `--json` there is exactly one JSON object on stdout, for errors too. Nothing is
asked unless stdin and stdout are a terminal and `--json` and `--yes` are absent. No argument's value is ever repeated
in a complaint: it may be a key in the wrong place.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import INTERRUPTED_EXIT_CODE, OUTCOMES, InstanceError, Kind, ProxyError
from .version import VERSION

if TYPE_CHECKING:
    from .setup.asker import Asker, Wishes
    from .setup.command import Command
    from .setup.instance import Instances
    from .setup.place import Place
    from .setup.platforms import Shell
    from .setup.report import Report
    from .setup.voice import Voice

_SHELLS = ("bash", "zsh", "fish", "powershell", "cmd")
_PROVIDERS = ("einfra", "minimax", "moonshot", "deepseek", "mistral", "openrouter", "ollama", "vllm")
_LOOPBACK = "127.0.0.1"

_EPILOG = """\
examples:
  configure.py setup
      asks for provider, key and model, starts the proxy, says how to connect
  configure.py setup --key-env E_INFRA_API_TOKEN --model kimi-k2.5 --json
      the same without a question, for scripts
  eval "$(configure.py env)" && claude
      Claude Code through the proxy

exit codes:
  0  done
  2  the command line is no good
  3  settings are missing or broken
  4  the key or the model is refused
  5  the provider cannot be reached, or is busy
  6  the proxy cannot be started or stopped
  7  a question would have to be asked, and nobody is there
  130  interrupted
"""


class UsageError(ProxyError):
    """The command line is no good."""

    kind = Kind.INVALID_REQUEST


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    wants_json = "--json" in _own(arguments)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a path may hold letters that a console knows not
    verb: str | None = None
    try:
        flags = _parse(arguments)
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
            hint="See whether the disk is full, and whether your home can be written. Nothing is half done.",
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
    return code


def _run(flags: argparse.Namespace) -> int:
    if flags.verb == "serve":
        return _serve(flags)
    if flags.verb == "claude":
        return _claude(flags)
    if flags.verb is None and _has_terminal(flags):
        flags = _parse(["setup"])
    verb = flags.verb or "status"
    report = _VERBS[verb](flags)
    if flags.json:
        _print_json({"ok": not report.exit_code, "verb": verb, **report.data})
    elif report.lines:
        print(_command().spell("\n".join(report.lines)), flush=True)
    if report.data.get("launch"):
        return _claude(_parse(["claude"]))
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
    """The built-in provider and a proxy in front of it, both in this process: with it, all of it is gone."""
    from tempfile import TemporaryDirectory
    from urllib.parse import urlsplit

    from .demo.provider import DEMO_KEY, DemoProvider
    from .demo.run import running
    from .models.profiles import profile_for
    from .server.app import create_app
    from .settings import load_settings
    from .setup import demonstration
    from .setup.claude_code import Connection
    from .setup.report import Report
    from .setup.starting import new_token

    if flags.prompt and not flags.claude:
        raise UsageError("--prompt is for Claude Code.", hint="Add --claude.")
    place, token = _place(), new_token()
    with TemporaryDirectory(prefix="neuroflow-demo-") as name, running(DemoProvider()) as base_url:
        # Nothing of the user's own settings is looked at, neither the environment nor any file.
        nothing = Path(name) / "integrations.json"
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
            connection = Connection(
                port=urlsplit(proxy_url).port or 0,
                token=token,
                provider="the built-in provider",
                model=settings.model,
                small_model=settings.model,
                context_window=profile_for(settings.model).context_window,
                max_output_tokens=None,
            )
            if flags.claude:
                prompt = flags.prompt or (None if _has_terminal(flags) else demonstration.CLAUDE_PROMPT)
                if not prompt:
                    _say(demonstration.CLAUDE_HINT)
                answer = demonstration.run_claude_code(connection, Path(name), place, prompt=prompt)
                return Report({"prompt": prompt, "answer": answer}, [answer] if answer else [])
            told = demonstration.converse(connection, Path(name), _show_on_stderr if flags.json else _show)
    return Report(
        {"tool_calls": told.tool_calls, "first_event_ms": told.first_event_ms, "answer": told.answer},
        ["", "All of that went through the proxy. With a key of yours: `configure.py setup`."],
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

    return Place(cwd=Path.cwd(), home=Path.home(), env=environment(), platform=sys.platform)


def _instances(place: "Place") -> "Instances":
    from socket import gethostname

    from .setup.instance import Instances
    from .setup.platforms import machine_name, state_dir

    host = machine_name(place.platform, gethostname())
    return Instances(state_dir(place.platform, place.env, place.home), host=host)


def _wishes(flags: argparse.Namespace, place: "Place") -> "Wishes":
    from .setup.asker import Wishes
    from .setup.connect import Connect
    from .setup.integrations import Scope
    from .setup.keys import key_from_flags
    from .setup.presets import PRESETS

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

    return Terminal(Path.home())


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


# --- the command line itself


class _Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that raises instead of exiting, and never repeats what it was given."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"`{self.prog} --help` shows what can be said.")


def _own(arguments: list[str]) -> list[str]:
    """What is for us: all before `--`."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line. Raises `UsageError`."""
    own = _own(arguments)
    arguments, handed_on = own, arguments[len(own) + 1 :]
    for argument in arguments:
        if argument.split("=")[0] in ("--key", "--api-key", "--token", "--password"):
            raise UsageError(
                "A key is not taken from the command line: other users see it there, and the shell remembers it.",
                hint="Use --key-stdin, --key-env NAME or --key-file PATH, or let `configure.py setup` ask for it. "
                "If this one was real, make a new one.",
            )
    try:
        flags, unknown = _parser().parse_known_args(arguments)
    except UsageError as error:
        words = error.message
        for argument in arguments:
            for value in (argument, argument.partition("=")[2]):
                words = words.replace(repr(value), "'…'")
        raise UsageError(words, hint=error.hint) from None
    if unknown:
        named = [argument.split("=")[0] for argument in unknown if argument.startswith("-")]
        raise UsageError(
            f"Not understood: {', '.join(named) or 'a word that is no flag'}.",
            hint=f"`configure.py {flags.verb or ''} --help` shows what can be said.".replace("  ", " "),
        )
    if handed_on and flags.verb != "claude":
        raise UsageError("Only `claude` hands on what follows --.", hint="`configure.py claude -- -p 'Hello'`.")
    flags.handed_on = handed_on
    return flags


def _parser() -> _Parser:
    epilog = _command().spell(_EPILOG)
    common = _Parser(add_help=False)
    common.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object on stdout, talk on stderr"
    )
    key = _Parser(add_help=False)
    service = key.add_mutually_exclusive_group()
    service.add_argument("--provider", choices=_PROVIDERS, help="the provider (default: einfra)")
    service.add_argument("--base-url", metavar="URL", help="another one: its host, base URL or endpoint")
    key.add_argument("--allow-http", action="store_true", help="use it without encryption, though on another machine")
    sources = key.add_mutually_exclusive_group()
    sources.add_argument("--key-stdin", action="store_true", help="read the API key from standard input")
    sources.add_argument("--key-env", metavar="NAME", help="take the API key from this environment variable")
    sources.add_argument("--key-file", metavar="PATH", type=Path, help="read the API key from this file")
    port = _Parser(add_help=False)
    port.add_argument("--port", type=_port, help="port on 127.0.0.1 (default: the first free one from 4001 up)")
    shell = _Parser(add_help=False)
    shell.add_argument("--shell", choices=_SHELLS, help="the shell to print lines for (default: yours)")

    parser = _Parser(
        prog=_command().name,
        description="Connect Claude Code to e-INFRA CZ or another OpenAI-compatible service, through a local proxy.",
        epilog=epilog,
        parents=[common],
    )
    parser.set_defaults(json=False)
    parser.add_argument("--version", action="version", version=f"neuroflow-proxy {VERSION}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs", parser_class=_Parser)

    def verb(name: str, help: str, *parents: _Parser) -> _Parser:
        return verbs.add_parser(name, help=help, description=help, epilog=epilog, parents=[common, *parents])

    beside = _side_models()
    setup = verb(
        "setup", "choose provider, key and model, start the proxy, say how to connect", key, beside, port, shell
    )
    _add_answers(setup)
    verb("status", "what is set up, and whether it runs")
    verb("start", "start the proxy in the background", port)
    verb("restart", "end the proxy and start it again", port)
    verb("stop", "end the proxy")
    models = verb("models", "the provider's live models, best first", key)
    models.add_argument("--limit", type=_count, metavar="N", help="only the first N")
    use = verb("use", "another model, from the next request on", beside)
    use.add_argument("model", metavar="MODEL", nargs="?", help="the model for the conversation")
    logs = verb("logs", "the end of the proxy's log")
    logs.add_argument("--lines", type=_count, default=50, metavar="N", help="how much of it (default: 50 lines)")
    logs.add_argument("--follow", action="store_true", help="show what is added to it, too, until Ctrl-C")
    record = verb("record", "record what the provider answers, to attach it to a report; keys are taken out")
    record.add_argument("--end", action="store_true", help="stop, and pack what was recorded into one file")
    verb("statusline", "a status line for Claude Code: real model, provider, queue, window, tokens")
    doctor = verb("doctor", "what is well, what is not, and what mends it")
    doctor.add_argument("--no-proof", action="store_true", help="do not ask the model to use a tool")
    verb("undo", "end the proxy and put every file back as it was before set-up")
    verb("claude", "Claude Code on the proxy, in this terminal; what follows -- is handed on to it")
    env = verb("env", "the lines that connect Claude Code", shell)
    env.add_argument("--explain", action="store_true", help="say of each line what it is for")
    serve = verb("serve", "run the proxy in the foreground", port)
    serve.add_argument(
        "--host", default=_LOOPBACK, metavar="ADDRESS", help="the address to listen on (default: this machine alone)"
    )
    serve.add_argument("--instance-id", metavar="ID", help="the name by which a detached proxy is known again")
    demo = verb("demo", "the proxy at work on the built-in provider: no key, no network")
    demo.add_argument("--claude", action="store_true", help="run the installed Claude Code on it")
    demo.add_argument("-p", "--prompt", metavar="TEXT", help="with --claude: answer this and end")
    return parser


def _side_models() -> _Parser:
    """The flags that name models beside the one for the conversation."""
    beside = _Parser(add_help=False)
    beside.add_argument("--small-model", metavar="ID", help="the model for small requests in the background")
    beside.add_argument(
        "--tier",
        metavar="TIER=ID",
        type=_tier,
        action="append",
        default=[],
        help="the model where Claude Code asks for opus, sonnet, haiku or fable (several times, if need be; without "
        "an ID: as usual)",
    )
    return beside


def _add_answers(setup: _Parser) -> None:
    """The flags that answer the questions of set-up."""
    setup.add_argument("--model", metavar="ID", help="the model for the conversation")
    setup.add_argument("--scope", choices=("project", "machine"), help="where the settings hold (default: project)")
    setup.add_argument(
        "--connect",
        choices=("settings", "print", "launch"),
        help="write Claude Code's settings, print lines for the shell (default), or start Claude Code",
    )
    setup.add_argument(
        "--proxy-mode",
        choices=("custom", "direct"),
        help="direct: without the proxy, to the provider's own Messages API if it has one (default: custom)",
    )
    setup.add_argument("--flowie", action="store_true", help="keep provider and models, not the key, in flowie too")
    setup.add_argument(
        "--web-search", type=_search_service, metavar="SERVICE", help="ddgs, the URL of a SearXNG instance, or off"
    )
    setup.add_argument(
        "--auto-mode", choices=["off", "model", "local"], help="who judges actions in Claude Code's auto mode"
    )
    setup.add_argument("--skip-login", action="store_true", help="spare a new Claude Code its first questions")
    setup.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")
    setup.add_argument("--no-proof", action="store_true", help="do not ask the model to use a tool at the end")
    setup.add_argument("--yes", action="store_true", help="ask nothing; take the recommended answers")


def _tier(text: str) -> tuple[str, str]:
    from .settings import TIERS

    tier, equals, model = text.partition("=")
    if tier not in TIERS or not equals:
        raise argparse.ArgumentTypeError(f"TIER=ID is wanted, and TIER is one of {', '.join(TIERS)}")
    return tier, model.strip()


def _search_service(text: str) -> str:
    if text not in ("ddgs", "off") and not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError("`ddgs`, the http(s) URL of a SearXNG instance, or `off`")
    return text


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number from 1 up is wanted")
    return int(text)
