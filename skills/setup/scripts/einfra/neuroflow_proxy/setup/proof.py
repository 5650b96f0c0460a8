"""One real request, as Claude Code would send it: does the model call a tool, how soon does it speak, how fast does it
write. Through the proxy, or to the provider's own Messages API where Claude Code asks that.

The tool is offered and not forced, as Claude Code does it: a model that has to be forced is of no use there.
"""

import time
from dataclasses import dataclass

from ..errors import Kind, UpstreamError
from ..wire.codec import InvalidJSON, loads
from .messages_client import stream

_TIMEOUT_S = 60.0
_MEASURABLE_S = 0.05  # what came at once says nothing about speed
_FILE = "notes.txt"
_TOOL = {
    "name": "Read",
    "description": "Reads a text file and returns what is in it.",
    "input_schema": {
        "type": "object",
        "properties": {"file_path": {"type": "string", "description": "The path of the file."}},
        "required": ["file_path"],
    },
}
# Where these keep a model from answering, they keep the next one from it too.
_OF_THE_SERVICE = (Kind.AUTHENTICATION, Kind.BILLING, Kind.UNREACHABLE)
_QUESTION = f"Read `{_FILE}`."


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of it. `problem` is empty if the tool was called as it should be."""

    problem: str
    first_token_s: float | None = None
    tokens_per_s: float | None = None
    fault: Kind | None = None
    """What kept the model from answering; None if it did, be it well or badly."""

    @property
    def may_another_do(self) -> bool:
        """Whether it is worth while to try another model."""
        return bool(self.problem) and self.fault not in _OF_THE_SERVICE

    def verdict(self, model: str) -> str:
        """What is to be said of the model where there was a problem."""
        return f"{model} {'could not be tested' if self.fault else 'is not fit for work with tools'}: {self.problem}"

    @property
    def words(self) -> str:
        if self.problem:
            return self.problem
        speed = f", {self.tokens_per_s:.0f} tokens/s" if self.tokens_per_s else ""
        return f"it called a tool; first token after {self.first_token_s or 0:.2f} s{speed}"


def prove(base_url: str, token: str, model: str) -> Proof:
    """Ask the model to use a tool. Never raises for what the provider or the model does."""
    body = {
        "model": model,
        "max_tokens": 2048,
        "tools": [_TOOL],
        "messages": [{"role": "user", "content": _QUESTION}],
    }
    began = time.monotonic()
    first: float | None = None
    tokens = 0
    arguments: str | None = None
    try:
        for event in stream(base_url, token, body, timeout_s=_TIMEOUT_S):
            if event["type"] == "content_block_start" and event["content_block"]["type"] == "tool_use":
                arguments = ""
            if event["type"] == "content_block_delta":
                first = first or time.monotonic()
                if event["delta"]["type"] == "input_json_delta":
                    arguments = (arguments or "") + event["delta"]["partial_json"]
            if event["type"] == "message_delta":
                tokens = event["usage"]["output_tokens"]
            if time.monotonic() - began > _TIMEOUT_S:
                return Proof(f"it did not come to an end within {_TIMEOUT_S:.0f} s", fault=Kind.TIMEOUT)
    except UpstreamError as error:
        return Proof(error.message, fault=error.kind)
    except (InvalidJSON, KeyError, TypeError):
        return Proof("it answered with something that is no message", fault=Kind.BROKEN_ANSWER)
    wrote_for = time.monotonic() - first if first else 0.0
    return Proof(
        _problem(arguments),
        first_token_s=first - began if first else None,
        tokens_per_s=tokens / wrote_for if wrote_for > _MEASURABLE_S else None,
    )


def _problem(arguments: str | None) -> str:
    if arguments is None:
        return "it did not call the tool that it was asked to use"
    try:
        path = loads(arguments.encode())["file_path"]
    except (InvalidJSON, KeyError, TypeError):
        return "it called the tool with arguments that make no sense"
    return "" if _FILE in str(path) else "it called the tool on another file than it was asked to"
