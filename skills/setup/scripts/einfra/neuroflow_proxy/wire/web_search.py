"""The Messages API's server tool `web_search`: its declaration, its results, and what is read back from them.

The API hands results to the client with an `encrypted_content` that only its own server can read, and gets them back
with the next request. Ours holds the excerpt of the page, so that the model sees in every later turn what it has seen
when it searched, and the provider finds it in its prefix cache.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from ..errors import SET_UP
from .messages_api import JSON

TYPE_PREFIX = "web_search_"
"""All dated versions of the tool: `web_search_20250305` and those to come."""
RESULT_TYPE = "web_search_tool_result"

ErrorCode = Literal["too_many_requests", "invalid_input", "max_uses_exceeded", "query_too_long", "unavailable"]

_OURS = b"neuroflow-proxy\n"
_LONGEST_CITED = 150
"""As long as the API's own quotations."""
_WORDS_OF_ERRORS = {
    "too_many_requests": "The search service is asked too often. Go on without it, or try again later.",
    "invalid_input": "The search was called without a query. Call it with one.",
    "max_uses_exceeded": "No more searches are allowed for this answer. Answer with what is known.",
    "query_too_long": "The query is too long. Search again with fewer words.",
}
UNAVAILABLE = (
    "Web search is not turned on in neuroflow-proxy, or its search service does not answer. Go on without it and tell"
    f" the user: {SET_UP} turns it on with `setup --web-search ddgs`, and finds what is wrong with `doctor`."
)


class Found(NamedTuple):
    """One page that a search has found. `age` is in words, or "" if it is not known."""

    title: str
    url: str
    excerpt: str
    age: str = ""


def is_search_tool(tool: Any) -> bool:
    """Whether a declared tool is the server tool `web_search`."""
    return isinstance(tool, dict) and str(tool.get("type")).startswith(TYPE_PREFIX)


def results_block(tool_use_id: str, found: Sequence[Found]) -> JSON:
    return {"type": RESULT_TYPE, "tool_use_id": tool_use_id, "content": [_result(page) for page in found]}


def error_block(tool_use_id: str, code: ErrorCode) -> JSON:
    content = {"type": "web_search_tool_result_error", "error_code": code}
    return {"type": RESULT_TYPE, "tool_use_id": tool_use_id, "content": content}


def citation(page: Found) -> JSON:
    """What a text that quotes a page's excerpt points at."""
    return {
        "type": "web_search_result_location",
        "url": page.url,
        "title": page.title,
        "encrypted_index": _sealed(""),
        "cited_text": page.excerpt[:_LONGEST_CITED],
    }


def words_of(block: JSON) -> str:
    """A `web_search_tool_result` as the model is to read it, whatever the block holds."""
    content = block.get("content")
    if not isinstance(content, list):
        code = content.get("error_code") if isinstance(content, dict) else None
        return _WORDS_OF_ERRORS.get(str(code), UNAVAILABLE)
    pages = [as_words(_page(item)) for item in content if isinstance(item, dict) and isinstance(item.get("url"), str)]
    return "\n\n".join(pages) or "Nothing was found. Search with other words, or answer with what is known."


def as_words(page: Found) -> str:
    """One page as the model is to read it."""
    age = f" ({page.age})" if page.age else ""
    return "\n".join(filter(None, [f"{page.title}{age}", page.url, page.excerpt]))


def _result(page: Found) -> JSON:
    return {
        "type": "web_search_result",
        "title": page.title,
        "url": page.url,
        "encrypted_content": _sealed(page.excerpt),
        "page_age": page.age or None,
    }


def _page(item: JSON) -> Found:
    age = item.get("page_age")
    return Found(
        title=str(item.get("title") or ""),
        url=item["url"],
        excerpt=_unsealed(item.get("encrypted_content")),
        age=age if isinstance(age, str) else "",
    )


def _sealed(excerpt: str) -> str:
    return base64.b64encode(_OURS + excerpt.encode("utf-8", "replace")).decode()


def _unsealed(sealed: Any) -> str:
    """The excerpt, if it was sealed here; the server of the real API seals its own with a key."""
    try:
        content = base64.b64decode(sealed, validate=True) if isinstance(sealed, str) else b""
    except (binascii.Error, ValueError):
        return ""
    return content.removeprefix(_OURS).decode("utf-8", "replace") if content.startswith(_OURS) else ""
