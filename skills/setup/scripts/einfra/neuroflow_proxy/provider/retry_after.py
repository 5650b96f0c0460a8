"""How long a provider asks us to wait: from its headers, else from its words."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_UNITS_S = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_UNIT = r"(?:milliseconds?|ms|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|[smhd])"
# "Please try again in 7m12s" (OpenAI, Groq), "please try again after 1 seconds" (Moonshot), "Try again in 60 seconds"
# (LiteLLM, which sets no header for it).
_AMOUNT = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"
_ASKED = re.compile(rf"(?:try again|retry(?:ing)?)(?: in| after)? (?:about )?((?:{_AMOUNT}\s*{_UNIT}\s*)+)", re.I)
_PART = re.compile(rf"({_AMOUNT})\s*(milli|ms|[smhd])", re.I)
_NUMBER = re.compile(_AMOUNT)


def retry_after_s(headers: Mapping[str, str], text: str = "", *, now: float | None = None) -> float | None:
    """Seconds to wait, or None if nothing was said. Header names must be in lower case.

    A date counts from the answer's own Date header, which was set by the same clock; else from `now`.
    """
    if _NUMBER.fullmatch(value := headers.get("retry-after-ms", "").strip()) and float(value) > 0:
        return float(value) / 1000  # Azure sends 0 beside a Retry-After of 1: recording error-azure-429
    if _NUMBER.fullmatch(value := headers.get("retry-after", "").strip()):
        return float(value)
    until, since = _timestamp(value), _timestamp(headers.get("date", ""))
    since = now if since is None else since
    if until is not None and since is not None:
        return max(0.0, until - since)
    if asked := _ASKED.search(text):
        return sum(float(number) * _UNITS_S[unit.lower()] for number, unit in _PART.findall(asked[1]))
    return None


def _timestamp(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
