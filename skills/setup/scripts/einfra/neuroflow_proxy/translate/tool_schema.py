"""JSON Schemas of tools and answers, made acceptable to strict providers without changing what they mean.

The schema as the client declared it is kept for reading the model's arguments; what is made here is only what the model
sees and the provider compiles a grammar from. What no grammar can be made from is said in words instead.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ..wire.codec import dumps, dumps_text, loads
from .fields import MAX_DEPTH, Path, encodable_json, is_too_deep, refusal

_MEANINGLESS = frozenset({"$schema", "$id", "$comment", "$anchor"})
"""Keywords that only validators use. Claude Code sends `$schema` with every tool."""
_NOT_COMPILED = frozenset(
    {
        *("multipleOf", "uniqueItems", "contains", "minContains", "maxContains", "patternProperties", "propertyNames"),
        *("dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems", "if", "then", "else"),
    }
)
"""xgrammar, which vLLM and SGLang use, refuses some of these and overlooks the others."""
_FORMATS = frozenset(
    {
        *("email", "date", "time", "date-time", "duration", "ipv4", "ipv6", "hostname", "uuid", "uri", "uri-reference"),
        *("uri-template", "json-pointer", "relative-json-pointer"),
    }
)
_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_PLAIN = frozenset({"type", "description", "properties", "required", "items", "enum", "const", "anyOf", "default"})
"""All that is left when a provider has refused a schema of ours."""

_HOLDS_SCHEMAS = frozenset({"items", "anyOf", "allOf", "oneOf", "prefixItems"})

Keep = Callable[[str], bool]


def to_parameters(schema: dict[str, Any], path: Path, *, plain: bool = False) -> dict[str, Any]:
    """The `parameters` of a function: an object schema with `properties`. `plain` leaves only the simplest keywords.

    The result is shared with later requests and must not be changed. Raises `RequestError`.
    """
    try:
        return _parameters(dumps(schema), plain)
    except _TooDeep as error:
        raise refusal(path, f"nested more than {MAX_DEPTH} levels deep") from error


def acceptable(schema: dict[str, Any], *, plain: bool = False) -> dict[str, Any]:
    """A schema with the same meaning that no provider refuses for its form. Nesting is limited by the caller."""
    return _node(schema, (lambda key: key in _PLAIN) if plain else (lambda key: key not in _NOT_COMPILED))


class _TooDeep(ValueError):
    pass


# Claude Code sends the same tools with every request, and they are most of its first ones.
@lru_cache(maxsize=1_024)
def _parameters(schema_json: bytes, plain: bool) -> dict[str, Any]:
    schema = loads(schema_json)
    if is_too_deep(schema):
        raise _TooDeep
    made = acceptable(encodable_json(schema), plain=plain)
    if plain:
        made.pop("anyOf", None)
    made["type"] = "object"
    made.setdefault("properties", {})
    return made


def is_strict(schema: Any) -> bool:
    """True if every object in the schema lists all its properties as required and allows no others.

    Only such schemas may be marked `strict`; making others so would change what they mean.
    """
    if isinstance(schema, list):
        return all(is_strict(item) for item in schema)
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object":
        properties, required = schema.get("properties"), schema.get("required")
        if schema.get("additionalProperties") is not False or not isinstance(properties, dict):
            return False
        if not isinstance(required, list) or any(name not in required for name in properties):
            return False
        return all(is_strict(inner) for inner in properties.values())
    return all(is_strict(value) for key, value in schema.items() if key in _HOLDS_SCHEMAS)


def _node(schema: Any, keep: Keep) -> dict[str, Any]:
    if not isinstance(schema, dict):  # `true` and `false` are schemas, which grammar compilers do not read
        return {}
    made: dict[str, Any] = {}
    unsaid: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _MEANINGLESS:
            continue
        if not keep(key) or (key == "format" and not (isinstance(value, str) and value in _FORMATS)):
            unsaid[key] = value
            continue
        translated = _value(key, value, keep)
        if translated is not None:
            made[key] = translated
    # All names in JSON are strings, so this one, which Claude Code's own tools have, says nothing.
    if unsaid.get("propertyNames") == {"type": "string"}:
        del unsaid["propertyNames"]
    if unsaid:
        said = [made["description"]] if isinstance(made.get("description"), str) else []
        made["description"] = " ".join([*said, f"(JSON Schema: {dumps_text(unsaid)})"])
    return made


def _value(key: str, value: Any, keep: Keep) -> Any:
    """The value of one keyword, or None where it is of no use."""
    match key:
        case "type":
            types = value if isinstance(value, list) else [value]
            return value if types and all(isinstance(name, str) and name in _TYPES for name in types) else None
        case "properties" | "$defs" | "definitions":
            return {name: _node(inner, keep) for name, inner in value.items()} if isinstance(value, dict) else None
        case "anyOf" | "oneOf" | "allOf" | "prefixItems":
            return [_node(inner, keep) for inner in value] if isinstance(value, list) and value else None
        case "items":
            # A list was the way to write `prefixItems` before 2020.
            return _node({"anyOf": value} if isinstance(value, list) else value, keep)
        case "additionalProperties":
            return value if isinstance(value, bool) else _node(value, keep)
        case "not":
            return _node(value, keep) if isinstance(value, dict) else None
        case "required":
            return [name for name in value if isinstance(name, str)] if isinstance(value, list) else None
        case "enum":
            return value if isinstance(value, list) and value else None
        case "description":
            return value if isinstance(value, str) else None
    return value
