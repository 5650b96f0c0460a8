"""Many clients at once, all kinds of requests, faults and people who leave: nothing is mixed up, and nothing stays."""

import asyncio
import itertools
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from neuroflow_proxy.demo.provider import DEMO_KEY, DemoProvider
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.demo.script import (
    Answer,
    Cut,
    Hang,
    Pause,
    Raw,
    Status,
    finish,
    reasoning,
    role,
    text,
    tool_call,
)
from neuroflow_proxy.setup.integrations import save_section
from tests.e2e.claude import minimal_environment
from tests.grammar import listen, parse_sse
from tests.live import call, free_port, process_on, started
from tests.serving import wait_until

AT_ONCE = 8
FAULTS = 0.05
LEAVERS = 0.05
TOOL = {
    "name": "Note",
    "description": "Notes something.",
    "input_schema": {"type": "object", "properties": {"words": {"type": "string"}}, "required": ["words"]},
}
INSTEAD: dict[str, Answer] = {
    "503": [Status(503, "down")],
    "429": [Status(429, {"detail": "Queue is full"}, {"retry-after": "0"})],
    "page": [Status(502, "<html><title>502 Bad Gateway</title></html>", {"content-type": "text/html"})],
    "400": [Status(400, {"error": {"message": "I do not like it."}})],
}
WITHIN: dict[str, Answer] = {
    "reset": [Pause(0.05), Cut("rst")],
    "closed": [Cut("fin")],
    "ended": [Cut("end")],
    "error": [Raw(b'data: {"error": {"message": "the engine has died", "code": 500}}\n\n'), Cut("end")],
}


@dataclass(frozen=True)
class Plan:
    """One request, and all that will become of it. The provider reads it in the question."""

    marker: str
    thinks: bool
    calls: bool
    stream: bool
    fault: str | None
    at: int
    """After how many steps of the answer the fault strikes."""
    leaves: bool

    @property
    def thought(self) -> str:
        return f"{self.marker} thinks. " * 20 if self.thinks else ""

    @property
    def words(self) -> str:
        return f"{self.marker} speaks. " * 30

    @property
    def noted(self) -> str:
        return f"{self.marker} notes. " * 40

    @property
    def answer(self) -> Answer:
        steps = [*role(), *reasoning(self.thought, pieces=9), *text(self.words, pieces=20)]
        if self.calls:
            steps += tool_call("Note", {"words": self.noted}, id="functions.Note:0", pieces=9)
        steps += finish("tool_calls" if self.calls else "stop")
        if self.fault in INSTEAD:
            return INSTEAD[self.fault]
        if self.fault:
            return [*steps[: self.at], *WITHIN[self.fault]]
        return [*steps[: self.at], Pause(0.02), *([Hang()] if self.leaves else steps[self.at :])]

    @property
    def body(self) -> dict[str, Any]:
        told = f"{self.marker} " + "and so on " * 2000
        messages = [
            {"role": "user", "content": told},
            {"role": "assistant", "content": "Go on."},
            {"role": "user", "content": json.dumps(vars(self))},
        ]
        return {"model": "claude-x", "max_tokens": 4000, "stream": self.stream, "tools": [TOOL], "messages": messages}


def plans(count: int, seed: int) -> list[Plan]:
    chance = random.Random(seed)
    return [
        Plan(
            marker=f"m{number:05d}",
            thinks=chance.random() < 0.5,
            calls=chance.random() < 0.5,
            stream=chance.random() < 0.8,
            fault=chance.choice([*INSTEAD, *WITHIN]) if chance.random() < FAULTS else None,
            at=chance.randrange(30),
            leaves=chance.random() < LEAVERS,
        )
        for number in range(count)
    ]


def script(body: Any) -> Answer:
    return Plan(**json.loads(body["messages"][-1]["content"])).answer


@dataclass(frozen=True)
class Watched:
    """The proxy's process, from outside."""

    url: str
    process: psutil.Process
    file: Path
    """Its settings."""

    @property
    def alive(self) -> dict[str, int]:
        status, alive = call(f"{self.url}/alive")
        assert status == 200
        return dict(alive)

    @property
    def sockets(self) -> list[Any]:
        return [socket for socket in self.process.net_connections("tcp") if socket.status != psutil.CONN_LISTEN]

    @property
    def other_files(self) -> int:
        return self.process.num_fds() - len(self.sockets)

    @property
    def megabytes(self) -> float:
        return float(self.process.memory_info().rss) / 2**20


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    port, file = free_port(), tmp_path / "integrations.json"
    with running(DemoProvider(script, limits=None, rules=(), remember=1)) as provider_url:
        section = {"base_url": provider_url, "api_key": DEMO_KEY, "model": "kimi-k2.5", "second_try": False}
        save_section(file, {**section, "max_concurrent_requests": AT_ONCE})
        env = minimal_environment(tmp_path) | {"NEUROFLOW_PROXY_INTEGRATIONS": str(file)}
        command = [sys.executable, str(Path(__file__).with_name("watched.py")), str(port)]
        with started(command, cwd=tmp_path, env=env, port=port, log=tmp_path / "proxy.log") as url:
            yield Watched(url, process_on(port), file)


async def ask_all(watched: Watched, clients: int, todo: list[Plan]) -> Counter[str]:
    """Clients who take one plan after the other from the same heap, while the settings change; how each ended."""
    outcomes: Counter[str] = Counter()
    heap = iter(todo)

    async def work() -> None:
        async with httpx.AsyncClient(base_url=watched.url, timeout=60) as http:
            for plan in heap:
                outcomes[await leave(http, plan) if plan.leaves else await ask(http, plan)] += 1

    async def change_settings() -> None:
        for directive in itertools.cycle((False, True)):
            save_section(watched.file, {"directive": directive})
            await asyncio.sleep(1)  # as often as the proxy looks

    changing = asyncio.create_task(change_settings())
    await asyncio.gather(*(work() for _ in range(clients)))
    changing.cancel()
    return outcomes


async def ask(http: httpx.AsyncClient, plan: Plan) -> str:
    response = await http.post("/v1/messages", json=plan.body)
    assert set(re.findall(r"m\d{5}", response.text)) <= {plan.marker}, "somebody else's answer"
    if response.status_code != 200:
        assert plan.fault, response.text
        return str(response.status_code)
    if not plan.stream:
        assert [*said_in(response.json())] == expected(plan)
        return "whole"
    said = listen(parse_sse(response.content))
    if said.error is not None:
        assert plan.fault, said.error
        return "broken off"
    calls = [json.loads(arguments) for _, arguments in said.calls]
    assert [said.thinking, said.text, calls] == expected(plan)
    return "whole"


def said_in(message: dict[str, Any]) -> Iterator[Any]:
    blocks = message["content"]
    yield "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    yield "".join(block["text"] for block in blocks if block["type"] == "text")
    yield [block["input"] for block in blocks if block["type"] == "tool_use"]


def expected(plan: Plan) -> list[Any]:
    return [plan.thought, plan.words, [{"words": plan.noted}] if plan.calls else []]


async def leave(http: httpx.AsyncClient, plan: Plan) -> str:
    """Be gone after a moment: in the queue, before the first word, or in the midst of the answer."""
    try:
        async with asyncio.timeout(0.01 * plan.at):
            await http.post("/v1/messages", json=plan.body)
    except TimeoutError:
        return "left"
    return "left too late"


@pytest.mark.skipif(sys.platform == "win32", reason="counts file descriptors")
@pytest.mark.parametrize(("count", "clients"), [(300, 16), pytest.param(10_000, 32, marks=pytest.mark.nightly)])
def test_nothing_is_mixed_up_and_nothing_stays(watched: Watched, count: int, clients: int) -> None:
    todo = plans(count, seed=count)
    warm_up, rest = todo[: count // 3], todo[count // 3 :]
    idle = watched.alive["tasks"]
    asyncio.run(ask_all(watched, clients, warm_up))
    wait_until(lambda: watched.alive["tasks"] == idle, "all is quiet after the warm-up")
    objects, files, megabytes = watched.alive["objects"], watched.other_files, watched.megabytes

    outcomes = asyncio.run(ask_all(watched, clients, rest))
    assert outcomes["whole"] >= 0.8 * len(rest), outcomes
    assert min(outcomes[how] for how in ("left", "broken off", "502", "503")) > 0, outcomes

    wait_until(lambda: watched.alive["tasks"] == idle, "no task is left")
    wait_until(lambda: len(watched.sockets) <= AT_ONCE, "no socket is left but those that are kept for the provider")
    wait_until(lambda: watched.other_files <= files, "no file is left")
    assert watched.alive["objects"] - objects < len(rest), "an object stays for each request"
    assert watched.megabytes - megabytes < 8
