"""Where in a Markdown text one stands: in code, in a quotation, at the start of a line.

Text is only looked at when somebody asks, which happens at the rare places where a mark was found.
"""

import re

_TOKEN = re.compile(r"\n|`+|~{3,}|[^\n`~]+|~{1,2}")
_BEFORE_FENCE = re.compile(r"(?:[ \t>]|[-*+] |\d+[.)] )*")
_LANGUAGE = re.compile(r"[A-Za-z][\w+#-]*[ \t]*")
_LONGEST_LANGUAGE = 40
_MANY_PIECES = 4096
_TAIL = 16
_QUOTING = (">", "|")  # how a quoted line begins, and a table's
_QUOTATIONS = {'"': ('"',), "'": ("'",), "“": ("”", "“"), "„": ("“", "”"), "‘": ("’",), "«": ("»",), "(": (")",)}
# No other elements: a model also wraps its calls in tags of its own invention.
_ELEMENT = re.compile(r"<(code|pre|samp|kbd|example|quote|blockquote)>\s*\Z")


class Prose:
    """Follows one channel's text."""

    _is_fence_line = False  # on the line of the run that opened the innermost block
    _closing = ""  # the run that has just closed a block, unless nothing but the name of a language follows
    _behind_closing = ""
    _inline = 0  # the length of the run that opened the code span we are in
    _line: str | None = ""  # the line so far, as long as it may be the place for a fence
    _is_quoted = False
    _tail = ""

    def __init__(self) -> None:
        self._unread: list[str] = []
        self._fences: list[str] = []  # the runs that opened the code blocks we are in; models put blocks into blocks

    def add(self, text: str) -> None:
        self._unread.append(text)
        if len(self._unread) > _MANY_PIECES and text[-1] not in "`~":
            self._read()

    @property
    def is_code(self) -> bool:
        """Inside a code block, a code span, a quoted line, or a table."""
        self._read()
        is_quoting = self._line is not None and self._line.lstrip().startswith(_QUOTING)
        return bool(self._fences or self._inline or self._is_quoted or is_quoting)

    @property
    def is_code_span(self) -> bool:
        self._read()
        return bool(self._inline)

    @property
    def is_line_start(self) -> bool:
        """Nothing but white space stands before, on this line."""
        self._read()
        return not self._tail.rpartition("\n")[2].strip()

    @property
    def quotation_ends(self) -> tuple[str, ...]:
        """What ends the quotation that begins right here; nothing if none does."""
        tail = self.tail
        if tail[-1:] in _QUOTATIONS:
            return _QUOTATIONS[tail[-1]]
        element = _ELEMENT.search(tail)
        if element is not None:
            return (f"</{element[1]}",)
        return ("-->",) if tail.rstrip().endswith("<!--") else ()

    @property
    def tail(self) -> str:
        """The last few characters."""
        self._read()
        return self._tail

    def _read(self) -> None:
        if not self._unread:
            return
        text = "".join(self._unread)
        self._unread.clear()
        self._tail = (self._tail + text[-_TAIL:])[-_TAIL:]
        for found in _TOKEN.finditer(text):
            run = found.group()
            if self._closing:
                self._look_behind_closing(run)
            if run == "\n":
                self._line, self._inline, self._is_quoted = "", 0, False
                self._is_fence_line = False
            elif run[0] in "`~":
                self._run(run)
            elif self._line is not None:
                self._line += run
                if not _BEFORE_FENCE.fullmatch(self._line):
                    self._is_quoted = self._line.lstrip().startswith(_QUOTING)
                    self._line = None

    def _look_behind_closing(self, run: str) -> None:
        """A run with the name of a language behind it closes nothing: it opens a block in the block."""
        if run == "\n" and _LANGUAGE.fullmatch(self._behind_closing):
            self._fences += (self._closing, self._closing)
        elif run != "\n" and run[0] not in "`~" and len(self._behind_closing) < _LONGEST_LANGUAGE:
            self._behind_closing += run
            return
        self._closing = self._behind_closing = ""

    def _run(self, run: str) -> None:
        """A run of backticks or tildes: opens or closes a block at the start of a line, else a span."""
        is_at_start = self._line is not None
        self._line = None
        if self._is_fence_line and run[0] == self._fences[-1][0] == "`":  # it was a span: ```npm install```
            self._inline = len(self._fences.pop())
            self._is_fence_line = False
        if self._fences:
            if is_at_start and run[0] == self._fences[-1][0] and len(run) >= len(self._fences[-1]):
                self._closing = self._fences.pop()
        elif len(run) >= 3 and is_at_start and not self._inline:
            self._fences.append(run)
            self._is_fence_line = True
        elif run[0] == "`":
            if not self._inline:
                self._inline = len(run)
            elif self._inline == len(run):
                self._inline = 0
