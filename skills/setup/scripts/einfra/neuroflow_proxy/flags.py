"""The command line's grammar: verbs, flags, and the complaints about what cannot be understood. Runs nothing.

No argument's value is ever repeated in a complaint: it may be a key in the wrong place.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import Kind, ProxyError
from .version import VERSION

if TYPE_CHECKING:
    from .setup.command import Command

_SHELLS = ("bash", "zsh", "fish", "powershell", "cmd")
PROVIDERS = ("einfra", "minimax", "moonshot", "deepseek", "mistral", "openrouter", "ollama", "vllm")
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


class _Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that raises instead of exiting, and never repeats what it was given."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"`{self.prog} --help` shows what can be said.")


def own(arguments: list[str]) -> list[str]:
    """What is for us: all before `--`."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def parse(arguments: list[str], command: "Command") -> argparse.Namespace:
    """Read the command line of a program that is called `command`. Raises `UsageError`."""
    ours = own(arguments)
    arguments, handed_on = ours, arguments[len(ours) + 1 :]
    for argument in arguments:
        if argument.split("=")[0] in ("--key", "--api-key", "--token", "--password"):
            raise UsageError(
                "A key is not taken from the command line: other users see it there, and the shell remembers it.",
                hint="Use --key-stdin, --key-env NAME or --key-file PATH, or let `configure.py setup` ask for it. "
                "If this one was real, make a new one.",
            )
    try:
        flags, unknown = _parser(command).parse_known_args(arguments)
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


def _parser(command: "Command") -> _Parser:
    epilog = command.spell(_EPILOG)
    common = _Parser(add_help=False)
    common.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object on stdout, talk on stderr"
    )
    key = _Parser(add_help=False)
    service = key.add_mutually_exclusive_group()
    service.add_argument("--provider", choices=PROVIDERS, help="the provider (default: einfra)")
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
        prog=command.name,
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
