"""The grammar of the Messages stream, stated once and independently of the emitter, and what a client makes of it."""

import json
from dataclasses import dataclass, field
from typing import Any

DELTAS = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "server_tool_use": {"input_json_delta"},
    "web_search_tool_result": set(),
}
MAY_BE_EMPTY = ("tool_use", "server_tool_use", "web_search_tool_result")
MAY_CUT_A_CALL = ("max_tokens", "refusal", "model_context_window_exceeded")


@dataclass
class Said:
    """What an answer says, as a client adds it up."""

    blocks: list[dict[str, Any]] = field(default_factory=list)
    left_open: dict[str, Any] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        return "".join(block["text"] for block in self.blocks if block["type"] == "text")

    @property
    def thinking(self) -> str:
        """All of it: an answer that breaks off leaves its thinking open, but it was shown."""
        blocks = [*self.blocks, *([self.left_open] if self.left_open else [])]
        return "".join(block["text"] for block in blocks if block["type"] == "thinking")

    @property
    def calls(self) -> list[tuple[str, str]]:
        return [(block["name"], block["text"]) for block in self.blocks if block["type"] == "tool_use"]


def listen(events: list[dict[str, Any]], *, whole: bool = True) -> Said:
    """Check the events of one answer against the grammar, and return what they say.

    `whole` demands the end; without it a beginning of an answer is good too.
    """
    said = Said()
    state = "before"
    opened: dict[str, Any] | None = None
    for event in events:
        kind = event["type"]
        if kind == "ping":
            continue
        assert state != "after", f"{kind} after the end"
        if state == "before":
            assert kind == "message_start", f"{kind} before message_start"
            message = event["message"]
            assert message["content"] == []
            assert message["role"] == "assistant"
            assert message["usage"]["output_tokens"] >= 1
            state = "in"
        elif kind == "content_block_start":
            assert opened is None, "two blocks open"
            assert event["index"] == len(said.blocks)
            block = event["content_block"]
            assert not block.get("text")
            assert not block.get("input")
            opened = {**block, "text": "", "signature": "", "citations": []}
        elif kind == "content_block_delta":
            assert opened is not None, "a delta outside of a block"
            assert event["index"] == len(said.blocks)
            delta = event["delta"]
            assert delta["type"] in DELTAS[opened["type"]]
            if delta["type"] == "signature_delta":
                opened["signature"] += delta["signature"]
            elif delta["type"] == "citations_delta":
                opened["citations"].append(delta["citation"])
            else:
                opened["text"] += delta.get("text", "") + delta.get("thinking", "") + delta.get("partial_json", "")
        elif kind == "content_block_stop":
            assert opened is not None, "a stop outside of a block"
            assert event["index"] == len(said.blocks)
            assert opened["type"] in MAY_BE_EMPTY or opened["text"].strip(), "an empty block"
            assert opened["type"] != "thinking" or opened["signature"], "thinking without a signature"
            said.blocks.append(opened)
            opened = None
        elif kind == "message_delta":
            assert opened is None, "message_delta inside a block"
            assert state == "in"
            said.stop_reason = event["delta"]["stop_reason"]
            said.stop_sequence = event["delta"]["stop_sequence"]
            assert (said.stop_sequence is not None) == (said.stop_reason == "stop_sequence")
            said.usage = event["usage"]
            assert said.usage["output_tokens"] >= 0
            state = "ending"
        elif kind == "message_stop":
            assert state == "ending"
            state = "after"
        elif kind == "error":
            assert state == "in"
            assert event["error"]["message"]
            said.error = event["error"]
            state = "after"
        else:
            raise AssertionError(f"unknown event {kind}")
    if whole:
        assert state == "after", f"the answer ends in state {state}"
        if said.error is None:
            has_tool_use = any(block["type"] == "tool_use" for block in said.blocks)
            assert (said.stop_reason == "tool_use") == has_tool_use or said.stop_reason in MAY_CUT_A_CALL
    said.left_open = opened
    ids = [block["id"] for block in said.blocks if block["type"] == "tool_use"]
    assert len(ids) == len(set(ids)), "a tool id twice"
    return said


def parse_sse(body: bytes) -> list[dict[str, Any]]:
    """The events of a body that we wrote, read the plain way; fails on anything that we would not write."""
    events = []
    for block in body.decode().split("\n\n")[:-1]:
        first, second = block.split("\n", 1)
        assert first.startswith("event: ")
        assert second.startswith("data: ")
        event = json.loads(second.removeprefix("data: "))
        assert event["type"] == first.removeprefix("event: ")
        events.append(event)
    assert body.endswith(b"\n\n")
    return events
