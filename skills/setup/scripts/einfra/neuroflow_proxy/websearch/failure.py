"""A search that came to nothing."""

from ..wire.web_search import ErrorCode


class SearchFailed(Exception):
    """`code` is told to the client and the model; the words are for the log and for set-up, and hold no query."""

    def __init__(self, words: str, *, code: ErrorCode = "unavailable") -> None:
        super().__init__(words)
        self.words = words
        self.code: ErrorCode = code
