"""Tools towards the provider: which ones, under which names, and what the model may or must do with them."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from ..wire.codec import dumps, loads
from ..wire.web_search import is_search_tool
from .fields import (
    Path,
    a_flag,
    a_string,
    an_array,
    an_object,
    note,
    objects,
    optional_integer,
    optional_object,
    optional_string,
    refusal,
    strings,
)
from .tokens import Size, size_of
from .tool_schema import to_parameters

DEFERRED_PLACEHOLDER = "DeferredToolPlaceholder"
"""A tool that Claude Code declares never to be called, while others wait to be loaded."""

SEARCH_SCHEMA = {
    "type": "object",
    "properties": {"query": {"type": "string", "description": "What to search for"}},
    "required": ["query"],
}
_FIT_TO_PASS = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_KNOWN_FIELDS = frozenset(
    {"name", "description", "input_schema", "type", "cache_control", "defer_loading", "eager_input_streaming", "strict"}
)


@lru_cache(maxsize=1_024)  # every call in the history names one of a few tools
def upstream_name(name: str) -> str:
    """The name under which a tool is known upstream: itself, or a shortened and cleaned one that is always the same.

    OpenAI, vLLM and LiteLLM take 64 of `[A-Za-z0-9_-]`; Moonshot wants a letter or underscore first.
    """
    if _FIT_TO_PASS.fullmatch(name):
        return name
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    cleaned = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    if not re.match(r"[A-Za-z_]", cleaned):
        cleaned = "_" + cleaned
    return f"{cleaned[:55]}_{digest}"


class SearchTool(NamedTuple):
    """What the client has said of the server tool `web_search`."""

    name: str
    """The client's name of it, and the function's."""
    max_uses: int | None
    allowed_domains: tuple[str, ...]
    blocked_domains: tuple[str, ...]


class Tools(NamedTuple):
    """The tools of one request."""

    functions: list[dict[str, Any]]
    """As the Chat Completions body has them."""
    schemas: Mapping[str, Any]
    """Upstream name to the schema as the client declared it."""
    names: Mapping[str, str]
    """Upstream name to the client's name."""
    search: SearchTool | None
    """The server tool `web_search`, if the model may use it: the function in its place is ours to run."""
    ignored: Mapping[str, int]
    """Fields that nobody here knows, and how often each occurred."""
    size: Size
    """The size of `functions`, for an estimate of tokens."""


def read_tools(body: dict[str, Any], *, plain: bool = False) -> Tools:
    """Read `tools`. Server tools and Claude Code's placeholder are left out, and so are repetitions of a name.

    `plain` leaves only the simplest keywords in the schemas. The result is shared with later requests and must not be
    changed.
    """
    numbered = _in_stable_order(body)
    if not numbered:
        return _NO_TOOLS
    tools_json = dumps([tool for _, tool in numbered])
    read = _read if len(tools_json) <= _MOST_BYTES else _read.__wrapped__
    return read(tools_json, tuple([number for number, _ in numbered]), plain)


_MOST_BYTES = 1_000_000
"""The longest list of tools, as JSON, whose translation is kept."""
_NO_TOOLS = Tools([], {}, {}, None, {}, Size())


# Claude Code sends the same tools, a hundred kilobytes of them, with every request; subagents have others.
@lru_cache(maxsize=16)
def _read(tools_json: bytes, numbers: tuple[int, ...], plain: bool) -> Tools:
    """Read tools that stand in the request at the places `numbers`."""
    ignored: dict[str, int] = {}
    functions: list[dict[str, Any]] = []
    schemas: dict[str, Any] = {}
    names: dict[str, str] = {}
    search: SearchTool | None = None
    for number, tool in zip(numbers, loads(tools_json), strict=True):
        path = ("tools", number)
        name = a_string(tool, "name", path)
        upstream = upstream_name(name)
        if upstream in names or name == DEFERRED_PLACEHOLDER:
            continue
        if is_search_tool(tool):
            search = _search_tool(tool, name, path)
            functions.append(_search_function(upstream, tool))
            schemas[upstream], names[upstream] = SEARCH_SCHEMA, name
            continue
        if optional_string(tool, "type", path) not in (None, "custom"):
            continue
        schema = optional_object(tool, "input_schema", path)
        if not _KNOWN_FIELDS.issuperset(tool):
            note(ignored, [f"tools.{key[:60]}" for key in tool.keys() - _KNOWN_FIELDS])
        function: dict[str, Any] = {"name": upstream}
        description = optional_string(tool, "description", path)
        if description:
            function["description"] = description
        function["parameters"] = to_parameters(schema, (path, "input_schema"), plain=plain)
        functions.append({"type": "function", "function": function})
        schemas[upstream] = schema
        names[upstream] = name
    return Tools(functions, schemas, names, search, ignored, size_of([], functions))


def read_search_tool(body: dict[str, Any]) -> SearchTool:
    """The server tool of a request that has no other. Raises `RequestError`."""
    tool = an_object(an_array(body.get("tools"), "tools")[0], "tools.0")
    return _search_tool(tool, a_string(tool, "name", "tools.0"), "tools.0")


def _search_tool(tool: dict[str, Any], name: str, path: Path) -> SearchTool:
    return SearchTool(
        name=name,
        max_uses=optional_integer(tool, "max_uses", path, least=0),
        allowed_domains=tuple(strings(tool.get("allowed_domains"), (path, "allowed_domains"))),
        blocked_domains=tuple(strings(tool.get("blocked_domains"), (path, "blocked_domains"))),
    )


def _search_function(upstream: str, tool: dict[str, Any]) -> dict[str, Any]:
    """The server tool as a function; where the user is belongs to the words, for the model to use in its query."""
    description = "Search the web. Returns titles, addresses and excerpts of pages."
    location = tool.get("user_location")
    if isinstance(location, dict):
        places = [location.get(key) for key in ("city", "region", "country")]
        place = ", ".join(place for place in places if isinstance(place, str) and place)
        description += f" The user is in {place}." if place else ""
    function = {"name": upstream, "description": description, "parameters": SEARCH_SCHEMA}
    return {"type": "function", "function": function}


def _in_stable_order(body: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """The tools with their places, those that were loaded in the course of the conversation last.

    Claude Code merges a tool that it has loaded into the others by name, which would move all that follow in the prompt
    and so end the cached prefix there. In the order of loading, each stands behind what was there before it.
    """
    value = body.get("tools")
    if value is None:
        return []
    listed = an_array(value, "tools")
    tools = [(number, an_object(tool, ("tools", number))) for number, tool in enumerate(listed)]
    if not [tool for tool in listed if tool.get("defer_loading") is True]:
        return tools
    loaded = {name: position for position, name in reversed(list(enumerate(_loaded_tools(body.get("messages")), 1)))}
    return sorted(
        tools, key=lambda item: loaded.get(str(item[1].get("name")), 0) if item[1].get("defer_loading") else -1
    )


def _loaded_tools(messages: Any) -> Iterator[str]:
    """Names in `tool_reference` blocks of tool results, in order; whatever has another shape is passed over."""
    for message in objects(messages):
        for block in objects(message.get("content")):
            for reference in objects(block.get("content")) if block.get("type") == "tool_result" else ():
                name = reference.get("tool_name")
                if reference.get("type") == "tool_reference" and isinstance(name, str):
                    yield name


def forbids_calls(body: dict[str, Any]) -> bool:
    """True where the client wants an answer without any call, though the conversation has tools."""
    choice = body.get("tool_choice")
    return isinstance(choice, dict) and choice.get("type") == "none"


def tool_choice_fields(body: dict[str, Any], tools: Tools) -> dict[str, Any]:
    """`tool_choice` and `parallel_tool_calls` for the Chat Completions body; empty where there are no tools."""
    choice = optional_object(body, "tool_choice", "") if "tool_choice" in body else None
    if not choice or not tools.functions:
        return {}
    fields: dict[str, Any] = {}
    match a_string(choice, "type", "tool_choice"):
        case "auto":
            pass
        case "any":
            fields["tool_choice"] = "required"
        case "none":
            fields["tool_choice"] = "none"
        case "tool":
            name = upstream_name(a_string(choice, "name", "tool_choice"))
            if name in tools.names:  # else it names one that was left out
                fields["tool_choice"] = {"type": "function", "function": {"name": name}}
        case _:
            raise refusal("tool_choice.type", "Input should be 'auto', 'any', 'tool' or 'none'")
    if a_flag(choice, "disable_parallel_tool_use", "tool_choice"):
        fields["parallel_tool_calls"] = False
    return fields
