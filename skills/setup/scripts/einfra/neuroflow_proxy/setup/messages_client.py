"""A small client of the Messages API, for what set-up itself asks: one answer, event by event.

It asks the proxy, or a provider that has a Messages API of its own. There the institution's HTTP proxy is honoured, and
a redirect is refused: it must never carry the key to another host.
"""

import http.client
from collections.abc import Generator
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from ..errors import OUTCOMES, Kind, UpstreamError
from ..wire.codec import InvalidJSON, dumps, loads
from ..wire.hosts import is_this_machine
from ..wire.messages_api import JSON
from ..wire.sse import SSEDecoder

_READ_SIZE = 65536
# The first that each type stands for; `api_error` says nothing.
_KINDS = {outcome.error_type: kind for kind, outcome in reversed(OUTCOMES.items()) if outcome.error_type != "api_error"}
_VERSION = "2023-06-01"  # the only one that there is; some services insist on it


def stream(base_url: str, token: str, body: JSON, *, timeout_s: float) -> Generator[JSON, None, None]:
    """Ask for a message; its events, as they come.

    Raises `UpstreamError` if it is refused, ends in an error, breaks off, or nothing comes for `timeout_s`.
    """
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {token}",
        "anthropic-version": _VERSION,
    }
    request = Request(f"{base_url}/v1/messages", dumps({**body, "stream": True}), headers)  # noqa: S310 - checked URL
    try:
        with _opener(base_url).open(request, timeout=timeout_s) as response:
            decoder = SSEDecoder()
            while data := response.read1(_READ_SIZE):
                for _, raw in decoder.feed(data):
                    event = loads(raw)
                    if event["type"] == "error":
                        raise _refusal(raw)
                    yield event
    except HTTPError as error:
        with error:
            raise _refusal(error.read()) from error
    except TimeoutError as error:
        raise UpstreamError(f"No answer within {timeout_s:.0f} s.", kind=Kind.TIMEOUT) from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise UpstreamError(f"The connection to {base_url} broke: {reason}.", kind=Kind.BROKEN_ANSWER) from error


def _refusal(body: bytes) -> UpstreamError:
    """The other side's own words for what went wrong."""
    try:
        error = loads(body)["error"]
        words, kind = error["message"], _KINDS.get(str(error.get("type")), Kind.BROKEN_ANSWER)
    except (InvalidJSON, KeyError, TypeError, AttributeError):
        words, kind = "It answered with something that is no message.", Kind.BROKEN_ANSWER
    return UpstreamError(f"The request was refused: {words}", kind=kind)


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *told: object) -> None:
        return None


def _opener(base_url: str) -> OpenerDirector:
    """With the proxies of the environment, but for this machine with none."""
    return build_opener(_NoRedirect, *([ProxyHandler({})] if is_this_machine(base_url) else []))
