"""Two questions about tags of thoughts that only the text around them answers; both are asked like grammars."""

from .source import Refuted, Source, Steps
from .spans import Span

_SENTENCE_ENDS = ".!?…。！？:"
_BEFORE_A_MENTION = "\"'“‘«(["
_AFTER_A_MENTION = " \t.,;:!?)]\"'”’»"


def unmentioned(source: Source, mark: str, before: str) -> Steps[list[str]]:
    """Take a mark out of its place, unless it is a mention: words of its sentence stand on both sides."""
    yield from source.expect(mark)
    after = yield from source.peek()
    line = before.rpartition("\n")[2]
    is_in_sentence = line.endswith((" ", "\t")) and not line.rstrip().endswith(tuple(_SENTENCE_ENDS)) and line.strip()
    if after and after in _AFTER_A_MENTION and (is_in_sentence or (line and line[-1] in _BEFORE_A_MENTION)):
        raise Refuted
    return []


def echo(source: Source, span: Span, said: str) -> Steps[list[str]]:
    """Take a thought that is the same as what came as reasoning in a field of its own (recording
    leakstream-vllm-deepseek-v3-stream)."""
    yield from source.expect(span.opens)
    yield from source.space()
    compared = 0
    while compared < len(said):
        ahead = source.text[source.position : source.position + len(said) - compared]
        if not said.startswith(ahead, compared):
            raise Refuted
        compared += len(ahead)
        source.position += len(ahead)
        if compared < len(said):
            yield from source.more()
    yield from source.space()
    yield from source.expect(*span.closes)
    return []
