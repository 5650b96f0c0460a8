"""A provider's base URL, from whatever form of it people have at hand. Pure."""

import re
from urllib.parse import urlsplit

from ..errors import Kind, ProxyError
from ..wire.hosts import is_this_machine

# Often copied along with the base.
_ENDPOINT = re.compile(r"/+(chat/completions|models)?/*$")


def to_base_url(text: str) -> str:
    """The part before /chat/completions, from a host, a base URL or a full endpoint. A bare host gets its `/v1`."""
    text = text.strip()
    try:
        if "://" not in text and (is_this_machine(f"//{text}") or re.match(r"[^/]*[.:]", text)):
            text = f"{'http' if is_this_machine(f'//{text}') else 'https'}://{text}"
        parts = urlsplit(text)
        is_plain = not (parts.username or parts.password or parts.query or parts.fragment or re.search(r"\s", text))
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bad port, or half an IPv6 address
        is_plain = is_url = False
    if not (is_plain and is_url):
        # Not quoted: it may be a key in the wrong place, or hold a password.
        raise ProxyError(
            "The base URL is not a plain http(s) URL.",
            hint="It looks like https://llm.ai.e-infra.cz/v1: the part before /chat/completions.",
            kind=Kind.INVALID_REQUEST,
        )
    base = _ENDPOINT.sub("", f"{parts.scheme}://{parts.netloc}{parts.path}")
    return base if parts.path.strip("/") else f"{base}/v1"
