"""What this program is called where it was started: hints must name a command that can be typed there. Pure.

Everywhere else it is called `configure.py`. Whoever writes words to a person or a program lets `Command.spell` put the
right name in its place: the path of the script as it was typed, `neuroflow-proxy`, or what a starter of ours calls
itself.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

STARTER = "NEUROFLOW_PROXY_COMMAND"
"""The variable in which a script that starts this program says what people typed to start it."""

_NAME = re.compile(r"(?<![\w./\\-])configure\.py(?=[ `]|$)")


@dataclass(frozen=True, slots=True)
class Command:
    """The name, as a line for a shell begins with it."""

    name: str

    def spell(self, words: str) -> str:
        """`words` with the right name in them."""
        return _NAME.sub(lambda _: self.name, words)

    def spell_all(self, value: Any) -> Any:
        """A JSON value with the right name in every text; keys stay as they are."""
        match value:
            case str():
                return self.spell(value)
            case list() | tuple():
                return [self.spell_all(item) for item in value]
            case dict():
                return {name: self.spell_all(item) for name, item in value.items()}
            case _:
                return value


def command_of(started_as: str, python: str, env: Mapping[str, str]) -> Command:
    """How to start this program again. `started_as` is `sys.argv[0]`, `python` the interpreter's path.

    uv leaves its own path in `UV` for what it runs, and counts in `UV_RUN_RECURSION_DEPTH` what `uv run` does, but not
    what `uvx` does (seen with 0.13.9).
    """
    if env.get(STARTER):
        return Command(env[STARTER])
    path = PurePath(started_as)
    interpreter = PurePath(python).name.removesuffix(".exe")
    if path.suffix == ".py" and path.name != "__main__.py":
        return Command(f"{'uv run' if 'UV' in env else interpreter} {shlex.quote(started_as)}")
    if path.suffix == ".py":
        return Command(f"{interpreter} -m neuroflow_proxy")
    runner = "uv run " if "UV_RUN_RECURSION_DEPTH" in env else "uvx " if "UV" in env else ""
    return Command(f"{runner}{path.name.removesuffix('.exe')}")
