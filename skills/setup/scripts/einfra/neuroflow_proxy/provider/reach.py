"""The way to a provider, step by step, to find out where it ends: its name, the connection, its certificate.

The same certificates are trusted as by the client, and the same proxy of the institution is asked.
"""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import SplitResult, urlsplit

from ..errors import SettingsError
from ..wire.hosts import is_this_machine
from .certificates import tls_context
from .network import port_of, proxy_for

_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way. `mend` says what to do, if the way ends here."""

    name: str
    message: str
    mend: str = ""


def steps_to(base_url: str) -> Iterator[Step]:
    """Go the way to the provider until it is at its end, or until a step cannot be made."""
    target = urlsplit(base_url)
    through = _http_proxy(target)
    if through:
        yield Step("HTTP proxy", f"Requests to {target.hostname} go through {through.hostname}, which finds it.")
    first = through or target
    host, port = first.hostname or "", port_of(first)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield Step(
            "DNS", f"No address is known of {host}: {error.strerror}.", "See whether this machine has a network."
        )
        return
    if not is_this_machine(f"//{host}"):
        yield Step("DNS", f"{host} is {', '.join(dict.fromkeys(str(address[0]) for *_, address in found))}.")
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection:
            if target.scheme == "https" and not through:
                yield _certificate(connection, host)
    except OSError as error:
        reason = "it did not answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        yield Step(
            "network",
            f"No connection to {host} on port {port}: {reason}.",
            "See whether it is up, and whether a firewall or an HTTP proxy (HTTPS_PROXY) is in between.",
        )


def _http_proxy(target: SplitResult) -> SplitResult | None:
    """The institution's proxy, if requests to this host go through one."""
    host = target.hostname or ""
    through = proxy_for(target.scheme, host)
    return urlsplit(through) if through else None


def _certificate(connection: socket.socket, host: str) -> Step:
    try:
        with tls_context().wrap_socket(connection, server_hostname=host) as tls:
            certificate = tls.getpeercert() or {}
            until = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
            return Step("TLS", f"{host} proves who it is ({tls.version()}), until {until:%d %B %Y}.")
    except ssl.SSLCertVerificationError as error:
        return Step(
            "TLS",
            f"{host} does not prove who it is: {error.verify_message}.",
            "Where an institution looks into connections, SSL_CERT_FILE must name a file with its certificate. "
            "Otherwise, do not send a key there.",
        )
    except SettingsError as error:
        return Step("TLS", error.message, error.hint)
    except OSError as error:
        return Step("TLS", f"{host} speaks no TLS there: {error.strerror or error}.", "See whether the URL is right.")
