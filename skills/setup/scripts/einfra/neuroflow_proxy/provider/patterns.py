"""Regular expressions that are compiled when they are first searched for.

What providers say of faults takes a hundred of them, which is a tenth of the time until the proxy serves, and most
days none is needed.
"""

import re
from functools import cached_property


class LatePattern:
    """`re.compile(source, flags)`, later."""

    def __init__(self, source: str, flags: re.RegexFlag) -> None:
        self._source = source
        self._flags = flags

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self._source, self._flags)

    def search(self, text: str) -> re.Match[str] | None:
        """As `re.Pattern.search`."""
        return self._compiled.search(text)
