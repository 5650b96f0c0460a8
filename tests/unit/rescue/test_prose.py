"""Where one stands in a Markdown text."""

import pytest

from neuroflow_proxy.rescue.prose import Prose


def prose(text: str, size: int) -> Prose:
    found = Prose()
    for i in range(0, len(text), size):
        found.add(text[i : i + size])
    return found


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize(
    "text",
    [
        "```\n",
        "```python\nx = 1\n",
        "a\n```\nb `c`\n",
        "~~~\n",
        "- ```\n  ",
        "1. ```\n",
        "````\n```\n",
        "a `",
        "``a`b ",
        "> ",
        "> a ",
    ],
)
def test_code_is_code(text: str, size: int) -> None:
    assert prose(text, size).is_code


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "a ",
        "```\n```\n",
        "```\n````\n",
        "`a` ",
        "``a`b`` ",
        "a `b\nc ",
        "a ``` b\n",
        "~~a~~ ",
        "> a\n",
        "~~~\n~~~~ \n",
        "1 > 0, so ",
    ],
)
def test_text_is_not_code(text: str, size: int) -> None:
    assert not prose(text, size).is_code


def test_a_line_start_is_known_across_pieces() -> None:
    assert prose("", 1).is_line_start
    assert prose("a\n  ", 1).is_line_start
    assert not prose("a\n  b", 1).is_line_start
    assert not prose("x" * 50, 1).is_line_start


def test_many_pieces_are_not_kept() -> None:
    found = prose("`a` b " * 20_000, 1)
    assert not found.is_code
    assert found.tail == ("`a` b " * 20)[-16:]


@pytest.mark.parametrize(
    ("text", "is_code"),
    [
        ("```npm install```\n", False),
        ("```npm install```\n```py\n", True),
        ("```npm install``` and `x", True),
        ("```md\n```py\nx\n```\n", True),
        ("```md\n```py\nx\n```\n```\n", False),
        ("````md\n```py\n```\n````\n", False),
        ("```\nx\n```", False),
        ("```\nx\n``` ", False),
        ("```\nx\n```Now let me see.\n", False),
        ("```md\n```xml\nx", True),
    ],
)
def test_blocks_in_blocks_and_spans_of_three(text: str, is_code: bool) -> None:
    for size in (1, 2, 3, len(text)):
        prose = Prose()
        for i in range(0, len(text), size):
            prose.add(text[i : i + size])
        assert prose.is_code is is_code
