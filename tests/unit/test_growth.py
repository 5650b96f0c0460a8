"""What is eight times as long costs eight times as much, whatever it is: all sessions share one event loop."""

import gc
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from neuroflow_proxy.models.learned import NOTHING_LEARNED, Learned
from neuroflow_proxy.models.profiles import GENERIC
from neuroflow_proxy.translate.history import History
from neuroflow_proxy.translate.message import MessageFold
from neuroflow_proxy.translate.request import to_chat_request
from neuroflow_proxy.translate.response import ResponseStream
from tests.chunks import call, chunk, sse
from tests.conversations import JSON, assistant, image, request, text, thinking, tool_result, tool_use, user
from tests.leaks.tools import TOOLS
from tests.streams import context

TIMES = 8
BEARABLE = 2.5
"""What is quadratic comes near to `TIMES`; a machine with other work to do, and its caches, come to half of this."""


def growth(work: Callable[[int], Callable[[], object]], size: int) -> float:
    """How much dearer each part of something `TIMES` as large is."""
    small, large = work(size), work(TIMES * size)
    gc.disable()
    try:
        small_s = min(cost_s(small) for _ in range(5))
        large_s = min(cost_s(large) for _ in range(2))
    finally:
        gc.enable()
    return large_s / small_s / TIMES


def cost_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def repeated(*turn: JSON) -> Callable[[int], JSON]:
    return lambda times: request(*turn * times, user("And now?"))


def in_parallel(times: int) -> JSON:
    ids = [f"toolu_{number}" for number in range(times)]
    return request(user("Go."), assistant(*map(tool_use, ids)), user(*map(tool_result, ids)))


def declared(times: int) -> JSON:
    tools = [{"name": f"{'long' * 20}.{number}", "input_schema": {"type": "object"}} for number in range(times)]
    return request(user("Go."), tools=tools)


def fields_of_a_tool(times: int) -> JSON:
    properties = {f"p{number}": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/a"}]} for number in range(times)}
    schema = {"type": "object", "properties": properties, "$defs": {"a": {"type": "string"}}}
    return request(user("Go."), tools=[{"name": "T", "input_schema": schema}])


REQUESTS: dict[str, Callable[[int], JSON]] = {
    "turns": repeated(user("Hi."), assistant(text("Yes?"))),
    "messages of one turn": repeated(user("Hi.")),
    "blocks of one message": lambda times: request(user(*[text("Hi.")] * times)),
    "calls of one turn": in_parallel,
    "calls of one id": repeated(user("Hi."), assistant(tool_use("toolu_1")), user(tool_result("toolu_1"))),
    "calls without results": repeated(user("Hi."), assistant(tool_use("toolu_1"))),
    "results without calls": repeated(user(tool_result("toolu_1"))),
    "thoughts": repeated(user("Hi."), assistant(thinking("Hm."), text("Yes?"))),
    "images": repeated(user(image()), assistant(text("Seen."))),
    "tools": declared,
    "fields of a tool": fields_of_a_tool,
    "system texts": lambda times: request(user("Hi."), system=[{"type": "text", "text": "Be kind."}] * times),
}


@pytest.mark.parametrize("learned", [NOTHING_LEARNED, Learned(no_images=True, reasoning_required=True)], ids=["", "+"])
@pytest.mark.parametrize("kind", REQUESTS)
def test_a_longer_request_costs_what_is_longer(kind: str, learned: Learned) -> None:
    def work(times: int) -> Callable[[], object]:
        def translate() -> None:
            # Anew each time, so that nothing of it is known.
            body = json.loads(written)
            to_chat_request(
                body, model="m", profile=GENERIC, learned=learned, read_pdf=lambda data: [], history=History()
            )

        written = json.dumps(REQUESTS[kind](times))
        return translate

    assert growth(work, 100) < BEARABLE


def said(piece: str, before: str = "") -> Callable[[int], Iterable[dict[str, Any]]]:
    return lambda times: [chunk({"content": before}), *[chunk({"content": piece})] * times]


def called(*piece: Any) -> dict[str, Any]:
    return chunk(call(*piece))


def written_into(arguments: str, piece: str) -> Callable[[int], Iterable[dict[str, Any]]]:
    return lambda times: [called(0, "c1", "Bash", arguments), *[called(0, None, None, piece)] * times]


_PIECES = (" word", "\n\n", "\u2028", "`", "```json\n", "{", '"', "\\", "<", "<tool_call>", "<think>", "</think>", "<|")
_OPENINGS = {
    "a call": '<tool_call>\n{"name": "Bash", "arguments": {"command": "',
    "a function": "<function=Bash>\n<parameter=command>\n",
    "an invocation": '<function_calls>\n<invoke name="Bash">\n<parameter name="command">',
    "a fence": '```json\n{"name": "Bash", "arguments": ',
    "an object": '{"name": "Bash", "arguments": {',
    "a thought": "<think>",
    "a section": "<|tool_calls_section_begin|><|tool_call_begin|>functions.Bash:0<|tool_call_argument_begin|>{",
}
ANSWERS: dict[str, Callable[[int], Iterable[dict[str, Any]]]] = {
    "thoughts and words": lambda times: [chunk({name: "a "}) for name in ("content", "reasoning")] * times,
    "calls": lambda times: [called(None, f"c{number}", "Bash", "{}") for number in range(times)],
    "arguments that are an object again and again": lambda times: [called(0, "c1", "Bash", '{"command": "a"}')] * times,
    "a name in pieces": lambda times: [called(0, "c1", "Ba", None), *[called(0, None, "sh", None)] * times],
    **{f"{piece!r} said": said(piece) for piece in _PIECES},
    **{f"{piece!r} in arguments": written_into('{"command": "', piece) for piece in ("a", "\n", '"', "\\", " {")},
    **{f"{piece!r} after arguments": written_into('{"command": "a"}', piece) for piece in (" ", "{", "a")},
}

HELD = {f"{piece!r} in {name}": said(piece, opening) for name, opening in _OPENINGS.items() for piece in _PIECES}


@pytest.mark.parametrize("kind", [*ANSWERS, *[pytest.param(kind, marks=pytest.mark.nightly) for kind in HELD]])
def test_a_longer_answer_costs_what_is_longer(kind: str) -> None:
    def work(times: int) -> Callable[[], object]:
        def translate() -> None:
            stream, fold = ResponseStream(context(*TOOLS)), MessageFold()
            for event in events:
                fold.feed(stream.feed(event))
            fold.feed(stream.finish())

        events = [sse(each, done=False) for each in (ANSWERS | HELD)[kind](times)] + [sse(chunk({}, "stop"))]
        return translate

    assert growth(work, 200) < BEARABLE
