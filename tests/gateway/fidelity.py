"""What arrives of recorded answers, through the proxy and through others: `python -m tests.gateway.fidelity`.

Every recorded stream that is whole is served as it was recorded, to each in turn, and asked for as Claude Code asks.
What comes is read by a lenient client that adds up blocks by their index, and counted as right if text and calls are
what the recording is known to say. Leaks are served as the text that the provider let through; right is then what the
model meant. Nothing is asked of how an answer looks beyond that.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from neuroflow_proxy.demo.catalog import DemoModel
from neuroflow_proxy.demo.provider import DEMO_KEY, DemoProvider
from neuroflow_proxy.demo.run import running
from neuroflow_proxy.demo.script import Answer, Cut, Raw, finish, role, text
from tests.cache import CACHE
from tests.gateway.gateway import VERSION as LITELLM
from tests.gateway.gateway import litellm
from tests.live import free_port, started
from tests.recordings.cases import Case, load_cases
from tests.recordings.test_leaks import without_blank_lines
from tests.serving import proxy_before

MODEL = "kimi-k2.5"
ROUTER = "1.0.73"
TOKEN = "sk-token-of-the-comparison"
Blocks = list[dict[str, Any]]


class Upstream:
    """The provider: it answers with the bytes of one recording, whatever is asked."""

    def __init__(self) -> None:
        self.answer: Answer = []
        plain = DemoModel(MODEL)
        self.provider = DemoProvider(lambda body: self.answer, models=[plain], rules=(), limits=None, remember=1)

    def plays(self, case: Case) -> None:
        if case.expect.get("kind") == "leak":
            raw = (case.folder / "raw.txt").read_text("utf-8")
            self.answer = [*role(), *text(raw, pieces=max(1, len(raw) // 12)), *finish()]
        else:
            self.answer = [Raw(case.body), Cut("end")]


def question(case: Case) -> dict[str, Any]:
    tools = [{"name": name, "description": name, "input_schema": schema} for name, schema in case.tools.items()]
    ask = {"model": MODEL, "max_tokens": 4000, "stream": True, "messages": [{"role": "user", "content": "Go on."}]}
    return {**ask, "tools": tools} if tools else ask


def events_of(url: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    headers = {"authorization": f"Bearer {TOKEN}", "x-api-key": TOKEN, "anthropic-version": "2023-06-01"}
    answer = httpx.post(f"{url}/v1/messages", json=body, headers=headers, timeout=30)
    lines = [line.removeprefix("data:").strip() for line in answer.text.split("\n") if line.startswith("data:")]
    return [json.loads(line) for line in lines if line.startswith("{")]


def blocks_of(events: list[dict[str, Any]]) -> Blocks:
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        if event["type"] == "content_block_start":
            blocks[event["index"]] = {**event["content_block"], "said": event["content_block"].get("text") or ""}
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            blocks[event["index"]]["said"] += delta.get("text", "") + delta.get("partial_json", "")
    return [blocks[index] for index in sorted(blocks)]


def is_right(case: Case, blocks: Blocks) -> bool:
    expect = case.expect
    view = expect.get("rescue") or expect.get("inline_think") or expect.get("inline_reasoning_tag") or {}
    calls = [
        {"name": block["name"], "arguments": json.loads(block["said"] or "{}")}
        for block in blocks
        if block["type"] == "tool_use"
    ]
    said = without_blank_lines("".join(block["said"] for block in blocks if block["type"] == "text"))
    wanted = [
        {"name": call["name"], "arguments": call["arguments"] or {}}
        for call in view.get("tool_calls", expect["tool_calls"])
    ]
    texts = [view.get("text", expect["text"]), *expect.get("text_alternatives", [])]
    return calls in [wanted, *expect.get("alternatives", [])] and said in map(without_blank_lines, texts)


def whole(cases: list[Any]) -> list[Case]:
    """Those of which there is one reading, and an end."""
    odd = ("partial", "errors", "bad_chunk", "lenient", "order_free", "truncated", "hard", "clean_names", "refusal")
    found = [case.values[0] for case in cases if case.values[0] is not None]
    return [
        case
        for case in found
        if not any(case.expect.get(mark) for mark in odd)
        and (case.expect.get("kind") == "leak" or (case.is_stream and case.status == 200))
        and (case.expect.get("kind") == "leak" or case.expect["finish_reason"] in ("stop", "tool_calls"))
        and all(isinstance(call["arguments"] or {}, dict) for call in case.expect["tool_calls"])
    ]


@contextmanager
def ours(behind: str, upstream: Upstream, folder: Path) -> Iterator[str]:
    with proxy_before(upstream.provider, folder, NEUROFLOW_PROXY_TOKEN=TOKEN) as url:
        yield url


@contextmanager
def through_litellm(behind: str, upstream: Upstream, folder: Path) -> Iterator[str]:
    with litellm(folder, models=[MODEL], behind=behind, key=TOKEN) as url:
        yield url.removesuffix("/v1")


@contextmanager
def through_router(behind: str, upstream: Upstream, folder: Path) -> Iterator[str]:
    home = CACHE / f"claude-code-router-{ROUTER}"
    program = home / "node_modules" / ".bin" / "ccr"
    npm = shutil.which("npm")
    if not program.exists() and npm:
        package = f"@musistudio/claude-code-router@{ROUTER}"
        subprocess.run([npm, "install", "--silent", "--no-fund", "--no-audit", "--prefix", home, package], check=True)
    port = free_port()
    provider = {
        "name": "recorded",
        "api_base_url": f"{behind}/chat/completions",
        "api_key": DEMO_KEY,
        "models": [MODEL],
    }
    config = {
        "HOST": "127.0.0.1",
        "PORT": port,
        "APIKEY": TOKEN,
        "LOG": False,
        "Providers": [provider],
        "Router": {"default": f"recorded,{MODEL}"},
    }
    (folder / ".claude-code-router").mkdir()
    (folder / ".claude-code-router" / "config.json").write_text(json.dumps(config))
    env = {"HOME": str(folder), "PATH": f"{Path(shutil.which('node') or '').parent}:/usr/bin:/bin"}
    with started([program, "start"], cwd=folder, env=env, port=port, log=folder / "log", health="/health") as url:
        yield url


WAYS: dict[str, Callable[[str, Upstream, Path], AbstractContextManager[str]]] = {
    "this proxy": ours,
    f"LiteLLM {LITELLM}": through_litellm,
    f"claude-code-router {ROUTER}": through_router,
}


def count(way: str, groups: dict[str, list[Case]], wrong: list[str]) -> dict[str, str]:
    """Of each group, how many arrived right."""
    upstream, told = Upstream(), {}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(upstream.provider) as behind,
        WAYS[way](behind, upstream, Path(folder)) as url,
    ):
        for group, cases in groups.items():
            right = 0
            for case in cases:
                upstream.plays(case)
                with suppress(httpx.HTTPError, ValueError, KeyError, TypeError):
                    if is_right(case, blocks_of(events_of(url, question(case)))):
                        right += 1
                        continue
                wrong.append(f"{way}: {case.name}")
            told[group] = f"{right} of {len(cases)}"
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wrong", action="store_true", help="name what did not arrive right")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth recording")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS), help="only these")
    flags = parser.parse_args()
    groups = {
        "recorded answers": whole(load_cases())[:: flags.every],
        "tool calls that the provider let through as text": whole(load_cases(kind="leak"))[:: flags.every],
    }
    wrong: list[str] = []
    results = {way: count(way, groups, wrong) for way in flags.ways}
    rows = list(results[flags.ways[0]])
    print(f"| Arrives as it was meant | {' | '.join(results)} |")
    print("|" + "---|" * (len(results) + 1))
    for row in rows:
        print(f"| {row} | {' | '.join(results[way][row] for way in results)} |")
    if flags.wrong:
        print("\n".join(wrong), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
