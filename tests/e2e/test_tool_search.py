"""Tools that are declared only when the model has asked for them, and what that saves and costs.

The figures in docs/claude-code-features.md are printed by the last test here: `pytest -m nightly -s -k deferring`.
"""

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import pytest

from neuroflow_proxy.demo.tokens import PromptCache, count_prompt_tokens
from neuroflow_proxy.setup.files import write_private
from neuroflow_proxy.wire.codec import dumps
from tests.e2e.claude import CURRENT
from tests.e2e.conftest import Session
from tests.e2e.material import MANY_TOOLS
from tests.e2e.upstream import Body, begins_with, tools_of, words_of

pytestmark = pytest.mark.e2e

# The older one defers nothing unless it is told to.
only_current = pytest.mark.parametrize("session", [CURRENT], indirect=True)

LOADS = ("use CronList with `{}`", 'use TaskStop with `{"task_id": "none"}`')
PLACEHOLDER = "DeferredToolPlaceholder"
WINDOW = 262_144
ALLOWED = "Read,Bash,CronList,TaskStop,Monitor,mcp__remote"


def held(session: Session, mode: str | None, steps: Sequence[str], *args: str) -> list[Body]:
    """What reached the provider while the steps were done; with no mode, as set-up has it."""
    chosen = {} if mode is None else {"ENABLE_TOOL_SEARCH": mode}
    finished = session.claude(", ".join(steps), *args, env={**session.connection, **chosen}, tools=ALLOWED)
    assert "I was given no tool" not in finished.text
    return session.bodies


def test_every_tool_is_there_from_the_start_as_set_up_has_it(session: Session) -> None:
    bodies = held(session, None, LOADS)
    assert len(bodies) == 3
    assert {"CronList", "TaskStop", "WebFetch", "NotebookEdit"} <= set(tools_of(bodies[0]))
    assert len({tuple(tools_of(body)) for body in bodies}) == 1


@only_current
def test_a_tool_that_was_searched_for_is_told_of_and_stands_behind_the_others(session: Session) -> None:
    bodies = held(session, "1", LOADS)
    first, loading, used, loading_again, used_again = bodies
    assert not {"CronList", "TaskStop", PLACEHOLDER} & set(tools_of(first))
    assert words_of(loading["messages"][-1]) == "[tool CronList is now available and can be called]"
    assert tools_of(loading) == tools_of(used) == [*tools_of(first), "CronList"]
    assert tools_of(loading_again) == tools_of(used_again) == [*tools_of(first), "CronList", "TaskStop"]
    for earlier, later in pairwise(bodies):
        assert begins_with(later["tools"], earlier["tools"])
        assert begins_with(later["messages"], earlier["messages"])


@only_current
@pytest.mark.nightly
def test_with_tool_search_off_the_prompt_only_grows(session: Session) -> None:
    bodies = held(session, "0", LOADS)
    assert "ToolSearch" not in tools_of(bodies[0])
    for earlier, later in pairwise(bodies):
        assert later["tools"] == earlier["tools"]
        assert begins_with(later["messages"], earlier["messages"])


class Cost(NamedTuple):
    """Tokens of all prompts of a session, as the built-in provider counts them: a fourth of the bytes."""

    requests: int
    first: int
    last: int
    total: int
    anew: int
    """Not found in the prefix cache."""


def cost_of(bodies: Sequence[Body]) -> Cost:
    cache = PromptCache()
    sizes = [count_prompt_tokens(body) for body in bodies]
    reused = sum(cache.reuse(body) for body in bodies)
    return Cost(len(bodies), sizes[0], sizes[-1], sum(sizes), sum(sizes) - reused)


def steps_of(loads: Sequence[str]) -> list[str]:
    """Twelve files are read; after the fourth, the eighth and the eleventh another tool is needed."""
    needed = iter(loads)
    return [
        step
        for number in range(12)
        for step in (f"read f{number}.txt", *([next(needed)] if loads and number in (3, 7, 10) else []))
    ]


@only_current
@pytest.mark.nightly
@pytest.mark.parametrize("servers_tools", [0, 40, 150])
@pytest.mark.parametrize("loads", [0, 3])
def test_what_deferring_saves_and_costs(session: Session, servers_tools: int, loads: int) -> None:
    for number in range(12):
        (session.project / f"f{number}.txt").write_text(f"some words of source file {number}\n" * 400)
    server, config = session.home / "server.py", session.home / "mcp.json"
    server.write_text(MANY_TOOLS, "utf-8")
    remote = {"command": sys.executable, "args": [str(server), str(servers_tools)]}
    write_private(config, dumps({"mcpServers": {"remote": remote} if servers_tools else {}}))
    wanted = [*LOADS, "use mcp__remote__tool_3 with `{}`" if servers_tools else "use Monitor with `{}`"]
    costs: dict[str, Cost] = {}
    for mode in ("1", "0", "auto"):
        session.provider.requests.clear()
        mcp = ("--mcp-config", str(config), "--strict-mcp-config")
        costs[mode] = cost_of(held(session, mode, steps_of(wanted[:loads]), *mcp))
        print(f"\n{servers_tools} tools of servers, {loads} loads, ENABLE_TOOL_SEARCH={mode}: {costs[mode]}")
    deferred, declared, chosen = costs.values()
    # Each tool that comes later lets the provider read the whole conversation anew, for tools stand before it.
    assert (deferred.anew > 1.5 * declared.anew) if loads else (deferred.anew < declared.anew)
    # What they take of the window decides: `auto` declares them all if it is less than a tenth.
    is_little = declared.first - deferred.first < WINDOW / 10
    assert chosen.requests == (declared if is_little else deferred).requests
    assert chosen.first == pytest.approx((declared if is_little else deferred).first, rel=0.02)
