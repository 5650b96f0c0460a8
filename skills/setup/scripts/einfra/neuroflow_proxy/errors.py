"""Every way in which this program can refuse or fail, and the one table that says what each means outside.

    ProxyError
    ├── SettingsError            settings missing or invalid
    ├── RequestError             the client's request cannot be translated
    ├── UpstreamError            the provider refused, failed or broke off (`kind` says which)
    │   └── TooManyOutputTokens  … and the same with a smaller `max_tokens` fits; in provider/faults.py
    ├── InstanceError            a proxy could not be started, found or stopped
    ├── NeedsTerminal            a question would have to be asked and there is nobody to ask
    └── UsageError               the command line is not valid; in flags.py
    StreamStateError             a bug of ours: a stage was driven out of order; never caught

A `ProxyError` carries a `message` (what failed) and a `hint` (what to do now). Both are shown to people and to
agents and therefore never hold a key or any part of a conversation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

SET_UP = "`scripts/setup` (with the plugin: /neuroflow:setup)"
"""How a hint of the proxy names set-up: it does not know by which way it came to whoever reads it."""


class Kind(StrEnum):
    """What went wrong, in the terms in which it is decided what to do about it."""

    INVALID_REQUEST = "invalid_request"
    CONTEXT_TOO_LONG = "context_too_long"
    AUTHENTICATION = "authentication"
    BILLING = "billing"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    BROKEN_ANSWER = "broken_answer"
    BUG = "bug"
    STOPPED = "stopped"
    SETTINGS = "settings"
    INSTANCE = "instance"
    NEEDS_TERMINAL = "needs_terminal"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a kind of error becomes: an HTTP status, the Messages API's `error.type`, a process exit code."""

    status: int
    error_type: str
    exit_code: int


# Statuses follow what Claude Code does with each: 401/429/5xx are retried by it, 400/402/403/404/413 are not; 503 gets
# its full ladder of retries where 529 gets only three.
OUTCOMES: dict[Kind, Outcome] = {
    Kind.INVALID_REQUEST: Outcome(400, "invalid_request_error", 2),
    Kind.CONTEXT_TOO_LONG: Outcome(400, "invalid_request_error", 2),
    Kind.AUTHENTICATION: Outcome(401, "authentication_error", 4),
    Kind.BILLING: Outcome(402, "billing_error", 4),
    Kind.PERMISSION: Outcome(403, "permission_error", 4),
    Kind.NOT_FOUND: Outcome(404, "not_found_error", 4),
    Kind.TOO_LARGE: Outcome(413, "request_too_large", 2),
    Kind.RATE_LIMIT: Outcome(429, "rate_limit_error", 5),
    Kind.OVERLOADED: Outcome(503, "overloaded_error", 5),
    Kind.TIMEOUT: Outcome(504, "timeout_error", 5),
    Kind.UNREACHABLE: Outcome(502, "api_error", 5),
    Kind.BROKEN_ANSWER: Outcome(502, "api_error", 5),
    Kind.BUG: Outcome(500, "api_error", 1),
    Kind.STOPPED: Outcome(503, "api_error", 5),
    Kind.SETTINGS: Outcome(500, "api_error", 3),
    Kind.INSTANCE: Outcome(500, "api_error", 6),
    Kind.NEEDS_TERMINAL: Outcome(500, "api_error", 7),
}
INTERRUPTED_EXIT_CODE = 130


class ProxyError(Exception):
    """The root of all errors that are told to somebody."""

    kind: Kind = Kind.INVALID_REQUEST

    def __init__(self, message: str, *, hint: str = "", kind: Kind | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if kind is not None:
            self.kind = kind

    @property
    def outcome(self) -> Outcome:
        return OUTCOMES[self.kind]

    @property
    def full_message(self) -> str:
        """The message and the hint as one text, for places that have room for only one."""
        return f"{self.message} {self.hint}".strip()


class SettingsError(ProxyError):
    """Settings are missing or invalid."""

    kind = Kind.SETTINGS


class RequestError(ProxyError):
    """The client's request cannot be translated; the message names the field.

    `details` stand in the error's body, for clients that read them and ask in another way.
    """

    kind = Kind.INVALID_REQUEST

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        kind: Kind | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, kind=kind)
        self.details = details


class UpstreamError(ProxyError):
    """The provider refused, failed, or broke off; `kind` says which.

    `retry_after_s` is passed on as the Retry-After header. `should_retry` is passed on as `x-should-retry` where it
    is not None; Claude Code then retries, or stops retrying, against its own table.
    """

    kind = Kind.BROKEN_ANSWER

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        kind: Kind | None = None,
        retry_after_s: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message, hint=hint, kind=kind)
        self.retry_after_s = retry_after_s
        self.should_retry = should_retry


class InstanceError(ProxyError):
    """A proxy could not be started, found or stopped."""

    kind = Kind.INSTANCE


class NeedsTerminal(ProxyError):
    """A question would have to be asked, and there is no terminal to ask on; the hint names the flag."""

    kind = Kind.NEEDS_TERMINAL


class StreamStateError(RuntimeError):
    """A stage was driven out of order. A bug of ours."""
