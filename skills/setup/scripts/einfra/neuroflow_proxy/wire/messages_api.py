"""The vocabulary of Anthropic's Messages API, the side of the client: what its answers are made of.

Shapes follow the API reference ("Messages", "Streaming messages"). Everything here is a plain dict with a known shape:
the wire is an open world, and a field that we do not know must not be lost on us.
"""

from typing import Any, Literal

JSON = dict[str, Any]

StopReason = Literal[
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded"
]

# The signature that closes each of our thinking blocks. Clients demand one and send it back unseen; ours can be told
# from a real one. It is base64, as theirs are, for "neuroflow-proxy".
THINKING_SIGNATURE = "bmV1cm9mbG93LXByb3h5"

LISTED_AS = "anthropic/"
"""What stands before ids in our list of models: Claude Code's picker shows those with `anthropic` or `claude` alone."""


def message_start(message_id: str, model: str, usage: JSON) -> JSON:
    return {
        "type": "message_start",
        "message": {
            "id": message_id,
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        },
    }


def text_block_start(index: int) -> JSON:
    return {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}


def thinking_block_start(index: int) -> JSON:
    block = {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "content_block_start", "index": index, "content_block": block}


def tool_use_block_start(index: int, tool_use_id: str, name: str) -> JSON:
    block = {"type": "tool_use", "id": tool_use_id, "name": name, "input": {}}
    return {"type": "content_block_start", "index": index, "content_block": block}


def server_tool_use_block_start(index: int, tool_use_id: str, name: str) -> JSON:
    block = {"type": "server_tool_use", "id": tool_use_id, "name": name, "input": {}}
    return {"type": "content_block_start", "index": index, "content_block": block}


def whole_block_start(index: int, block: JSON) -> JSON:
    """For blocks that have no deltas: results of server tools."""
    return {"type": "content_block_start", "index": index, "content_block": block}


def text_delta(index: int, text: str) -> JSON:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}


def thinking_delta(index: int, thinking: str) -> JSON:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "thinking_delta", "thinking": thinking}}


def signature_delta(index: int, signature: str) -> JSON:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "signature_delta", "signature": signature}}


def input_json_delta(index: int, partial_json: str) -> JSON:
    delta = {"type": "input_json_delta", "partial_json": partial_json}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def citations_delta(index: int, citation: JSON) -> JSON:
    delta = {"type": "citations_delta", "citation": citation}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def content_block_stop(index: int) -> JSON:
    return {"type": "content_block_stop", "index": index}


def message_delta(stop_reason: StopReason, stop_sequence: str | None, usage: JSON) -> JSON:
    return {
        "type": "message_delta",
        "delta": {"stop_reason": stop_reason, "stop_sequence": stop_sequence},
        "usage": usage,
    }


def message_stop() -> JSON:
    return {"type": "message_stop"}


def ping() -> JSON:
    return {"type": "ping"}


def error(error_type: str, message: str) -> JSON:
    """The body of a refused request and, as an event, the end of a stream that broke."""
    return {"type": "error", "error": {"type": error_type, "message": message}}
