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
      asks for provider, key and model, starts the proxy, connects Claude Code
  configure.py setup --key-env E_INFRA_API_TOKEN --model kimi-k2.5 --json
      the same for scripts: asks nothing, and prints the lines that connect
  eval "$(configure.py env)" && claude
      starts Claude Code on the proxy, from this shell only

exit codes:
  0  done
  1  an error in this program
  2  the command line is not valid
  3  settings are missing or not valid
  4  the provider refuses the key or the model
  5  the provider cannot be reached, or is busy
  6  the proxy cannot be started or stopped
  7  an answer is needed, and there is no terminal to ask on
  130  interrupted
"""


class UsageError(ProxyError):
    """The command line is not valid."""

    kind = Kind.INVALID_REQUEST


class _Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that raises instead of exiting, and never repeats what it was given."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"`{self.prog} --help` lists what is possible.")


def own(arguments: list[str]) -> list[str]:
    """What is for us: all before `--`."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def parse(arguments: list[str], command: "Command") -> argparse.Namespace:
    """Read the command line of a program that is called `command`. Raises `UsageError`."""
    ours = own(arguments)
    handed_on = arguments[len(ours) + 1 :]
    arguments = [*ours[1:], "--help"] if ours[:1] == ["help"] else ours
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
            hint=f"`configure.py {flags.verb or ''} --help` lists what is possible.".replace("  ", " "),
        )
    if handed_on and flags.verb != "claude":
        raise UsageError("Only `claude` hands on what follows --.", hint="`configure.py claude -- -p 'Hello'`.")
    flags.handed_on = handed_on
    return flags


def _parser(command: "Command") -> _Parser:
    epilog = command.spell(_EPILOG)
    common = _Parser(add_help=False)
    common.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="print one JSON object on stdout, messages on stderr, and ask nothing",
    )
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

    key, side_models, shell = _service_and_key(), _side_models(), _shell()
    port = _port_flag("the configured one, at first 4001; if it is taken, the next free one")
    setup = verb(
        "setup",
        "choose provider, key and model, start the proxy, and connect Claude Code",
        *(key, side_models, port, shell),
    )
    _add_answers(setup)
    verb("status", "show what is configured, and whether the proxy runs")
    verb("start", "start the proxy in the background", port)
    verb("restart", "stop the proxy and start it again", port)
    verb("stop", "stop the proxy")
    models = verb("models", "list the provider's models, best first", key)
    models.add_argument("--limit", type=_count, metavar="N", help="list only the first N")
    use = verb("use", "switch to another model, from the next request on", side_models)
    use.add_argument("model", metavar="MODEL", nargs="?", help="the model for the conversation")
    logs = verb("logs", "show the end of the proxy's log")
    logs.add_argument("--lines", type=_count, default=50, metavar="N", help="how many lines (default: 50)")
    logs.add_argument("--follow", action="store_true", help="keep showing new lines, until Ctrl-C")
    record = verb("record", "record what the provider answers, for a bug report; keys are removed")
    record.add_argument("--end", action="store_true", help="stop recording, and pack the recordings into one file")
    verb("statusline", "install a status line for Claude Code, and print how to turn it on")
    doctor = verb("doctor", "check everything, and say how to fix what is wrong")
    doctor.add_argument("--no-proof", action="store_true", help="do not test whether the model can use a tool")
    verb("undo", "stop the proxy and put every file back as it was before set-up")
    verb("claude", "start Claude Code on the proxy in this terminal; what follows -- is passed on to it")
    env = verb("env", "print the lines that connect Claude Code from a shell", shell)
    env.add_argument("--explain", action="store_true", help="say what each line is for")
    serve = verb("serve", "run the proxy in the foreground", _port_flag("the configured one, or 4001"))
    serve.add_argument(
        "--host", default=_LOOPBACK, metavar="ADDRESS", help="address to listen on (default: this machine only)"
    )
    serve.add_argument("--instance-id", metavar="ID", help="the name by which a background proxy is recognized")
    demo = verb("demo", "show the proxy at work with the built-in provider: no key, no network")
    demo.add_argument("--claude", action="store_true", help="run the installed Claude Code on it")
    demo.add_argument("-p", "--prompt", metavar="TEXT", help="with --claude: answer this prompt and exit")
    return parser


def _service_and_key() -> _Parser:
    """The flags that name the provider and say where its key is."""
    flags = _Parser(add_help=False)
    service = flags.add_mutually_exclusive_group()
    service.add_argument(
        "--provider", choices=PROVIDERS, help="the provider (default: the one in use, at first einfra)"
    )
    service.add_argument(
        "--base-url", metavar="URL", help="a provider not in this list: its host, base URL or endpoint"
    )
    flags.add_argument("--allow-http", action="store_true", help="allow http without encryption to another machine")
    sources = flags.add_mutually_exclusive_group()
    sources.add_argument("--key-stdin", action="store_true", help="read the API key from standard input")
    sources.add_argument("--key-env", metavar="NAME", help="take the API key from this environment variable")
    sources.add_argument("--key-file", metavar="PATH", type=Path, help="read the API key from this file")
    return flags


def _port_flag(default: str) -> _Parser:
    flags = _Parser(add_help=False)
    flags.add_argument("--port", type=_port, help=f"port on 127.0.0.1 (default: {default})")
    return flags


def _shell() -> _Parser:
    flags = _Parser(add_help=False)
    flags.add_argument("--shell", choices=_SHELLS, help="the shell to print lines for (default: yours)")
    return flags


def _side_models() -> _Parser:
    """The flags that name models beside the one for the conversation."""
    flags = _Parser(add_help=False)
    flags.add_argument("--small-model", metavar="ID", help="the model for small background requests, such as titles")
    flags.add_argument(
        "--tier",
        metavar="TIER=ID",
        type=_tier,
        action="append",
        default=[],
        help="the model to use when Claude Code asks for opus, sonnet, haiku or fable; may be repeated; `TIER=` goes "
        "back to the default",
    )
    return flags


def _add_answers(setup: _Parser) -> None:
    """The flags that answer the questions of set-up."""
    setup.add_argument("--model", metavar="ID", help="the model for the conversation")
    setup.add_argument(
        "--scope", choices=("project", "machine"), help="for which folders (default: as before, at first project)"
    )
    setup.add_argument(
        "--connect",
        choices=("settings", "print", "launch"),
        help="write Claude Code's settings, print lines for the shell (default, if nothing is asked), or start "
        "Claude Code",
    )
    setup.add_argument(
        "--proxy-mode",
        choices=("custom", "direct"),
        help="custom: through the proxy; direct: without it, to the provider's own Messages API, if it has one "
        "(default: as before, at first custom)",
    )
    setup.add_argument("--flowie", action="store_true", help="save provider and models, not the key, in flowie too")
    setup.add_argument(
        "--web-search",
        type=_search_service,
        metavar="SERVICE",
        help="the service for web searches: ddgs, the URL of a SearXNG instance, or off",
    )
    setup.add_argument(
        "--auto-mode", choices=["off", "model", "local"], help="what judges actions in Claude Code's auto mode"
    )
    setup.add_argument(
        "--skip-login", action="store_true", help="skip the login and first questions of a new Claude Code"
    )
    setup.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")
    setup.add_argument("--no-proof", action="store_true", help="do not test whether the model can use a tool")
    setup.add_argument("--yes", action="store_true", help="ask nothing; take defaults and the recommended model")


def _tier(text: str) -> tuple[str, str]:
    from .settings import TIERS

    tier, equals, model = text.partition("=")
    if tier not in TIERS or not equals:
        raise argparse.ArgumentTypeError(f"TIER=ID is expected, with TIER one of {', '.join(TIERS)}")
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
        raise argparse.ArgumentTypeError("a number from 1 up is expected")
    return int(text)
