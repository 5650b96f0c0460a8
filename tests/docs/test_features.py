"""The table of Claude Code's features: each row is shown by tests, and these are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "claude-code-features.md"
VERDICTS = ("works", "cannot: ")

_LINK = re.compile(r"\[([^\]]+)\]\(\.\./(tests/[^)]+\.py)\)")


def rows() -> list[list[str]]:
    """The cells of the first table, without its head."""
    table = re.search(r"(?:^\|.*\n)+", PAGE.read_text("utf-8"), re.MULTILINE)
    assert table
    lines = table[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@cache
def functions_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_feature_is_shown_by_tests_that_are_there(row: list[str]) -> None:
    feature, verdict, shown_by = row
    assert feature
    assert verdict.startswith(VERDICTS)
    named = _LINK.findall(shown_by)
    assert named
    assert _LINK.sub("", shown_by).strip(", ") == "", "something else than links to tests"
    for sentence, path in named:
        assert f"test_{sentence.replace(' ', '_')}" in functions_in(ROOT / path)


def test_every_end_to_end_test_file_is_named() -> None:
    named = {path for row in rows() for _, path in _LINK.findall(row[2])}
    about_features = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/e2e/test_*.py")}
    # Of other things: what models get wrong, and how somebody begins.
    others = {"tests/e2e/test_leaked_calls.py", "tests/e2e/test_newcomer.py"}
    assert about_features - others <= named
