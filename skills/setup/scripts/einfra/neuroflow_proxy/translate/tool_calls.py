"""The name and the id of a tool call as the client is to see them."""

import re
from collections.abc import Callable, Collection, Mapping

from ..rescue.names import DeclaredNames

# Anthropic's form of a tool_use id. Kimi's `functions.Bash:0` is outside of it.
_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class ToolNames:
    """Maps names as the model writes them to names as the client declared them."""

    def __init__(self, names: Mapping[str, str]) -> None:
        """`names` maps each name that was sent upstream to the client's."""
        self._clients = names
        self._declared = DeclaredNames(names)

    def knows(self, name: str) -> bool:
        return self.find(name) is not None

    def find(self, name: str) -> str | None:
        """The client's name, or None if no such tool was declared."""
        found = self._declared.find(name)
        return None if found is None else self._clients[found]

    def resolve(self, name: str) -> str:
        """The client's name; an undeclared one as it is, so that the client can tell the model."""
        return self.find(name) or name


class ToolUseIds:
    """Hands out ids that are unique over the whole conversation.

    A repeated id makes Claude Code erase the later call from its history, and Kimi counts its ids from 0 in each
    answer. A provider's own id is kept where it is unique and of the usual form.
    """

    def __init__(self, known: Collection[str], mint: Callable[[], str]) -> None:
        self._known = known
        self._taken: set[str] = set()
        self._mint = mint

    def choose(self, provider_id: str) -> str:
        chosen = provider_id
        while chosen in self._taken or chosen in self._known or not _SAFE_ID.match(chosen):
            chosen = self._mint()
        self._taken.add(chosen)
        return chosen
