"""A model that reads the text of the skill and does what it says. A command that the text does not name it cannot run.

It stands in for a real model where the question is whether the text leads anybody to the end. What it reads is what
reached the provider: the text as Claude Code hands it over, and the results of the commands.
"""

import json
import re
from dataclasses import dataclass

from neuroflow_proxy.demo.script import Answer, finish, role, text, tool_call
from neuroflow_proxy.wire.messages_api import JSON

_DISPATCH = re.compile(r"^## Dispatch on `([^`]*)`$", re.MULTILINE)
_COMMAND = re.compile(r'^(uv run "[^"]+/configure\.py" ([a-z]+) .*)$', re.MULTILINE)
_EXAMPLE_MODEL = "kimi-k2.5"
ASKING_TOOL = "AskUserQuestion"


@dataclass(frozen=True)
class Reading:
    """What is known at one turn: the words after the command, the commands of the text, what came back so far."""

    arguments: list[str]
    commands: dict[str, str]
    results: list[str]
    may_ask: bool

    def told(self, number: int) -> JSON:
        """The JSON object that a command has printed."""
        (line,) = [line for line in self.results[number].splitlines() if line.startswith("{")]
        told = json.loads(line)
        assert isinstance(told, dict)
        return told


def follow(body: JSON) -> Answer | None:
    """The next answer; None where no skill was called, which is for the built-in agent to answer."""
    reading = _read(body)
    if reading is None:
        return None
    answer = _obey(reading) if reading.arguments else _set_up(reading)
    return [*role(), *answer]


def _read(body: JSON) -> Reading | None:
    found: Reading | None = None
    tools = {tool["function"]["name"] for tool in body.get("tools", ())}
    for message in body["messages"]:
        words = _words(message)
        if message["role"] == "user" and (dispatch := _DISPATCH.search(words)):
            commands = {verb: command for command, verb in _COMMAND.findall(words)}
            found = Reading(dispatch[1].split(), commands, [], ASKING_TOOL in tools)
        elif message["role"] == "tool" and found:
            found.results.append(words)
        elif message["role"] == "user" and found and "<system-reminder>" not in words:
            return None  # the person has gone on to something else
    return found


def _words(message: JSON) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def _obey(reading: Reading) -> Answer:
    """One verb, then what it said."""
    argument, *rest = reading.arguments
    if not reading.results:
        command = reading.commands["use" if argument == "model" else argument]
        return _run(command.replace(_EXAMPLE_MODEL, *rest) if rest else command, reading)
    return _say(json.dumps(reading.told(0)))


def _set_up(reading: Reading) -> Answer:
    """The section of that name, from one result to the next."""
    match len(reading.results):
        case 0:
            return _run(reading.commands["status"], reading)
        case 1 if not reading.told(0)["configured"]:
            return _run(reading.commands["models"], reading)
        case 2 if "error" in reading.told(1):
            return _say(f"There is no key. In a terminal of your own: {_without_json(reading.commands['setup'])}")
        case 2 if reading.may_ask:
            return _ask([model["id"] for model in reading.told(1)["models"]], reading)
        case 2:
            return _run(reading.commands["setup"], reading)
        case 3 if reading.may_ask:
            (chosen,) = [
                model["id"] for model in reading.told(1)["models"] if f'="{model["id"]}"' in reading.results[2]
            ]
            return _run(reading.commands["setup"].replace(_EXAMPLE_MODEL, chosen), reading)
        case _:
            return _say(json.dumps(reading.told(-1)))


def _without_json(command: str) -> str:
    return command.partition(" --json")[0]


def _run(command: str, reading: Reading) -> Answer:
    call = tool_call(
        "Bash", {"command": command, "description": "Run set-up"}, id=f"functions.Bash:{len(reading.results)}"
    )
    return [*call, *finish("tool_calls")]


def _ask(models: list[str], reading: Reading) -> Answer:
    options = [{"label": model, "description": f"{model} answers"} for model in models]
    question = {"question": "Which model?", "header": "Model", "options": options, "multiSelect": False}
    return [
        *tool_call(ASKING_TOOL, {"questions": [question]}, id=f"functions.{ASKING_TOOL}:{len(reading.results)}"),
        *finish("tool_calls"),
    ]


def _say(words: str) -> Answer:
    return [*text(words), *finish()]
