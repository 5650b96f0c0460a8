"""The answer to a request that wants nothing but one search: what was found, in the words of the pages themselves.

No model takes part, so it costs no tokens and no time in line, and each text that quotes a page is cited exactly.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ..fragments import Usage
from ..wire.codec import dumps_text
from ..wire.messages_api import JSON
from ..wire.web_search import ErrorCode, Found, as_words, citation, error_block, results_block, words_of
from .emitter import MessageEmitter
from .tokens import estimate_input_tokens


class Searched(NamedTuple):
    """What has become of one search: `error` if it came to nothing."""

    query: str
    found: Sequence[Found] = ()
    error: ErrorCode | None = None

    def block(self, tool_use_id: str) -> JSON:
        return error_block(tool_use_id, self.error) if self.error else results_block(tool_use_id, self.found)


def search_events(searched: Searched, *, name: str, message_id: str, tool_use_id: str, model: str) -> list[JSON]:
    """All events of the answer. `name` is the client's name for the server tool."""
    emitter = MessageEmitter(message_id=message_id, model=model, input_tokens=0)
    emitter.open_server_tool_use(tool_use_id, name)
    emitter.delta(dumps_text({"query": searched.query}))
    emitter.close()
    result = searched.block(tool_use_id)
    emitter.whole_block(result)
    texts = [as_words(page) for page in searched.found] or [words_of(result)]
    for index, text in enumerate(texts):
        emitter.open_text()
        emitter.delta(text + "\n\n" if index + 1 < len(texts) else text)
        if searched.found:
            emitter.citation(citation(searched.found[index]))
        emitter.close()
    # Nothing was read or written by a model; clients take zeros for a fault.
    said = estimate_input_tokens({"messages": texts})
    usage = Usage(input_tokens=estimate_input_tokens({"messages": [searched.query]}), output_tokens=said)
    emitter.end("end_turn", None, usage, searches=0 if searched.error else 1)
    return emitter.take()
