"""Which hosts are this machine itself. Pure: names and addresses are judged as they are written, nobody is asked."""

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit


@lru_cache(maxsize=64)
def is_loopback(name: str) -> bool:
    """Whether a host name or an address is this machine's own."""
    name = name.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761: never anywhere else
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    # A socket that listens for both families tells 127.0.0.1 as ::ffff:127.0.0.1.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def is_this_machine(url: str) -> bool:
    """Whether the host of a URL is this machine."""
    return is_loopback(urlsplit(url).hostname or "")


def sends_keys_in_the_clear(base_url: str) -> bool:
    """Whether everybody on the way could read the key."""
    return urlsplit(base_url).scheme == "http" and not is_this_machine(base_url)
