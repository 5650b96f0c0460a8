"""Where a JSON object or array ends, found while its text arrives in pieces, without parsing it.

Text is only looked at when somebody asks, which few providers give a reason for.
"""

import re

_STRUCTURE = re.compile(r'["{}\[\]]')
_STRING_END = re.compile(r'["\\]')
_MANY_PIECES = 4096


class JSONExtent:
    """Follows brackets and strings. Says nothing about whether the text between them is valid."""

    def __init__(self) -> None:
        self._unread: list[str] = []
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._opened = False

    @property
    def is_closed(self) -> bool:
        """True once an object or array was opened and its last bracket has been closed."""
        self._read()
        return self._opened and self._depth <= 0 and not self._in_string

    def feed(self, piece: str) -> None:
        self._unread.append(piece)
        if len(self._unread) > _MANY_PIECES:
            self._read()

    def _read(self) -> None:
        text = "".join(self._unread)
        self._unread.clear()
        position, end = 0, len(text)
        while position < end:
            if self._escaped:
                self._escaped = False
                position += 1
                continue
            found = (_STRING_END if self._in_string else _STRUCTURE).search(text, position)
            if found is None:
                return
            position = found.end()
            match found.group():
                case "\\":
                    self._escaped = True
                case '"':
                    self._in_string = not self._in_string
                case "{" | "[":
                    self._depth += 1
                    self._opened = True
                case _:
                    self._depth -= 1
