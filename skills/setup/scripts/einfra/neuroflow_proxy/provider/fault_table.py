"""The table of faults: which status, headers and words mean what. Data; `faults` reads it.

The first rule that applies decides, so what is more certain stands further up: words before statuses, since gateways
send almost everything under almost every status (a model that is gone as 400, an empty purse as 403 or 429). Words are
matched against all that an answer says, with its labels as lines of their own (`code=1113`, `type=tool_use_failed`).
Statuses follow what Claude Code does with each.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import SET_UP, Kind
from .error_body import ErrorBody
from .patterns import LatePattern

_MODEL_HINT = f"Choose another model with /model, or with {SET_UP}."
_MONEY_HINT = f"Add credit there, choose another model with /model, or give another key to {SET_UP}."
_URL_HINT = "Check the base URL: it is the part before /chat/completions, and usually ends in /v1."
_KEY_OR_URL_HINT = "{key_help} If the key is right: " + _URL_HINT
_QUEUE_HINT = "Other sessions or programs use the same key: end some of them, or wait."
_SLOW_HINT = "Try again, or choose a faster model with /model."
_RESTART_HINT = "It may be restarting: try again in a minute."


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: applies where all of its conditions hold. `lead` says what happened; the provider's words follow it.

    `lead` and `hint` name `{provider}`, `{model}`, `{key_help}` and `{location}`, the target of a redirect.
    """

    kind: Kind
    lead: str
    hint: str = ""
    status: frozenset[int] | None = None
    says: LatePattern | None = None
    header: tuple[str, LatePattern] | None = None
    is_page: bool = False
    should_retry: bool | None = None

    def applies(self, status: int, headers: Mapping[str, str], body: ErrorBody) -> bool:
        return (
            (self.status is None or status in self.status)
            and (not self.is_page or body.is_page)
            and (self.header is None or self.header[1].search(headers.get(self.header[0], "")) is not None)
            and (self.says is None or self.says.search(body.text) is not None)
        )


def _words(*patterns: str) -> LatePattern:
    return LatePattern("|".join(patterns), re.IGNORECASE | re.MULTILINE)


def _statuses(*parts: int | range) -> frozenset[int]:
    return frozenset(status for part in parts for status in ([part] if isinstance(part, int) else part))


_GOOD = _statuses(range(200, 300))
_REDIRECT = _statuses(range(300, 400))
_CLIENT = _statuses(range(400, 500))
_SERVER = _statuses(range(500, 600))
_LOGIN = _words(r"\b(?:log|sign) ?-?(?:in|on)\b", "login|signin|/auth|/sso|oauth|saml|shibboleth|captive portal")

RULES = (
    # In front of the API: logins, portals, wrong addresses.
    Rule(
        Kind.AUTHENTICATION,
        "{provider} redirects to a login page ({location})",
        _KEY_OR_URL_HINT,
        status=_REDIRECT,
        header=("location", _LOGIN),
        should_retry=False,
    ),
    Rule(
        Kind.SETTINGS,
        "{provider} is not at this base URL but redirects to {location}",
        _URL_HINT,
        status=_REDIRECT,
        should_retry=False,
    ),
    Rule(
        Kind.AUTHENTICATION,
        "A login page answered instead of {provider}",
        _KEY_OR_URL_HINT,
        status=_GOOD | {401},
        says=_LOGIN,
        is_page=True,
        should_retry=False,
    ),
    Rule(Kind.BROKEN_ANSWER, "A web page answered instead of {provider}", _URL_HINT, status=_GOOD, is_page=True),
    # The conversation.
    Rule(
        Kind.INVALID_REQUEST,
        "{provider}'s content filter refused the conversation",
        "Rephrase it, or choose another model with /model.",
        status=_CLIENT,
        says=_words(
            r"content[_ ]?filter|DataInspectionFailed|ResponsibleAIPolicy|content_?policy|content management policy",
            r"violates (?:our |the )?(?:usage|content)|usage guidelines|inappropriate content|code=1301\b",
        ),
    ),
    Rule(
        Kind.BROKEN_ANSWER,  # so that it is tried again: the model writes something else then
        "{model} wrote a tool call that {provider} could not read",
        "Trying again usually helps.",
        says=_words("tool_use_failed"),
    ),
    Rule(
        Kind.INVALID_REQUEST,
        "{model} cannot call tools at {provider}, and Claude Code cannot work without them",
        _MODEL_HINT,
        status=_CLIENT,
        says=_words(
            r"\b(?:tools?|tool calling|tool use|function calling|functions)['\"`]? (?:is|are) not supported",
            r"not support (?:tools?|tool use|tool calling|function calling|functions)\b",
            r"endpoints found that support tool use|tool choice requires --enable-auto-tool-choice",
        ),
    ),
    Rule(
        Kind.INVALID_REQUEST,
        "{model} cannot see images",
        "Remove them, or choose another model with /model.",
        status=_CLIENT,
        says=_words(r"endpoints found that support image input"),
    ),
    # Quotas, money, rights.
    Rule(
        Kind.RATE_LIMIT,
        "One request is larger than what {provider} lets this key send in a minute",
        "Waiting does not help: make the conversation smaller with /compact, or use a key with a larger quota.",
        status=_statuses(400, 413, 429),
        says=_words(r"request too large for .{0,200}(?:per min|TPM)"),
        should_retry=False,
    ),
    Rule(Kind.BILLING, "The account at {provider} has no credit", _MONEY_HINT, status=_statuses(402)),
    Rule(
        Kind.BILLING,
        "The account at {provider} has no credit, or the budget of this key is used up",
        _MONEY_HINT,
        status=_statuses(400, 401, 403, 429),
        says=_words(
            r"insufficient[_ ](?:balance|quota|credit|funds)|not enough (?:balance|credit)|balance is too low",
            r"exceeded(?:_|\ your |\ )current[_ ]quota|budget[_ ](?:has been )?exceeded|Exceeded\w*Budget|over budget",
            r"payment is past due|payment required|out of credits|requires more credits|in arrears",
            r"code=1113\b|余额不足|欠费",
        ),
    ),
    Rule(
        Kind.PERMISSION,
        "This key may not use {model} at {provider}",
        _MODEL_HINT,
        status=_statuses(400, 401, 403, 404, 429),
        says=_words(
            r"model_access_denied|not allowed to access model|can only access models|code=1311\b",
            r"plan does not (?:yet )?include|does not have access to (?:the )?model",
        ),
    ),
    Rule(
        Kind.RATE_LIMIT,
        "The quota of this key at {provider} is used up for now",
        "Waiting a minute does not help: come back when it is renewed, or choose another key or model.",
        status=_statuses(403, 429),
        says=_words(
            r"usage limit (?:has been )?reached|reached your (?:usage|\w+ly) limit|code=13(?:08|10)\b",
            r"per[- ](?:day|week|month)\b|\b(?:daily|weekly|monthly) (?:quota|limit)|\b[RT]PD\b",
        ),
        should_retry=False,
    ),
    # The model.
    Rule(
        Kind.OVERLOADED,
        "{model} is not running at {provider} just now",
        "Try again in a while, or choose another model with /model.",
        says=_words(
            r"no healthy (?:deployment|upstream)|no (?:deployments|providers|workers?|servers?) (?:are )?available",
            r"no available (?:workers?|servers?|channels?|deployments?)",
            r"model is (?:currently )?(?:loading|down|starting)",
        ),
    ),
    Rule(
        Kind.NOT_FOUND,
        "{provider} has no model {model}",
        _MODEL_HINT,
        status=_statuses(400, 404, 410, 422),
        says=_words(
            r"model_not_found|model_decommissioned|DeploymentNotFound|deployment for this resource|code=1211\b",
            r"invalid model name|no such model|unknown model|not supported model|supported API model names",
            r"\bmodel\b.{0,120}(?:does not exist|not (?:found|exist)\b|no longer available)",
            r"\bmodel \S+ (?:was|is|has been) (?:deprecated|decommissioned|retired|removed)",
            r"no endpoints found for|model .{0,80} is not (?:available|supported by)",
        ),
    ),
    # The key.
    Rule(Kind.AUTHENTICATION, "{provider} refused the API key", "{key_help}", _statuses(401), should_retry=False),
    Rule(
        Kind.AUTHENTICATION,
        "{provider} refused the API key",
        "{key_help}",
        status=_statuses(400, 403, 500),
        says=_words(
            r"invalid[_ ](?:x-)?api[_ -]?key|api[_ ]key (?:is )?(?:not valid|invalid|expired|not found)",
            r"incorrect api key|no api key passed|expired_key|token_not_found_in_db|unauthorized",
            r"authentication (?:error|failed)|invalid (?:authentication|token|proxy server token)",
            r"type=no_db_connection",  # a LiteLLM without a database, of any key but its own
        ),
        should_retry=False,
    ),
    Rule(
        Kind.PERMISSION,
        "Something in front of {provider} blocks the request",
        "A firewall or bot check does this: try another network or VPN.",
        status=_statuses(403),
        is_page=True,
    ),
    Rule(
        Kind.PERMISSION,
        "{provider} does not permit this",
        "The key may lack a right, or the network may be blocked. " + _MODEL_HINT,
        status=_statuses(403, 451),
    ),
    Rule(
        Kind.NOT_FOUND,
        "{provider} does not know the address or the model {model}",
        f"{_URL_HINT} {_MODEL_HINT}",
        status=_statuses(404, 405, 410),
    ),
    # Load.
    Rule(
        Kind.RATE_LIMIT,
        "The queue of your key at {provider} is full",
        _QUEUE_HINT,
        status=_statuses(429),
        header=("x-rate-limit-queue-status", _words("full")),
    ),
    Rule(
        Kind.RATE_LIMIT,
        "The request waited too long in {provider}'s queue for your key",
        _QUEUE_HINT,
        status=_statuses(429),
        header=("x-rate-limit-queue-status", _words("timeout")),
    ),
    Rule(Kind.RATE_LIMIT, "{provider} limits how often it may be asked", status=_statuses(429)),
    Rule(
        # Not `TOO_LARGE`: on a 413 Claude Code asks for a summary of nearly all of it, once, and gives up if that is
        # too large as well; on these words it takes away more and more. Mostly it is a web server's limit in bytes.
        Kind.CONTEXT_TOO_LONG,
        "prompt is too long: {provider} takes no request of this size",
        "Make the conversation smaller with /compact.",
        status=_statuses(413),
    ),
    Rule(Kind.TIMEOUT, "{provider} gave up waiting for {model}", _SLOW_HINT, _statuses(408, 504, 522, 524)),
    Rule(
        Kind.TIMEOUT,
        "{provider} gave up waiting for {model}",
        _SLOW_HINT,
        status=_SERVER,
        says=_words(r"\btimed? ?-?out\b|Timeout(?:Error)?\b"),
    ),
    Rule(Kind.OVERLOADED, "{provider} is overloaded or restarting", status=_statuses(503, 529)),
    Rule(
        Kind.UNREACHABLE,
        "{provider} cannot reach {model}",
        _RESTART_HINT,
        status=_statuses(502, range(520, 528), 530),
    ),
    Rule(
        Kind.UNREACHABLE,
        "{provider} cannot reach {model}",
        _RESTART_HINT,
        status=_statuses(500),
        says=_words(
            r"connection (?:error|refused|reset|closed|aborted)|cannot connect|server disconnected|bad gateway"
        ),
    ),
    # Whatever is left.
    Rule(Kind.BROKEN_ANSWER, "{provider} failed", status=_SERVER),
    Rule(Kind.INVALID_REQUEST, "{provider} refused the request", status=_CLIENT),
    Rule(Kind.BROKEN_ANSWER, "The answer of {provider} cannot be read", _URL_HINT),
)

# What the labels of a body say where no status stands: in a stream, or under 200.
STATUS_WORDS = tuple(
    (status, _words(rf"^(?:type|code)=\S*(?:{names})"))
    for status, names in (
        (401, "authentication|auth_error|unauthorized|invalid_api_key"),
        (403, "permission|forbidden|content_filter"),
        (404, "not_?found"),
        (429, "rate_?limit|too_many_requests|throttl"),
        (503, "overloaded|unavailable|capacity"),
        (504, "time_?out"),
        (400, "invalid_request|bad_?request|unprocessable|validation|invalid_param"),
    )
)
