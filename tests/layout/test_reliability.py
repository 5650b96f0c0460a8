"""What `docs/reliability.md` promises is held by tests that are there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")
ROW = re.compile(r"^\| (?P<promise>[^|]+) \| `(?P<file>tests/[\w/]+\.py)::(?P<test>test_\w+)` \|$")


def rows() -> list[str]:
    return [line for line in PAGE.splitlines() if line.startswith("| ") and line != "| promise | test |"]


def test_each_promise_names_a_test_that_exists() -> None:
    missing = []
    for row in rows():
        match = ROW.match(row)
        assert match, f"no promise with one test: {row}"
        path = ROOT / match["file"]
        tree = ast.parse(path.read_text("utf-8")) if path.is_file() else ast.Module([], [])
        if match["test"] not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
            missing.append(f"{match['file']}::{match['test']}")
    assert missing == []


def test_no_promise_is_made_twice() -> None:
    promises = [row.split(" | ")[0] for row in rows()]
    assert len(promises) > 50
    assert len(set(promises)) == len(promises)
