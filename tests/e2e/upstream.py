"""What reached the provider, read."""

from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from neuroflow_proxy.wire.codec import dumps_text

Body = dict[str, Any]


def words_of(message: Body) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def images_of(message: Body) -> list[bytes]:
    parts = message["content"] if isinstance(message["content"], list) else []
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    return [b64decode(url.removeprefix("data:image/png;base64,"), validate=True) for url in urls]


def tools_of(body: Body) -> list[str]:
    return [tool["function"]["name"] for tool in body.get("tools", [])]


def begins_with(later: Sequence[Body], earlier: Sequence[Body]) -> bool:
    """Byte for byte, as a cache looks at it."""
    return [dumps_text(item) for item in later[: len(earlier)]] == [dumps_text(item) for item in earlier]
