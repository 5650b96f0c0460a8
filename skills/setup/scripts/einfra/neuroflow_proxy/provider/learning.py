"""What a refusal teaches: which part of a refused request this model will not take, read from the provider's words.

A plain 400 costs six to eight quick requests of Claude Code and can switch features off for the session, so what can be
repaired is repaired here and asked again, unseen. How it is used:

    error = classify(...)
    lesson = learn(body, sent, known)  # kept for this model, if there is one
    if isinstance(error, TooManyOutputTokens) and (fitting := error.fitting(estimate)):
        send the same once more with `max_tokens` = fitting
    elif lesson is not None and error.kind is Kind.INVALID_REQUEST:
        build the body anew with the lesson, and send that

`learn` returns only what is new, so that repairing comes to an end by itself.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ..models.learned import ENFORCED_SCHEMA, FORCED_FUNCTION, REASONING_BACK, Learned
from .error_body import ErrorBody, read_error, read_error_body
from .patterns import LatePattern
from .token_limits import read_token_limits

_NEEDED = frozenset({"model", "messages", "stream", "tools"})
"""Without these there is no request; a complaint about them is none about an extra."""

_REFUSES = LatePattern(
    r"not (?:support|permit|allow|enabl|accept|valid|available|a valid|empty|compatible)|n't support|cannot|unsupported"
    r"|unavailable|incompatible|unrecogni[sz]ed|unknown|unexpected|extra|forbidden|invalid|must be|should be|only"
    r"|deprecated",
    re.I,
)
_NO_IMAGES = LatePattern(
    r"not (?:a )?(?:multi-?modal|vision)|n[o']t support (?:\w+ )?(?:image|vision|visual|multi-?modal)|text[- ]only"
    r"|(?:images?|image_url|vision|multi-?modal)[`'\"]?(?: (?:input|content|part)s?)?[`'\"]? (?:is|are) (?:only|not|un)"
    r"|(?:unknown|unsupported|invalid) (?:variant|content|part|message)[^.\n]{0,40}\bimage|support image input"
    r"|at most 0 image|allowed values: \['text'\]",
    re.I,
)
_WANTS_TEXT = LatePattern(
    r"valid string|must be a string|should be a string|expected (?:a )?string|str type expected", re.I
)
_WANTS_REASONING = LatePattern(
    r"reasoning(?:_content)?\b.{0,60}(?:must be (?:passed|sent|included|provided)|is (?:missing|required))"
    r"|missing `?reasoning",
    re.I | re.S,
)
_SCHEMA = LatePattern(
    r"(?:invalid|unsupported|unknown|not a valid)[^.\n]{0,40}\bschema\b"
    r"|\bschema\b[^.\n]{0,80}(?:invalid|not (?:supported|valid))"
    r"|(?:compil|convert|pars)\w* (?:the )?(?:json )?(?:schema|grammar)|grammar[^.\n]{0,40}(?:error|fail|invalid)",
    re.I,
)


def learn(error: Any, sent: dict[str, Any], known: Learned) -> Learned | None:
    """What is known of the model after this refusal, or None if that is no more than before.

    `error` is the body of the refusal (bytes), or the error object of a stream. `sent` is the Chat Completions body
    that was refused.
    """
    said = read_error_body(error) if isinstance(error, bytes) else read_error(error)
    if limits := read_token_limits(said.text):
        lesson = replace(
            known,
            context_window=limits.window or known.context_window,
            max_output_tokens=limits.output_limit or known.max_output_tokens,
        )
    elif _refuses_images(said, sent):
        lesson = replace(known, no_images=True)
    elif _WANTS_REASONING.search(said.text):
        lesson = replace(known, reasoning_required=True)
    elif _refuses_tool_schemas(said, sent):
        lesson = replace(known, simple_schemas=True)
    else:
        lesson = replace(known, dropped_params=known.dropped_params | set(_refused_params(said, sent)))
    return None if lesson == known else lesson


def _refuses_images(said: ErrorBody, sent: dict[str, Any]) -> bool:
    """A list of parts is sent only where there is an image in it; who wants a text there wants no image."""
    if not any(part.get("type") == "image_url" for part in _parts(sent)):
        return False
    about_content = re.search(r"messages\W.*\bcontent\b", said.complaint) is not None
    return bool(_NO_IMAGES.search(said.text) or (about_content and _WANTS_TEXT.search(said.text)))


def _parts(sent: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for message in sent["messages"]:
        if isinstance(message.get("content"), list):
            yield from message["content"]


def _refuses_tool_schemas(said: ErrorBody, sent: dict[str, Any]) -> bool:
    """The answer's schema may be what is refused as well; then it is named, and given up with its field."""
    if "tools" not in sent or _names(said.complaint, "response_format"):
        return False
    return bool(_SCHEMA.search(said.text)) or any("parameters" in path for path in said.params)


def _refused_params(said: ErrorBody, sent: dict[str, Any]) -> Iterator[str]:
    """Names in the way `Learned.dropped_params` has them: of the top-level fields, and of the finer ones."""
    fields = {path.partition(".")[0] for path in said.params} & sent.keys()
    if not fields and _REFUSES.search(said.text):
        fields = {name for name in sent if any(_names(said.text, alias) for alias in _aliases(name, sent[name]))}
    for name in sorted(fields - _NEEDED):
        if name == "tool_choice" and isinstance(sent[name], dict):
            yield FORCED_FUNCTION
        elif name == "response_format" and isinstance(sent[name], dict) and sent[name].get("type") == "json_schema":
            yield ENFORCED_SCHEMA
        else:
            yield name
    sends_reasoning = any("reasoning_content" in message or "reasoning" in message for message in sent["messages"])
    if sends_reasoning and re.search(r"\breasoning(?:_content)?\b", said.complaint) and _REFUSES.search(said.text):
        yield REASONING_BACK


def _aliases(name: str, value: Any) -> Iterable[str]:
    """How a complaint may call a field: by its name, in camel case (xAI), or by what stands in it."""
    head, *tail = name.split("_")
    inner = value.keys() if name == "chat_template_kwargs" and isinstance(value, dict) else ()
    return (name, head + "".join(word.title() for word in tail), *inner)


def _names(text: str, name: str) -> bool:
    """Whether a text names a field. `stop` and `thinking` are words of English as well: they must stand like a name."""
    if name == "temperature" or "_" in name or not name.islower():
        return re.search(rf"(?<![\w.]){name}\b", text, re.I) is not None
    quoted = rf"['\"`]{name}['\"`]|\b{name} ?="
    return (
        re.search(rf"{quoted}|(?:supplied|argument|parameter|field|property)s?:? \[?{name}\b", text, re.I) is not None
    )
