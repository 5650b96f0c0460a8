"""Stop sequences that the provider does not look for: the text is cut before the first of them."""

from collections.abc import Sequence


class StopSequences:
    """Holds back only what could be the beginning of a stop sequence."""

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = [sequence for sequence in sequences if sequence]
        self._held = ""
        self.matched: str | None = None
        """The stop sequence that was found, if one was."""

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._sequences)

    def feed(self, text: str) -> str:
        """The part of the text that is certainly before any stop sequence."""
        if not self._sequences:
            return text
        if self.matched is not None:
            return ""
        text = self._held + text
        found = [(position, s) for s in self._sequences if (position := text.find(s)) >= 0]
        if found:
            position, self.matched = min(found, key=lambda item: (item[0], -len(item[1])))
            self._held = ""
            return text[:position]
        keep = self._possible_beginning(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        """The text that was held back and turned out to be text."""
        held, self._held = self._held, ""
        return held

    def _possible_beginning(self, text: str) -> int:
        longest = max(map(len, self._sequences))
        for length in range(min(longest - 1, len(text)), 0, -1):
            tail = text[len(text) - length :]
            if any(sequence.startswith(tail) for sequence in self._sequences):
                return length
        return 0
