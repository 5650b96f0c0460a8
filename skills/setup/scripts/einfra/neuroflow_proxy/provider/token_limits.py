"""What an error text says about token limits: the numbers, whatever the wording, and whether it is about them at all.

Every backend has its own sentence for "this does not fit", and each sentence names some of four numbers. They are
looked for one by one, so that a new arrangement of known phrases is understood as well. Nothing is guessed: a number
that the text does not name stays None.
"""

import re
from dataclasses import dataclass

from .patterns import LatePattern

_N = r"[~(]? ?(?<!\d)(\d{1,3}(?:,\d{3})+|\d{1,9})(?!\d)"
_MAX_TOKENS = r"`?'?max_(?:completion_|output_)?tokens'?`?"


def _first_of(*patterns: str) -> tuple[LatePattern, ...]:
    return tuple(
        LatePattern(pattern.replace("{N}", _N).replace("{MAX_TOKENS}", _MAX_TOKENS), re.I) for pattern in patterns
    )


# input + max_tokens > window, all in one (Anthropic; vLLM turns it round).
_SUM = LatePattern(r"exceed context limit: (\d+) \+ (\d+) > (\d+)", re.I)

_WINDOW = _first_of(
    r"maximum (?:context|model|prompt|sequence|allowed)(?: input)? (?:length|limit|size|window)\s*(?:is|of|=|:)?\s*{N}",
    r"{N} maximum context length",
    r"(?:context|prompt) (?:length|size|window|limit) (?:is |of |is only )?{N}",
    r"token limit:? {N}",
    r"tokens > {N}",
    r"\blimit (?:is|of) {N}",
    r"input length should be \[\d+, {N}\]",
    r"maximum number of (?:input )?tokens allowed {N}",
    r"max_(?:model_len|total_tokens|seq_len)\D{0,12}=\s*{N}",
    r"only supports up to {N}",
    r"`inputs` tokens \+ `max_new_tokens` must be <= {N}",
    r"maximum input length (?:is|of) {N}",
)
_INPUT = _first_of(
    r"{N} in the messages",
    r"{N}(?: tokens)? (?:from|of|in) (?:the |your )?(?:input messages|text input|prompt|messages)\b",
    r"{N} input\b",
    r"{N} `inputs` tokens",
    r"(?:input|request) {N} tokens\)",
    r"input length {N}",
    r"(?:prompt|request) contains {N} tokens",
    r"(?:prompt|input) is too long: {N}",
    r"current length is {N}",
    r"(?:prompt |input )?token count (?:of )?{N}",
    r"resulted in {N} tokens",
    r"requested {N} tokens in the messages",
)
# A prompt so long that the server did not count it to its end: more than so many.
_INPUT_ABOVE = _first_of(
    r"upper bound for {N} input tokens",
    r"resulting in a maximum input length of {N} tokens",
)
_OUTPUT = _first_of(
    r"{N} (?:in the|in your|tokens for the) completion",
    r"requested {N} output tokens",
    r"\+ {N} output\b",
    r"{N} in the output\b",
    r"{N} `max_new_tokens`",
    r"{MAX_TOKENS} is too large: {N}",
    r"{MAX_TOKENS}(?: =|=|:) ?{N}",
    r"whereas you provided {N}",
)
_TOTAL = _first_of(
    r"requested (?:a total of |about )?{N} tokens(?! in the messages)",
    r"\(requested: {N}\)",
)
# How much the model may write, whatever the prompt.
_OUTPUT_LIMIT = _first_of(
    r"{MAX_TOKENS}: \d+ > {N}, which is the maximum",
    r"{MAX_TOKENS}: integer above maximum value\. Expected a value <= {N}",
    r"at most {N} (?:completion|output) tokens",
    r"range of {MAX_TOKENS} (?:is|should be) \[\d+, {N}\]",
    r"{MAX_TOKENS} (?:value )?(?:must|should|has to) be (?:(?:less|lower) than or equal to|at most|<=) `?{N}",
    r"{MAX_TOKENS} (?:value )?(?:exceeds|is greater than|cannot exceed|must not exceed)[^.\d]{0,40}{N}",
    r"max(?:imum)? (?:output|completion) tokens (?:is|of|:|must be less than or equal to) ?{N}",
)

_TOO_LONG = LatePattern(
    "|".join(
        (
            r"context_length_exceeded|context_window_exceeded|ContextWindowExceeded|exceed_context_size",
            r"too_many_prompt_tokens|prompt_too_long|code=1261\b",
            r"prompt (?:is )?too long|input (?:is |length )?too long|input token length too long",
            r"maximum (?:context|prompt|model|sequence) (?:length|limit|window|size)|context length is only",
            r"longer than the (?:model'?s? |maximum )|greater than the context length|exceeds? max length",
            r"exceeds? (?:the |this |your )?(?:model'?s? |available |maximum )*(?:context|token limit|input length)",
            r"exceeded model token limit|context window exceeds|maximum prompt length|prompt exceeds",
            r"exceeds? the maximum (?:allowed (?:input )?length|number of (?:input )?tokens)",
            r"reduce the length of (?:the |your )?(?:messages|prompt|input|conversation)",
            r"length of all messages is too long|input tokens exceed|input token count .{0,40}exceeds",
            r"too many (?:input|prompt) tokens|but model only supports up to|token count of \d+ exceeds",
            r"range of input length should be|`inputs` tokens \+ `max_new_tokens` must be",
            # vLLM takes the prompt from the window and complains of what is left: error-vllm-max-tokens-negative.
            r"max_(?:completion_)?tokens must be (?:at least 1|greater than 0|positive)\W+got -",
        )
    ),
    re.I,
)
# Lengths of other things than the conversation.
_OTHER_LENGTH = LatePattern(
    r"string too long|string_above_max_length|expected maxlength"
    r"|\b(?:name|id|description|pattern|url|stop)['\"`]? (?:is too long|exceeds the maximum allowed length)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """The numbers of one complaint. None where the text does not name it."""

    window: int | None = None
    """How much prompt and answer may be together."""
    input_tokens: int | None = None
    input_above: int | None = None
    """Set instead of `input_tokens` where the server stopped counting: the prompt is longer than this."""
    output_tokens: int | None = None
    """The `max_tokens` that was asked for."""
    total: int | None = None
    """Prompt and answer together, or at least."""
    output_limit: int | None = None
    """The most that may be asked for, whatever the prompt."""
    too_long: bool = False
    """The words say that the conversation does not fit."""


def read_token_limits(text: str) -> TokenLimits | None:
    """The token limits that an error text complains about; None if it is about something else."""
    if triple := _SUM.search(text):
        prompt, answer, both = map(int, triple.groups())
        return TokenLimits(both, prompt, None, answer, total=prompt + answer, too_long=True)
    too_long = bool(_TOO_LONG.search(text)) and not _OTHER_LENGTH.search(text)
    output_limit = _number(_OUTPUT_LIMIT, text)
    output_over_window = re.search(r"max_(?:completion_)?tokens=\d+ ?cannot be greater than", text)
    if not (too_long or output_limit or output_over_window):
        return None
    window, output_tokens = _number(_WINDOW, text), _number(_OUTPUT, text)
    input_tokens, input_above = _number(_INPUT, text), _number(_INPUT_ABOVE, text)
    if window and output_tokens and input_tokens == window - output_tokens + 1:
        # vLLM cuts the prompt here before it counts, so this is where it stopped and not what it found, whether it
        # says "at least" or not (error-vllm-context-output-and-input).
        input_above = input_tokens - 1
    if input_above is not None:
        input_tokens = None
    total = _number(_TOTAL, text)
    if total is not None and output_tokens is not None and input_above is None:
        input_tokens = total - output_tokens  # OpenRouter splits the input further
    if total is None and (least_input := input_tokens if input_above is None else input_above + 1) is not None:
        total = least_input + (output_tokens or 0)
    return TokenLimits(window, input_tokens, input_above, output_tokens, total, output_limit, too_long)


def _number(patterns: tuple[LatePattern, ...], text: str) -> int | None:
    for pattern in patterns:
        if match := pattern.search(text):
            return int(match[1].replace(",", ""))
    return None
