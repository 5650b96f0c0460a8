"""What is asked: Messages requests of a given size, shaped as those of an agent at work."""

import json
import random
from typing import Any

from .load import http_request

TOKEN = "bench-token"  # noqa: S105
BODY_SIZES = {"2kB": 2_000, "100kB": 100_000, "1MB": 1_000_000}
ASKED_MODEL = "claude-sonnet-4-5"
_WORDS = ("the", "model", "reads", "a", "file", "and", "writes", "its", "answer", "into", "another", "while", "tests")
_RESULT = 4000
_TOOLS = ("Read", "Edit", "Bash", "Grep", "Glob", "Write", "WebFetch", "TodoWrite")


def messages_request(size: int, *, stream: bool = True) -> bytes:
    """A request whose body has about `size` bytes: small ones a question, large ones a long conversation with tools."""
    return _posted(_body(size, stream=stream))


def request_body(size: int, *, stream: bool = True) -> bytes:
    """The JSON of such a request."""
    return _written(_body(size, stream=stream))


def conversation(turns: range) -> list[bytes]:
    """The requests of these turns of one conversation, of which each says again what was said before: 5 kB a turn."""
    chance = random.Random(0)  # noqa: S311
    body = _beginning(chance, system=20_000, stream=True)
    requests = []
    for turn in range(turns.stop):
        if turn in turns:
            requests.append(_posted(body))
        body["messages"] += _step(chance, turn, _RESULT)
    return requests


def _body(size: int, *, stream: bool) -> dict[str, Any]:
    chance = random.Random(size)  # noqa: S311
    if size < 10_000:
        question = {"role": "user", "content": _text(chance, size - 200)}
        return {"model": ASKED_MODEL, "max_tokens": 8000, "stream": stream, "messages": [question]}
    body = _beginning(chance, size // 20, stream=stream)
    left, turn = size - len(json.dumps(body)), 0
    while left > 0:
        result = min(left, _RESULT)
        body["messages"] += _step(chance, turn, result)
        left, turn = left - result - 500, turn + 1
    return body


def _beginning(chance: random.Random, system: int, *, stream: bool) -> dict[str, Any]:
    """A conversation at work in which only the user has spoken; `system` is the length of the system prompt."""
    return {
        "model": ASKED_MODEL,
        "max_tokens": 8000,
        "stream": stream,
        "messages": [{"role": "user", "content": "Mend the tests."}],
        "system": [{"type": "text", "text": _text(chance, system)}],
        "tools": [_tool(name) for name in _TOOLS],
    }


def _step(chance: random.Random, turn: int, length: int) -> list[dict[str, Any]]:
    """What a turn adds: a sentence and a call of the model's, and a result about `length` long."""
    call_id, result = f"toolu_{turn:08d}", _text(chance, length)
    said = {"type": "text", "text": _text(chance, 120)}
    call = {"type": "tool_use", "id": call_id, "name": chance.choice(_TOOLS), "input": {"path": f"/src/{turn}.py"}}
    answer = {"type": "tool_result", "tool_use_id": call_id, "content": [{"type": "text", "text": result}]}
    return [{"role": "assistant", "content": [said, call]}, {"role": "user", "content": [answer]}]


def _posted(body: dict[str, Any]) -> bytes:
    headers = {"authorization": f"Bearer {TOKEN}", "x_api_key": TOKEN, "anthropic_version": "2023-06-01"}
    return http_request("/v1/messages", _written(body), **headers)


def _written(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def _tool(name: str) -> dict[str, Any]:
    properties = {"path": {"type": "string", "description": "Where."}, "limit": {"type": "integer", "minimum": 1}}
    schema = {"type": "object", "properties": properties, "required": ["path"], "additionalProperties": False}
    return {"name": name, "description": f"{name}: what it does, told at some length. " * 8, "input_schema": schema}


def _text(chance: random.Random, length: int) -> str:
    """Prose with line ends, quotes and a few letters beyond ASCII."""
    words: list[str] = []
    while length > 0:
        word = chance.choice(_WORDS)
        end = chance.choices((" ", "\n", '", "', " – "), (90, 6, 3, 1))[0]
        words.append(word + end)
        length -= len(word) + len(end)
    return "".join(words)
