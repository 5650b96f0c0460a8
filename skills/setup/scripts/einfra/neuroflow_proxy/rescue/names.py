"""Which declared tool a model means, however it writes the name: in a call that leaked, or in one that was sent as one.

Decided here alone. A call that comes both ways is known as one call only if both names are read alike.
"""

import re
from collections.abc import Collection
from functools import cached_property

_PREFIX = "functions."
# Kimi's ids: `functions.Bash:0`; the number after a full stop is a slip of the model.
_COUNTER = re.compile(r"[:.][0-9]+\Z")


class DeclaredNames:
    """Tools by the name that was sent upstream."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def find(self, said: str) -> str | None:
        """The declared name that is meant; None if none is.

        Models re-case names, quote them, prefix and number them, and broken parsers leave a piece of a tag behind them
        (recording fireworks-glm52-name-with-tag; gpt-oss: a channel).
        """
        plain = said.partition("<")[0].strip().strip("\"'")
        bare = plain.removeprefix(_PREFIX)
        for candidate in (plain, bare, _COUNTER.sub("", bare)):
            if candidate in self._names:
                return candidate
            if candidate.casefold() in self._by_folded_name:
                return self._by_folded_name[candidate.casefold()]
        return None

    def may_become(self, said: str) -> bool:
        """Whether a declared name can still come of what was said so far."""
        bare = said.strip().casefold().removeprefix(_PREFIX)
        return _PREFIX.startswith(bare) or any(name.startswith(bare) for name in self._by_folded_name)

    @cached_property
    def longest(self) -> int:
        """The most characters in which a model writes a declared name."""
        return max(map(len, self._names), default=0) + len(_PREFIX) + 8

    @cached_property
    def _by_folded_name(self) -> dict[str, str]:
        return {name.casefold(): name for name in self._names}
