"""A program on the Claude Agent SDK, as its users write them. Says what came back, as one JSON object.

Run by an interpreter that has the SDK: `agent_sdk.py CLAUDE SMALL_MODEL SCHEMA`.
"""

import asyncio
import json
import sys
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    HookMatcher,
    ResultMessage,
    StreamEvent,
    TextBlock,
    create_sdk_mcp_server,
    query,
    tool,
)

CLAUDE, SMALL_MODEL, SCHEMA = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])


@tool("add", "Adds two numbers.", {"a": int, "b": int})
async def add(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": f"the sum is {arguments['a'] + arguments['b']}"}]}


async def converse() -> dict[str, Any]:
    """A tool of our own, a hook of our own, a stream, and another model for the second turn."""
    hooked: list[str] = []

    async def note(data: Any, *_: Any) -> dict[str, Any]:
        hooked.append(data["tool_name"])
        return {}

    options = ClaudeAgentOptions(
        cli_path=CLAUDE,
        mcp_servers={"calculator": create_sdk_mcp_server("calculator", tools=[add])},
        allowed_tools=["mcp__calculator__add"],
        hooks={"PreToolUse": [HookMatcher(hooks=[note])]},
        include_partial_messages=True,
    )
    async with ClaudeSDKClient(options) as client:
        await client.query('use mcp__calculator__add with `{"a": 2, "b": 40}`')
        first = [message async for message in client.receive_response()]
        await client.set_model(SMALL_MODEL)
        await client.query("Who are you?")
        second = [message async for message in client.receive_response()]
    deltas = [
        message.event["delta"] for message in first if isinstance(message, StreamEvent) and "delta" in message.event
    ]
    return {
        "hooked": hooked,
        "streamed": "".join(delta.get("text", "") for delta in deltas),
        "said": text_of(first),
        "model": next(message.model for message in second if isinstance(message, AssistantMessage)),
        "said_then": text_of(second),
        "turns": [message.num_turns for message in first if isinstance(message, ResultMessage)],
    }


async def answer_in_a_form() -> Any:
    options = ClaudeAgentOptions(cli_path=CLAUDE, output_format={"type": "json_schema", "schema": SCHEMA})
    results = [message async for message in query(prompt="Which book?", options=options)]
    return next(message.structured_output for message in results if isinstance(message, ResultMessage))


def text_of(messages: list[Any]) -> str:
    said = [message for message in messages if isinstance(message, AssistantMessage)]
    return "".join(block.text for message in said for block in message.content if isinstance(block, TextBlock))


async def main() -> None:
    print(json.dumps({**await converse(), "form": await answer_in_a_form()}))


asyncio.run(main())
