"""The commands that the documentation tells people to run: in fenced blocks, and named in running text and tables."""

import re
from typing import NamedTuple

from tests.docs.pages import ROOT

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("skills/**/*.md"))
)
# A block without a language is for a shell; what is shown and not run says what it is.
SHELLS = ("", "sh", "powershell")

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"`((?:configure\.py|python3 scripts/\w+|scripts/check)(?: [^`]*)?)`")


class Told(NamedTuple):
    """One command of one page."""

    page: str
    words: str


def in_blocks(page: str) -> list[Told]:
    """Every line of the page's blocks, without what follows a `#`."""
    text = (ROOT / page).read_text("utf-8")
    lines = [line for _, language, block in _FENCE.findall(text) if language in SHELLS for line in block.splitlines()]
    commands = [re.sub(r"\s+#.*", "", line).strip() for line in lines]
    return [Told(page, command) for command in commands if command]


def in_text(page: str) -> list[Told]:
    """The commands of this project that are named outside blocks."""
    text = _FENCE.sub("", (ROOT / page).read_text("utf-8"))
    return [Told(page, words.replace("\\|", "|")) for words in _NAMED.findall(text)]
