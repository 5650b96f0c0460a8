"""A conversation through a proxy, for people to look at: with a small client of the Messages API, or with Claude Code.

The proxy is somebody else's to start and to stop. Nothing of the user's own is read or changed: the only tool of the
small client reads the one file that it made itself, and Claude Code gets a home and a folder of its own.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InstanceError, Kind, UpstreamError
from ..wire.codec import dumps, loads
from ..wire.messages_api import JSON
from .claude_code import Connection, find_claude, variables
from .messages_client import stream
from .place import Place

NOTE = "Every word of this file has been through the proxy: as the result of a tool, and back as an answer.\n"
CLAUDE_HINT = (
    "The built-in provider knows a few words: read note.txt, change Every to Each in note.txt, run `cat note.txt`."
)
CLAUDE_PROMPT = "Read note.txt, change Every to Each in note.txt and run `cat note.txt`."
_LONGEST_CONVERSATION = 5
_TIMEOUT_S = 60
_MARGIN = 10

_READ_TOOL = {
    "name": "Read",
    "description": "Reads a text file.",
    "input_schema": {
        "type": "object",
        "properties": {"file_path": {"type": "string", "description": "The file's absolute path."}},
        "required": ["file_path"],
    },
}
_LABELS = {"thinking": "thinking", "text": "answer", "tool_use": "tool"}
_PIECES = {"thinking_delta": "thinking", "text_delta": "text", "input_json_delta": "partial_json"}

Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a conversation."""

    answer: str
    tool_calls: int
    first_event_ms: int


def converse(connection: Connection, folder: Path, show: Show) -> Told:
    """Ask for a file to be read, read it when the model calls for it, and show everything as it arrives."""
    note = folder / "note.txt"
    note.write_text(NOTE, "utf-8")
    question = f"Read `{note}`."
    show(_labelled("you", question))
    messages: list[JSON] = [{"role": "user", "content": question}]
    calls = 0
    first_event_ms = 0
    for _ in range(_LONGEST_CONVERSATION):
        asked = time.monotonic()
        content: list[JSON] = []
        for event in _events(connection, messages):
            if not first_event_ms:
                first_event_ms = round((time.monotonic() - asked) * 1000)
            _take(event, content, show)
        messages.append({"role": "assistant", "content": content})
        results = [_result(block, note) for block in content if block["type"] == "tool_use"]
        if not results:
            answer = "".join(block["text"] for block in content if block["type"] == "text")
            return Told(answer, calls, first_event_ms)
        calls += len(results)
        for result in results:
            show(_labelled("result", result["content"]))
        messages.append({"role": "user", "content": results})
    raise UpstreamError("The conversation came to no end.", kind=Kind.BROKEN_ANSWER)


def run_claude_code(connection: Connection, folder: Path, place: Place, *, prompt: str | None) -> str:
    """Run the installed Claude Code on the proxy, in a folder and with a home of its own.

    With a prompt it answers that, and what it said is returned; without one the terminal is the user's.
    """
    claude = find_claude(place)
    project, home, temporary = folder / "project", folder / "claude", folder / "tmp"
    for new in (project, home, temporary):
        new.mkdir()
    (project / "note.txt").write_text(NOTE, "utf-8")
    # Else the first start asks for a colour scheme, a login, and whether this folder is trusted.
    trust = {str(project.resolve()): {"hasTrustDialogAccepted": True}}
    (home / ".claude.json").write_bytes(dumps({"hasCompletedOnboarding": True, "projects": trust}))
    inherited = {name: value for name, value in place.env.items() if not name.startswith(("ANTHROPIC_", "CLAUDE"))}
    env = inherited | {variable.name: variable.value for variable in variables(connection, place.env)}
    env |= {
        "CLAUDE_CONFIG_DIR": str(home),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),
    }
    arguments = ["-p", prompt, "--permission-mode", "acceptEdits"] if prompt else []
    finished = subprocess.run(  # noqa: S603
        [claude, *arguments],
        cwd=project,
        env=env,
        stdin=subprocess.DEVNULL if prompt else None,
        stdout=subprocess.PIPE if prompt else None,
        encoding="utf-8",
        check=False,
    )
    if finished.returncode:
        raise InstanceError(f"Claude Code ended with status {finished.returncode}.", hint=finished.stdout or "")
    return (finished.stdout or "").strip()


def _events(connection: Connection, messages: list[JSON]) -> Iterator[JSON]:
    """The events of one answer, as they arrive."""
    body = {
        "model": connection.model,
        "max_tokens": 2048,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tools": [_READ_TOOL],
        "messages": messages,
    }
    return stream(connection.url, connection.token, body, timeout_s=_TIMEOUT_S)


def _take(event: JSON, content: list[JSON], show: Show) -> None:
    """Show one event, and put what it adds to the answer into `content`."""
    match event["type"]:
        case "content_block_start":
            block = event["content_block"]
            content.append(dict(block))
            show(f"{_LABELS[block['type']]:{_MARGIN}}" + (f"{block['name']} " if block["type"] == "tool_use" else ""))
        case "content_block_delta":
            block, delta = content[-1], event["delta"]
            if delta["type"] == "signature_delta":
                block["signature"] = delta["signature"]
                return
            field = _PIECES[delta["type"]]
            block[field] = block.get(field, "") + delta[field]
            show(_indented(delta[field]))
        case "content_block_stop":
            block = content[-1]
            if block["type"] == "tool_use":
                block["input"] = loads(block.pop("partial_json", "") or "{}")
            show("\n")


def _result(call: JSON, note: Path) -> JSON:
    is_ours = call["name"] == "Read" and call["input"].get("file_path") == str(note)
    return {
        "type": "tool_result",
        "tool_use_id": call["id"],
        "content": note.read_text("utf-8") if is_ours else f"Nothing but Read on {note} is on offer here.",
        "is_error": not is_ours,
    }


def _labelled(label: str, text: str) -> str:
    return f"{label:{_MARGIN}}{_indented(text.strip())}\n"


def _indented(text: str) -> str:
    return text.replace("\n", "\n" + " " * _MARGIN)
