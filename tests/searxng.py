"""A search service in the shape of SearXNG's JSON API, on loopback."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from neuroflow_proxy.wire.codec import dumps

PAGES = [
    {
        "url": "https://www.muni.cz/en",
        "title": "<b>Masaryk</b> University",
        "content": "Founded in <em>1919</em> &amp; still there.",
        "publishedDate": "2026-03-01T00:00:00",
    },
    {"url": "https://kun.example/zlutoucky", "title": "Žluťoučký kůň", "content": "Úpěl ďábelské ódy.\n\n Celý den."},
    {"url": "https://docs.example.org/guide/start", "title": "Guide", "content": "How to begin."},
]


@dataclass
class SearXNG:
    """The application. `status` and `results` may be changed between requests; `queries` are those that came."""

    results: list[dict[str, Any]] = field(default_factory=lambda: list(PAGES))
    status: int = 200
    body: bytes | None = None
    queries: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError("only HTTP is spoken here")
        asked = parse_qs(scope["query_string"].decode())
        assert (scope["method"], scope["path"], asked["format"]) == ("GET", "/search", ["json"])
        self.queries.append(asked["q"][0])
        body = dumps({"query": asked["q"][0], "results": self.results}) if self.body is None else self.body
        headers = [(b"content-type", b"application/json"), (b"location", b"http://169.254.169.254/")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
