"""What of a search's results is passed on: pages on the public web, from the domains that are wanted, cut to size.

Nothing here is ever fetched. Addresses of this machine and of networks that are not public are left out all the same,
since a model is likely to open what it was shown.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..wire.web_search import Found

MAX_RESULTS = 10
MAX_TITLE_CHARS = 200
MAX_EXCERPT_CHARS = 600
MAX_URL_CHARS = 2_000

_TAG = re.compile(r"<[^<>]*>")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Domains:
    """Where results may come from. An entry is a host, which stands for its subdomains too, and may name a path."""

    allowed: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()

    def admit(self, url: str) -> bool:
        if self.allowed and not any(_is_within(url, entry) for entry in self.allowed):
            return False
        return not any(_is_within(url, entry) for entry in self.blocked)


def worth_telling(found: Iterable[Found], domains: Domains) -> list[Found]:
    """The first pages that may be told, each address once."""
    pages: dict[str, Found] = {}
    for page in _tidied(found):
        if is_public(page.url) and domains.admit(page.url):
            pages.setdefault(page.url, page)
        if len(pages) == MAX_RESULTS:
            break
    return list(pages.values())


def is_public(url: str) -> bool:
    """Whether an address is one of the public web, by its looks: no name is resolved."""
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        return False
    try:
        return ip_address(host).is_global
    except ValueError:
        # Numbers in other forms (`0x7f.1`, `2130706433`) are addresses to a browser; no public name ends in a number.
        last = host.rpartition(".")[2]
        return "." in host and not re.match(r"(0x|\d)", last) and last not in ("localhost", "local", "internal", "lan")


def _tidied(found: Iterable[Found]) -> Iterator[Found]:
    for page in found:
        if len(page.url) <= MAX_URL_CHARS:
            title = _plain(page.title, MAX_TITLE_CHARS)
            yield Found(title or page.url, page.url, _plain(page.excerpt, MAX_EXCERPT_CHARS), _plain(page.age, 40))


def _plain(text: str, limit: int) -> str:
    """Text without tags on one line: services mark the words that were looked for in bold."""
    words = _BLANKS.sub(" ", unescape(_TAG.sub("", text))).strip()
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"


def _is_within(url: str, entry: str) -> bool:
    """Whether an address belongs to a domain; nothing belongs to what is no domain."""
    try:
        parts, wanted = urlsplit(url), urlsplit(f"//{entry.split('://', 1)[-1]}")
    except ValueError:
        return False
    host, name = (parts.hostname or "").rstrip("."), (wanted.hostname or "").removeprefix("*.").rstrip(".")
    if not name or not (host == name or host.endswith(f".{name}")):
        return False
    path = wanted.path.rstrip("/*")
    return not path or parts.path == path or parts.path.startswith(f"{path}/")
