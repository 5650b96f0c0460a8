"""What a provider's failure means: from status, headers and words to the `UpstreamError` to raise.

`classify` takes a failed answer (any status from 300 on, and also a 200 whose body is an error, a web page or nothing),
`classify_stream_error` an error object out of a stream. The error's kind decides the HTTP status and with it what
Claude Code does; its message keeps the provider's own words and its hint says what to do. Nothing here waits, retries
or repairs: see `retry` and `learning`. What means what is said in one place, `fault_table`.

A conversation that does not fit becomes `Kind.CONTEXT_TOO_LONG`, in the words on which Claude Code compacts by itself.
Where only `max_tokens` is too large it is a `TooManyOutputTokens`, and the caller sends the request once more with
`max_tokens` set to `error.fitting(estimate)`, unless that is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..errors import SET_UP, Kind, UpstreamError
from ..presets import PRESETS
from .error_body import ErrorBody, read_error, read_error_body
from .fault_table import RULES, STATUS_WORDS
from .retry_after import retry_after_s
from .token_limits import TokenLimits, read_token_limits

LONGEST_RETRY_AFTER_S = 60.0
"""Told to wait longer, Claude Code ends the turn at once."""

LEAST_ROOM = 1024
"""With fewer tokens left for the answer it is the conversation that is too long, not `max_tokens` too large."""

_MARGIN = 64  # SGLang wants the sum to stay below its window
_ESTIMATE_MARGIN = 0.15  # tokenizers differ
_NEVER_ABOUT_LENGTH = frozenset({401, 402, 403, 404, 429})


class TooManyOutputTokens(UpstreamError):
    """`max_tokens` is more than the model may write, or more than its window has left.

    The message is there for when the repair fails too: Claude Code then lowers `max_tokens`, or compacts.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: Kind,
        limit: int | None = None,
        window: int | None = None,
        input_tokens: int | None = None,
        input_above: int = 0,
    ) -> None:
        super().__init__(message, kind=kind)
        self.limit = limit
        """The most that the model may write, whatever the prompt."""
        self.window = window
        self.input_tokens = input_tokens
        self.input_above = input_above
        """Where the provider stopped counting the prompt; 0 if it counted it, or said nothing of it."""

    def fitting(self, estimated_input_tokens: int, least: int = LEAST_ROOM) -> int | None:
        """The `max_tokens` with which the same request fits; None if that would leave less than `least` for the answer.

        The estimate counts only where the provider did not say how long the prompt is.
        """
        if self.window is None:
            return self.limit
        prompt = self.input_tokens
        if prompt is None:
            prompt = round(max(estimated_input_tokens, self.input_above) * (1 + _ESTIMATE_MARGIN))
        room = self.window - prompt - _MARGIN
        return room if room >= least else None


@dataclass(frozen=True, slots=True)
class _Answer:
    """A failed answer as it is judged. `status` is None where neither the answer nor its body named one."""

    status: int | None
    headers: Mapping[str, str]
    body: ErrorBody
    provider: str
    model: str


def classify(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    provider: str,
    model: str,
    now: float | None = None,
) -> UpstreamError:
    """The error that a failed answer means.

    `now` is the wall clock, needed for a Retry-After that is a date in an answer without a date of its own.
    """
    said = read_error_body(body)
    headers = {name.lower(): value for name, value in headers.items()}
    is_good = status < 300 and not said.is_page and said.text != ""  # and yet it is not: the body is an error
    return _judge(_Answer(said.status if is_good else status, headers, said, provider, model), now)


def classify_stream_error(error: Any, *, provider: str, model: str) -> UpstreamError:
    """The error that an error object in a stream means; `error` is that object as it stood there."""
    said = read_error(error)
    return _judge(_Answer(said.status, {}, said, provider, model), None)


def _judge(answer: _Answer, now: float | None) -> UpstreamError:
    status, headers, body = answer.status, answer.headers, answer.body
    if status is None:
        status = next((status for status, words in STATUS_WORDS if words.search(body.text)), 500)
    if status not in _NEVER_ABOUT_LENGTH and not body.is_page and (limits := read_token_limits(body.text)):
        return _does_not_fit(limits, answer)
    rule = next(rule for rule in RULES if rule.applies(status, headers, body))
    names = {
        "provider": answer.provider,
        "model": answer.model,
        "location": _without_query(headers.get("location", "")),
        "key_help": _key_help(answer.provider),
    }
    message, hint = rule.lead.format_map(names), rule.hint.format_map(names)
    if answer.status is not None and answer.status >= 300:
        message = f"{message} ({answer.status})"
    wait_s = retry_after_s(headers, body.text, now=now)
    should_retry = False if headers.get("x-should-retry") == "false" else rule.should_retry
    if wait_s is not None and wait_s > LONGEST_RETRY_AFTER_S:
        should_retry = False
        hint = f"Wait {_for_people(wait_s)}. {hint}".rstrip()
    return UpstreamError(
        _sentence(f"{message}: {body.message}" if body.message else message),
        hint=hint,
        kind=rule.kind,
        retry_after_s=wait_s if rule.kind in (Kind.RATE_LIMIT, Kind.OVERLOADED, Kind.UNREACHABLE) else None,
        should_retry=should_retry,
    )


def _does_not_fit(limits: TokenLimits, answer: _Answer) -> UpstreamError:
    if limits.output_limit is not None and not limits.too_long:
        asked = "what was asked for" if limits.output_tokens is None else limits.output_tokens
        return TooManyOutputTokens(
            # Words that make Claude Code ask for less by itself.
            f"max_tokens: {asked} > {limits.output_limit}, which is the maximum allowed number of output tokens for"
            " this model",
            kind=Kind.INVALID_REQUEST,
            limit=limits.output_limit,
        )
    message = _too_long(limits, answer)
    counted = limits.input_above if limits.input_tokens is None else limits.input_tokens
    if (
        limits.window is None
        or (counted is None and limits.too_long)
        or (limits.output_tokens or 0) <= LEAST_ROOM
        or limits.window - (counted or 0) < LEAST_ROOM + _MARGIN
    ):
        return UpstreamError(message, kind=Kind.CONTEXT_TOO_LONG)
    return TooManyOutputTokens(
        message,
        kind=Kind.CONTEXT_TOO_LONG,
        window=limits.window,
        input_tokens=limits.input_tokens,
        input_above=limits.input_above or 0,
    )


def _too_long(limits: TokenLimits, answer: _Answer) -> str:
    """The words on which Claude Code compacts: 2.1.330 looks for "prompt is too long" anywhere, and in exactly this
    form for the two numbers, which tell it how much has to go.
    """
    window, length = limits.window, limits.input_tokens
    if window is None or length is None or length <= window:
        length = limits.total
    if window is not None and length is not None and length >= window:
        # SGLang refuses even a sum that equals its window.
        return f"prompt is too long: {length} tokens > {min(window, length - 1)} maximum"
    known = f", whose window is {window} tokens" if window else ""
    words = f" {answer.provider}: {_sentence(answer.body.message)}" if answer.body.message else ""
    return f"prompt is too long for {answer.model}{known}.{words}"


def _key_help(provider: str) -> str:
    preset = next((preset for preset in PRESETS if preset.name == provider), None)
    where = preset.where_keys_are_made if preset else "Keys are made on the provider's site."
    return f"Give another key to {SET_UP}. {where}"


def _without_query(location: str) -> str:
    """An address fit to be shown: queries of login pages hold tickets."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "what is no address"
    return f"{parts.scheme}://{parts.hostname}{parts.path}" if parts.hostname else parts.path


def _sentence(words: str) -> str:
    return words if words.endswith((".", "!", "?", "…", "。")) else f"{words}."


def _for_people(seconds: float) -> str:
    if seconds < 120:
        return f"{round(seconds)} seconds"
    return f"{round(seconds / 60)} minutes" if seconds < 7200 else f"{round(seconds / 3600)} hours"
