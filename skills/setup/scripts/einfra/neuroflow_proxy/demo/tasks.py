"""The few plain words that the built-in agent understands, read into turns of tool calls. Pure.

    read FILE · change OLD to NEW in FILE · write TEXT to FILE · run COMMAND · fetch URL to learn WHAT
    ask an agent to TASK · ask a TIER agent in the background to TASK · use TOOL with JSON

each perhaps with "3 times", joined by commas, "and", "then" or full stops; what holds such a word itself stands in
backticks or double quotes. Each call is a turn of its own; with "at once" or "in parallel" all calls are made in one.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..wire.codec import InvalidJSON, loads
from ..wire.messages_api import JSON


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool, by Claude Code's names for tools and fields."""

    tool: str
    arguments: JSON

    def __str__(self) -> str:
        """The tool and what it is used on."""
        used_on = (
            str(self.arguments[name]) for name in ("file_path", "command", "url", "prompt") if name in self.arguments
        )
        return " ".join((self.tool, *used_on))


Turn = list[Call]
Words = dict[str, str]

_BETWEEN = re.compile(r"(?:[,;\n]|\.(?=\s|$)|\b(?:and|then)\b)(?:\s*\b(?:and|then)\b)*", re.IGNORECASE)
_AT_ONCE = re.compile(r"\b(?:all )?(?:at once|in parallel|at the same time)\b", re.IGNORECASE)
_TIMES = re.compile(r"(?P<rest>.+?)\s+(?P<times>\d{1,3})\s+times", re.IGNORECASE | re.DOTALL)

_QUOTE = r"`[^`]+`|\"[^\"]+\""
# A file is one word, or quoted: "read the manual" is no call.
_FILE = rf"(?:the file )?(?P<file>{_QUOTE}|[^\s`\"]+)"
_PLEASE = r"(?:(?:please|now|first|also|finally) )*"


def _path(cwd: str | None, name: str) -> str:
    if cwd is None or re.match(r"[/\\]|[A-Za-z]:", name):
        return name
    separator = "\\" if "\\" in cwd else "/"
    return f"{cwd.rstrip(separator)}{separator}{name}"


def _read(words: Words, cwd: str | None) -> Call:
    return Call("Read", {"file_path": _path(cwd, words["file"])})


def _edit(words: Words, cwd: str | None) -> Call:
    path = _path(cwd, words["file"])
    return Call("Edit", {"file_path": path, "old_string": words["old"], "new_string": words["new"]})


def _write(words: Words, cwd: str | None) -> Call:
    return Call("Write", {"file_path": _path(cwd, words["file"]), "content": words["text"]})


def _run(words: Words, cwd: str | None) -> Call:
    return Call("Bash", {"command": words["command"], "description": "Run the command that the user asked for"})


def _fetch(words: Words, cwd: str | None) -> Call:
    return Call("WebFetch", {"url": words["url"], "prompt": words["question"]})


def _ask(words: Words, cwd: str | None) -> Call:
    task = {"description": "Do a part of the work", "prompt": words["task"]}
    tier = {"model": words["tier"].lower()} if words["tier"] else {}
    return Call("Agent", {**task, **tier, "run_in_background": bool(words["background"])})


def _use(words: Words, cwd: str | None) -> Call | None:
    try:
        arguments = loads(words["json"])
    except InvalidJSON:
        return None
    return Call(words["tool"], arguments) if isinstance(arguments, dict) else None


_VERBS: tuple[tuple[re.Pattern[str], Callable[[Words, str | None], Call | None]], ...] = tuple(
    (re.compile(_PLEASE + pattern, re.IGNORECASE | re.DOTALL), build)
    for pattern, build in (
        (rf"(?:read|open|show) {_FILE}", _read),
        (rf"(?:change|replace) (?P<old>{_QUOTE}|.+?) (?:to|with|by) (?P<new>{_QUOTE}|.+?) in {_FILE}", _edit),
        (rf"write (?P<text>{_QUOTE}|.+?) to {_FILE}", _write),
        (r"run (?P<command>.+)", _run),
        (r"fetch (?P<url>https?://\S+) to learn (?P<question>.+)", _fetch),
        (r"ask an? (?:(?P<tier>\w+) )?agent (?P<background>in the background )?to (?P<task>.+)", _ask),
        (rf"use (?P<tool>\w+) with (?P<json>{_QUOTE})", _use),
    )
)


def turns_for(request: str, *, cwd: str | None) -> list[Turn]:
    """The turns of tool calls that a request asks for; none if it is a plain question."""
    request, at_once = _AT_ONCE.subn("", request)
    asked = list(_calls(request, cwd))
    calls = list(_with_reads(asked))
    if not at_once:
        return [[call] for call in calls]
    turns = [call for call in calls if call not in asked], [call for call in calls if call in asked]
    return [turn for turn in turns if turn]


def _with_reads(calls: list[Call]) -> Iterator[Call]:
    """Claude Code edits only what it has seen: read the files that nobody asked to read before."""
    seen: set[str] = set()
    for call in calls:
        path = call.arguments.get("file_path", "")
        if call.tool == "Edit" and path not in seen:
            yield Call("Read", {"file_path": path})
        seen.add(path)
        yield call


def _calls(request: str, cwd: str | None) -> Iterator[Call]:
    verb = ""
    for clause in _clauses(request):
        match = _TIMES.fullmatch(clause)
        words, times = (match["rest"], int(match["times"])) if match else (clause, 1)
        # "read a.txt, b.txt": what looks like a file goes on with the verb before it.
        goes_on = verb == "Read" and re.search(r"[./\\]", words)
        call = _understand(words, cwd) or (_understand(f"read {words}", cwd) if goes_on else None)
        if call is not None:
            verb = call.tool
            yield from [call] * times


def _understand(clause: str, cwd: str | None) -> Call | None:
    for pattern, build in _VERBS:
        if match := pattern.fullmatch(clause):
            return build({name: _unquoted(value or "") for name, value in match.groupdict().items()}, cwd)
    return None


def _unquoted(words: str) -> str:
    return words[1:-1] if re.fullmatch(_QUOTE, words) else words


def _clauses(request: str) -> Iterator[str]:
    # What is quoted is masked, at its length, while the joints are looked for.
    masked = re.sub(_QUOTE, lambda match: "\0" * len(match[0]), request)
    start = 0
    for joint in (*_BETWEEN.finditer(masked), None):
        clause = request[start : joint.start() if joint else None].strip()
        if clause:
            yield clause
        start = joint.end() if joint else start
