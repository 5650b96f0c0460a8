"""The installed Claude Code."""

import re
import subprocess
from collections.abc import Iterator

from ...errors import ProxyError
from ..claude_code import find_claude
from ..place import Place
from .check import Check

_TIMEOUT_S = 10
SEEN_WITH = (2, 1, 330)
"""What is set here was seen to work with this version."""


def installed_claude_code(place: Place) -> Iterator[Check]:
    """Where it is, and which version."""
    try:
        claude = find_claude(place)
        answer = subprocess.run(  # noqa: S603
            [claude, "--version"], capture_output=True, encoding="utf-8", timeout=_TIMEOUT_S, check=False
        )
    except ProxyError as error:
        yield Check("Claude Code", error.message, error.hint)
        return
    except (OSError, subprocess.TimeoutExpired) as error:
        yield Check("Claude Code", f"It does not start: {error}", "See that `claude --version` works.")
        return
    version = re.match(r"(\d+)\.(\d+)\.(\d+)", answer.stdout)
    seen_with = ".".join(map(str, SEEN_WITH))
    if version is None:
        yield Check("Claude Code", f"{claude} does not say which version it is.", "See that `claude --version` works.")
    elif tuple(map(int, version.groups())) < SEEN_WITH:
        yield Check(
            "Claude Code",
            f"{version[0]}, at {claude}, is older than {seen_with}, with which these settings were seen to work.",
            "claude update",
        )
    else:
        yield Check("Claude Code", f"{version[0]}, at {claude}.")
