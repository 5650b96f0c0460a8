"""The built-in agent: from a conversation to the next answer, as a model would give it that only knows a few words.

It uses the tools that were declared, as Claude Code 2.1.330 declares them: it does what the user's last request says
(the words are in `tasks.py`), one turn after the other, and then says what the tools said. Everything is read off the
messages, so that a retried, resumed or compacted conversation goes on where it was. Pure.
"""

import re
from dataclasses import dataclass
from functools import partial

from ..wire.codec import dumps_text, loads
from ..wire.messages_api import JSON
from .catalog import DemoModel
from .instance import smallest
from .script import Answer, finish, reasoning, role, text, tool_call
from .tasks import Call, Turn, turns_for
from .tokens import BYTES_PER_TOKEN

PIECE_CHARS = 12
UNLIMITED = 1_000_000
QUOTED_CHARS = 2000
HELP = (
    "I can: read FILE, change OLD to NEW in FILE, write TEXT to FILE, run COMMAND, fetch URL to learn WHAT, "
    "ask an agent to TASK, use TOOL with JSON."
)
LOADER, SELECT = "ToolSearch", "select:"
"""The tool with which Claude Code lets a model load others, of which it has told no more than the names; and how its
query begins where the names are known.
"""
FORM = "StructuredOutput"
"""The tool that Claude Code adds where an answer must have a form: its call is the answer."""

# Reminders, and what became of a command that the user gave to Claude Code itself.
_NOT_THE_USERS = re.compile(
    r"<(system-reminder|(?:local-)?command-[a-z]+)>.*?</\1>",
    re.DOTALL,
)
_CWD = re.compile(r"working directory: (.+?)(?: \(was .*)?$", re.IGNORECASE | re.MULTILINE)

# The instructions to compact end like this, in all versions of Claude Code seen.
_COMPACT = "followed by a <summary> block"
# What Claude Code says by itself to get an answer that broke off: the task stays what it was.
_NUDGES = (
    "[Your previous response had no visible output",
    "Your response above was cut off mid-stream",
    "[structured-output-enforce]",
)
# What the proxy says above the images of a tool's result, which stand in a message of their own.
_IMAGES_OF_RESULTS = re.compile(r"(\[\d+ images? from the result of .+?\]\n?)+")

_SUMMARY = "The user asked: {request}\nTurns already taken: {done}"
_SUMMARY_READ = re.compile(r'The user asked: (?P<request>".*")\nTurns already taken: (?P<done>\d+)')


@dataclass(frozen=True, slots=True)
class Task:
    """The user's last request, how many turns were taken for it, and what the tools have answered.

    Loading tools is no turn, for it is not what was asked for.
    """

    request: str
    done: int
    results: list[tuple[str, str]]
    loaded: frozenset[str]
    """The tools that were to be loaded, whether or not they came."""


def plan(body: JSON, model: DemoModel) -> Answer:
    """The next answer in this conversation; what does not fit into `max_tokens` is cut off."""
    thoughts, said, calls = _decide(body)
    parts = [(said, _text)]
    if model.is_thinking(body):
        parts.insert(0, (thoughts, partial(_reasoning, model.reasoning_field)))
    earlier = sum(len(message.get("tool_calls", [])) for message in body["messages"])
    for index, call in enumerate(calls):
        id = model.tool_ids.format(name=call.tool, n=earlier + index)
        parts.append((dumps_text(call.arguments), partial(_tool_call, call.tool, id, index)))

    answer = role()
    left = BYTES_PER_TOKEN * (body.get("max_completion_tokens") or body.get("max_tokens") or UNLIMITED)
    for content, to_steps in parts:
        answer += to_steps(content[:left])
        left -= len(content)
        if left < 0:
            return answer + finish("length")
    return answer + finish("tool_calls" if calls else "stop")


def _text(content: str) -> Answer:
    return text(content, pieces=_pieces(content))


def _reasoning(field: str, content: str) -> Answer:
    return reasoning(content, field=field, pieces=_pieces(content))


def _tool_call(name: str, id: str, index: int, arguments: str) -> Answer:
    return tool_call(name, arguments, id=id, index=index, pieces=_pieces(arguments))


def _pieces(content: str) -> int:
    return len(content) // PIECE_CHARS + 1


def _decide(body: JSON) -> tuple[str, str, Turn]:
    """What to think, to say, and to call."""
    task = task_of(body["messages"])
    if _COMPACT in _text_of(body["messages"][-1]):
        summary = _SUMMARY.format(request=dumps_text(task.request), done=task.done)
        return "I am to sum up.", f"<analysis>\nAll of it matters.\n</analysis>\n\n<summary>\n{summary}\n</summary>", []
    if (form := body.get("response_format", {})).get("type", "text") != "text":
        schema = form.get("json_schema", {}).get("schema", {"type": "object"})
        return "I am to answer in JSON.", dumps_text(smallest(schema, task.request[:60] or "Demo")), []

    tools = {tool["function"]["name"]: tool["function"]["parameters"] for tool in body.get("tools", [])}
    # Without tools it is asked about a text, a web page say, and what that says is no request.
    turns = turns_for(task.request, cwd=_working_directory(body["messages"])) if tools else []
    if task.done < len(turns):
        turn = turns[task.done]
        if missing := {call.tool for call in turn} - tools.keys():
            named = ",".join(sorted(missing))
            if LOADER in tools and not missing <= task.loaded:
                return "I must load a tool first.", "", [Call(LOADER, {"query": f"{SELECT}{named}"})]
            return "I lack a tool.", f"I was given no tool named {named}.", []
        step = f"step {task.done + 1} of {len(turns)}: {', '.join(map(str, turn))}"
        calls = [_fitted(call, tools[call.tool]) for call in turn]
        return f"The user asked for this: {task.request}\nNow {step}", "", calls
    if FORM in tools and task.done == len(turns):
        return "I am to answer in a form.", "", [Call(FORM, smallest(tools[FORM], task.request[:60] or "Demo"))]
    if task.results:
        quoted = "\n\n".join(f"{call}:\n```\n{result[:QUOTED_CHARS]}\n```" for call, result in task.results)
        return "All is done; I tell what came out.", f"Done. This is what the tools said.\n\n{quoted}", []
    return "There is nothing to do but to answer.", f"You said: {task.request[:QUOTED_CHARS]}\n\n{HELP}", []


def task_of(messages: list[JSON]) -> Task:
    """Find the last message that has words of the user's own, and what was done since."""
    request, done = "", 0
    results: list[tuple[str, str]] = []
    loaded: set[str] = set()
    names: dict[str, str] = {}
    for message in messages:
        if message["role"] == "user":
            words = _own_words(message)
            if not words or words.startswith(_NUDGES) or _COMPACT in words or _IMAGES_OF_RESULTS.fullmatch(words):
                continue
            summary = _SUMMARY_READ.search(words)
            request, done = (loads(summary["request"]), int(summary["done"])) if summary else (words, 0)
            results, loaded = [], set()
        elif message.get("tool_calls"):
            calls = {call["id"]: _read_call(call["function"]) for call in message["tool_calls"]}
            loading = [str(call.arguments.get("query")) for call in calls.values() if call.tool == LOADER]
            loaded.update(name for query in loading for name in query.removeprefix(SELECT).split(","))
            done += len(loading) < len(calls)
            names |= {id: str(call) for id, call in calls.items() if call.tool != LOADER}
        elif message["role"] == "tool" and message["tool_call_id"] in names:
            results.append((names[message["tool_call_id"]], _own_words(message)))
    return Task(request, done, results, frozenset(loaded))


def _read_call(function: JSON) -> Call:
    return Call(function["name"], loads(function["arguments"]))


def _own_words(message: JSON) -> str:
    """The text of a message without what Claude Code, or the proxy, has put in between."""
    return _NOT_THE_USERS.sub("", _text_of(message)).strip()


def _text_of(message: JSON) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "text")


def _working_directory(messages: list[JSON]) -> str | None:
    told = [message for message in messages if message["role"] in ("system", "user")]
    paths = [match[1].strip() for message in told for match in _CWD.finditer(_text_of(message))]
    return paths[-1] if paths else None


def _fitted(call: Call, schema: JSON) -> Call:
    """Only those arguments that the tool has, by its own declaration."""
    known = schema.get("properties", {})
    return Call(call.tool, {name: value for name, value in call.arguments.items() if name in known})
