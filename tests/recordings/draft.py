"""A first `expect.json` for a recording: what stands on the wire, folded. `python -m tests.recordings.draft FOLDER`.

It is read here without anything of the proxy, or it would only say what the proxy makes of it. Where the provider
misbehaved, what it should have said is for a person to add: `rescue`, `inline_think` and the like.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Expect = dict[str, Any]


def draft(folder: Path) -> Expect:
    """What the recorded answer says. Its `shape` is for a person to name."""
    text, reasoning, finish_reason, usage = "", "", None, None
    calls: dict[int, dict[str, Any]] = {}
    errors = []
    is_done = False
    for chunk in _chunks(folder):
        if chunk is None:
            is_done = True
            continue
        if chunk.get("error"):
            errors.append(chunk["error"])
        usage = chunk.get("usage") or usage
        for choice in chunk.get("choices") or []:
            said = choice.get("delta") or choice.get("message") or {}
            text += said.get("content") or ""
            reasoning += said.get("reasoning_content") or said.get("reasoning") or ""
            for position, call in enumerate(said.get("tool_calls") or []):
                _add(calls.setdefault(call.get("index", position), {"name": "", "arguments": ""}), call)
            finish_reason = choice.get("finish_reason") or finish_reason
    return {
        "shape": [] if is_done or finish_reason else ["no-done"],
        "text": text,
        "reasoning": reasoning,
        "tool_calls": [_finished(call) for call in calls.values()],
        "finish_reason": finish_reason,
        "usage": usage,
        "errors": errors,
        "origin": "recorded",
    }


def _chunks(folder: Path) -> Iterator[dict[str, Any] | None]:
    """The chunks of a stream, None for its `[DONE]`; or the one object of an answer that was not streamed."""
    stream = folder / "response.sse"
    if not stream.exists():
        yield json.loads((folder / "response.json").read_text("utf-8"))
        return
    for line in stream.read_text("utf-8").splitlines():
        data = line.removeprefix("data:").strip()
        if line.startswith("data:") and data:
            yield None if data == "[DONE]" else json.loads(data)


def _add(call: dict[str, Any], piece: dict[str, Any]) -> None:
    function = piece.get("function") or {}
    call["name"] = call["name"] or function.get("name") or ""
    call["arguments"] += function.get("arguments") or ""
    if piece.get("id"):
        call["id"] = piece["id"]


def _finished(call: dict[str, Any]) -> dict[str, Any]:
    try:
        return {**call, "arguments": json.loads(call["arguments"] or "{}")}
    except ValueError:
        return {**call, "arguments_incomplete": True}


if __name__ == "__main__":
    (named,) = map(Path, sys.argv[1:])
    (named / "expect.json").write_text(json.dumps(draft(named), indent=1, ensure_ascii=False) + "\n", "utf-8")
