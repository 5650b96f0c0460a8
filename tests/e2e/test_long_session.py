"""A long session of the real Claude Code, with all that it can put into one: no server refuses any of its requests.

The models' parts are scripted, so that every request is known. What is looked at is what reached the provider.
"""

import json
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from neuroflow_proxy.demo.rules.families import (
    alternating_roles,
    compilable_tools,
    fits,
    kimi_ids,
    mistral_ids,
    plain_content,
    reasoning_before_calls,
    text_only,
)
from neuroflow_proxy.demo.script import Answer, finish, reasoning, role, text, tool_call
from neuroflow_proxy.demo.strict import BASE, Rule, complaints
from neuroflow_proxy.translate.messages import NO_REASONING, SEEN
from neuroflow_proxy.wire.codec import dumps_text
from tests.e2e.claude import CURRENT
from tests.e2e.conftest import MODEL, Session
from tests.e2e.editor import editing
from tests.e2e.material import MCP_SERVER, pdf, png
from tests.e2e.upstream import Body, begins_with, images_of, tools_of, words_of

pytestmark = pytest.mark.e2e

KIMI, MISTRAL, DEEPSEEK = MODEL, "mistral-small-4", "deepseek-v3.2-thinking"
_EVERYWHERE = (*BASE, compilable_tools, fits(131_072))
STRICTEST: Mapping[str, tuple[Rule, ...]] = {
    KIMI: (*_EVERYWHERE, kimi_ids, reasoning_before_calls),
    MISTRAL: (*_EVERYWHERE, mistral_ids, alternating_roles),
    DEEPSEEK: (*_EVERYWHERE, reasoning_before_calls, text_only, plain_content),
}
"""More than the built-in provider demands by itself: all that any server of these models does."""
REASONING_FIELD = {KIMI: "reasoning_content", DEEPSEEK: "reasoning"}

SERVER = "a_server_with_a_long_name"
LONG_TOOL = f"mcp__{SERVER}__a_rather_long_tool_name_that_goes_on_and_on_for_no_good_reason"
PICTURE_TOOL = f"mcp__{SERVER}__picture"


@dataclass(frozen=True)
class Move:
    """What the model does in one answer."""

    words: str = ""
    calls: tuple[tuple[str, Body], ...] = ()


@dataclass(frozen=True)
class Turn:
    """What the user does, and the model's answers to it."""

    prompt: str
    moves: tuple[Move, ...]
    mode: str | None = None
    """Switched to before the prompt, and so is the model."""
    model: str | None = None
    compacts: bool = False


FIRST_PART, SECOND_PART = "Do the first part of the work.", "Do the second part of the work."


def call(name: str, **arguments: Any) -> tuple[str, Body]:
    return name, arguments


def agent(prompt: str, kind: str) -> tuple[str, Body]:
    return call("Agent", description="A part", prompt=prompt, subagent_type=kind, run_in_background=False)


def session_in(project: Path, *, loads_tools: bool) -> list[Turn]:
    """`loads_tools`: Claude Code declares the tools of servers only when they were searched for."""
    notes, picture, paper, absent, early, planned = (
        str(project / name)
        for name in ("notes.txt", "picture.png", "paper.pdf", "absent.txt", "early.txt", "planned.txt")
    )
    look = call("Read", file_path=picture)
    load = Move(calls=(call("ToolSearch", query=f"select:{LONG_TOOL},{PICTURE_TOOL}"),))
    # By name, this one stands before what was there already.
    load_late = Move(calls=(call("ToolSearch", query="select:CronList"),))
    return [
        Turn("1. Let us begin.", (Move("We begin."),)),
        Turn(
            "2. Look at the files.",
            (
                Move("I look.", (look, call("Read", file_path=paper), call("Read", file_path=notes))),
                Move("I have seen them."),
            ),
        ),
        Turn(
            "3. Ask the server.",
            (
                *([load] if loads_tools else []),
                Move(calls=(call(LONG_TOOL, words=["one", "two"], map={"xy": "z"}), call(PICTURE_TOOL))),
                Move("It has answered."),
            ),
        ),
        Turn(
            "4. Share the work.",
            (
                Move("Two agents.", (agent(FIRST_PART, "general-purpose"), agent(SECOND_PART, "Explore"))),
                Move("Both are back."),
            ),
        ),
        Turn(
            "5. Make a plan.",
            (
                Move("I write at once.", (call("Write", file_path=early, content="no"),)),
                Move("So I plan.", (call("ExitPlanMode", plan="Write one file."),)),
                Move("Now I may.", (call("Write", file_path=planned, content="yes"),)),
                Move("As planned."),
            ),
            mode="plan",
        ),
        Turn(
            "6. Do what cannot be done.",
            (
                Move(calls=(call("Read", file_path=absent), call("Bash", command="exit 3"))),
                *([load_late] if loads_tools else []),
                Move("It cannot be done."),
            ),
        ),
        Turn(
            "7. Go on, Mistral.",
            (Move("Oui.", (call("Bash", command="echo sept"), look)), Move("C'est fait.")),
            model=MISTRAL,
        ),
        Turn(
            "8. Go on, DeepSeek.",
            (Move("Yes.", (call("Bash", command="echo ba"), look)), Move("It is done.")),
            model=DEEPSEEK,
        ),
        Turn("9. Go on, Kimi.", (Move(calls=(call("Bash", command="echo jiu"),)), Move("Done.")), model=KIMI),
        Turn("10. Go on from the summary.", (Move("Once more.", (look,)), Move("Seen again.")), compacts=True),
    ]


def agents_in(project: Path) -> list[Turn]:
    notes, picture = str(project / "notes.txt"), str(project / "picture.png")
    return [
        Turn(FIRST_PART, (Move(calls=(call("Read", file_path=notes),)), Move("The first part is done."))),
        Turn(SECOND_PART, (Move(calls=(call("Read", file_path=picture),)), Move("The second part is done."))),
    ]


class Model:
    """Answers as the turns say; what is not in them, a summary say, is left to the built-in agent."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._moves = {turn.prompt: turn.moves for turn in turns}

    def __call__(self, body: Body) -> Answer | None:
        prompt, done = self._place(body["messages"])
        if asks_for_summary(body) or done >= len(self._moves.get(prompt, ())):
            return None
        move = self._moves[prompt][done]
        answer = role()
        if field := REASONING_FIELD.get(body["model"]):
            answer += reasoning(thought(prompt, done), field=field, pieces=3)
        answer += text(move.words, pieces=2)
        for index, (name, arguments) in enumerate(move.calls):
            upstream = name_upstream(name, body)
            # Counted anew in each answer, so that the same ids come again and again.
            answer += tool_call(upstream, arguments, id=f"functions.{upstream}:{index}", index=index, pieces=3)
        return answer + finish("tool_calls" if move.calls else "stop")

    def _place(self, messages: list[Body]) -> tuple[str, int]:
        """The prompt that came last, and how many answers were given since."""
        done = 0
        for message in reversed(messages):
            words = words_of(message)
            done += message["role"] == "assistant" and words != SEEN
            if message["role"] == "user" and (said := [prompt for prompt in self._moves if prompt in words]):
                return max(said, key=words.rfind), done
        return "", done


def thought(prompt: str, done: int) -> str:
    return f"I was told: {prompt} This is step {done + 1}."


def name_upstream(name: str, body: Body) -> str:
    """What the provider knows a tool as: a long name is told by its beginning."""
    return next((known for known in tools_of(body) if known == name or known[:50] == name[:50]), name)


def asks_for_summary(body: Body) -> bool:
    return "followed by a <summary> block" in words_of(body["messages"][-1])


def whose(body: Body) -> str:
    """An agent's request, told by its task, or one of the main conversation."""
    words = words_of(body["messages"][1])
    return next((part for part in (FIRST_PART, SECOND_PART) if part in words), "main")


def conversations(bodies: Sequence[Body]) -> list[list[Body]]:
    """The requests that can share a prefix: of one conversation, to one model."""
    found: dict[tuple[str, str], list[Body]] = {}
    for body in bodies:
        found.setdefault((whose(body), body["model"]), []).append(body)
    return list(found.values())


def after(turn: Turn, step: int, bodies: Sequence[Body]) -> list[Body]:
    """From the model's answer number `step` in a turn on, the messages of the request that follows it."""
    for body in bodies:
        messages: list[Body] = body["messages"]
        asked = [at for at, message in enumerate(messages) if is_prompt(message, turn)]
        since = messages[asked[-1] :] if asked else []
        answers = [at for at, message in enumerate(since) if message["role"] == "assistant"]
        if len(answers) == step and not asks_for_summary(body):
            return since[answers[-1] :]
    pytest.fail(f"no request was made after {step} answers to {turn.prompt!r}")


def is_prompt(message: Body, turn: Turn) -> bool:
    return message["role"] == "user" and turn.prompt in words_of(message)


def thoughts_in(body: Body) -> list[str]:
    messages = body["messages"]
    return [message["reasoning_content"] for message in messages if "reasoning_content" in message]


def thoughts_of(turns: Sequence[Turn]) -> list[str]:
    return [thought(turn.prompt, done) for turn in turns for done in range(len(turn.moves))]


def test_ten_turns_with_all_that_claude_code_can_do_are_taken_by_the_strictest_servers(session: Session) -> None:
    picture, called = png(), session.home / "called.jsonl"
    (session.project / "picture.png").write_bytes(picture)
    (session.project / "paper.pdf").write_bytes(pdf("Forty-two is the answer."))
    (session.project / "notes.txt").write_text("Notes of mine.\n", encoding="utf-8")
    server, config = session.home / "server.py", session.home / "mcp.json"
    server.write_text(MCP_SERVER, encoding="utf-8")
    command = {"command": sys.executable, "args": [str(server), str(called), b64encode(picture).decode()]}
    config.write_text(dumps_text({"mcpServers": {SERVER: command}}), encoding="utf-8")

    is_current = session.version == CURRENT
    turns, agents = session_in(session.project, loads_tools=is_current), agents_in(session.project)
    session.provider.script = Model([*turns, *agents])
    with editing(session, "--mcp-config", str(config), "--strict-mcp-config") as editor:
        editor.wait_for_servers()
        for turn in turns:
            if turn.mode:
                editor.control("set_permission_mode", mode=turn.mode)
            if turn.model:
                editor.control("set_model", model=turn.model)
            if turn.compacts:
                editor.ask("/compact")
            assert editor.ask(turn.prompt) == turn.moves[-1].words

    # Nobody complained, and nothing was asked for twice. (A request without tools asks whether a model is there.)
    bodies = [body for body in session.bodies if body.get("tools")]
    assert {received.status for received in session.provider.requests} == {200}
    assert [complaint for body in session.bodies for complaint in complaints(body, STRICTEST[body["model"]])] == []
    assert len(bodies) == sum(len(turn.moves) for turn in (*turns, *agents)) + 1
    assert {body["messages"][-1]["content"] for body in session.bodies if body not in bodies} <= {"Hi"}

    # The provider finds each request in its cache up to what is new, also when a model is asked again after others.
    for own in conversations(bodies):
        for earlier, later in pairwise(own):
            if not asks_for_summary(earlier):
                assert begins_with(later["tools"], earlier["tools"])
                assert begins_with(later["messages"], earlier["messages"])
    main = [body for body in bodies if whose(body) == "main"]

    # Images come after the whole batch of results. The PDF's text stands where the client had the PDF: the older one
    # has it beside the results.
    _, seen, read, noted, shown = after(turns[1], 1, main)
    assert [message["role"] for message in (seen, read, noted, shown)] == ["tool", "tool", "tool", "user"]
    assert "1 image" in seen["content"]
    assert "Forty-two is the answer." in words_of(read if is_current else shown)
    assert "Notes of mine." in noted["content"]
    assert images_of(shown) == [picture]

    # The tool with the long name ran, under its own name here and under a shorter one there.
    assert len(LONG_TOOL) > 64
    assert [json.loads(line) for line in called.read_text("utf-8").splitlines()] == [
        [LONG_TOOL.removeprefix(f"mcp__{SERVER}__"), {"words": ["one", "two"], "map": {"xy": "z"}}],
        ["picture", {}],
    ]
    assert LONG_TOOL in [block["name"] for block in editor.blocks("tool_use")]
    asking, joined, _, shown = after(turns[2], len(turns[2].moves) - 1, main)
    long_name, picture_name = (call["function"]["name"] for call in asking["tool_calls"])
    assert LONG_TOOL.startswith(long_name[:50])
    assert len(long_name) <= 64
    assert picture_name == PICTURE_TOOL
    assert "one-two" in joined["content"]
    assert images_of(shown) == [picture]

    # Both agents worked on their own, and what they said answers the calls that sent them.
    _, first, second = after(turns[3], 1, main)
    assert agents[0].moves[-1].words in first["content"]
    assert agents[1].moves[-1].words in second["content"]

    # In plan mode nothing was written before the plan was agreed on; what failed is told to be a failure.
    assert not (session.project / "early.txt").exists()
    assert (session.project / "planned.txt").read_text("utf-8") == "yes"
    for turn in turns[4:6]:
        assert after(turn, 1, main)[1]["content"].startswith("Error")

    # Thoughts go back to the model that had them, and only to that one.
    for turn in turns[6:9]:
        (asked,) = [body for body in main if is_prompt(body["messages"][-1], turn) and not asks_for_summary(body)]
        had = thoughts_of(turns[:6]) if turn.model == KIMI else []
        assert [thought for thought in thoughts_in(asked) if thought != NO_REASONING] == had
    for turn in turns[7:9]:
        assert after(turn, 1, main)[0]["reasoning_content"] == thought(turn.prompt, 0)

    # A model without eyes is told that there was something to see; one with eyes sees it again after the summary.
    assert "cannot see" in after(turns[7], 1, main)[2]["content"]
    assert images_of(after(turns[9], 1, main)[2]) == [picture]
