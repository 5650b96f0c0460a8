"""The part of JSON Schema that tool declarations use: does a value fit, and what is meant by one written as text.

Not a validator: keywords that this module does not know never make a value wrong, because a call that a client would
accept must not be refused here.
"""

import math
from typing import Any, TypeAlias

from ..wire.codec import InvalidJSON, dumps_text, loads

Value: TypeAlias = Any
"""Any JSON value, schemas included: a schema may be anything that a client declared."""

ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "params", "tool_input")
"""How models name what holds the arguments of a call."""
_ALTERNATIVES = ("anyOf", "oneOf")
_MAX_DEPTH = 64


def required(schema: Value) -> list[str]:
    """The names that an object of this schema must have."""
    names = schema.get("required") if isinstance(schema, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def properties(schema: Value) -> dict[str, Value]:
    """The declared properties; empty where the schema does not list any."""
    found = schema.get("properties") if isinstance(schema, dict) else None
    return found if isinstance(found, dict) else {}


def wrappers(schema: Value) -> frozenset[str]:
    """The names that can only be a wrapper around the arguments: the tool has parameters, and none of that name."""
    known = properties(schema)
    return frozenset(ARGUMENT_KEYS).difference(known) if known else frozenset()


def unwrapped(arguments: dict[str, Value], schema: Value) -> dict[str, Value]:
    """The arguments, where they stand one level too deep, in a parameter that the tool does not take.

    DeepSeek V4 writes `{"arguments": {"command": "ls"}}`, also with a text in place of the inner object: its JSON, or
    the one thing that the tool must be told (sglang #38924, #38386; vllm #41240).
    """
    if len(arguments) != 1 or not wrappers(schema).issuperset(arguments):
        return arguments
    known, needed = properties(schema), required(schema)
    (said,) = arguments.values()
    inner = _parsed(said) if isinstance(said, str) else said
    if isinstance(inner, dict):
        return inner if inner.keys() <= known.keys() else arguments
    if isinstance(said, str) and len(needed) == 1 and fits(said, known.get(needed[0])):
        return {needed[0]: said}
    return arguments


def _parsed(text: str) -> Value:
    try:
        return loads(text)
    except InvalidJSON:
        return text


def fits(value: Value, schema: Value, depth: int = 0) -> bool:
    """Whether the value is one that the schema allows."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return True
    if "const" in schema and value != schema["const"]:
        return False
    if isinstance(schema.get("enum"), list) and value not in schema["enum"]:
        return False
    allowed = _declared_types(schema)
    if allowed and not any(_is_a(value, name) for name in allowed):
        return False
    for keyword in _ALTERNATIVES:
        options = schema.get(keyword)
        if isinstance(options, list) and options and not any(fits(value, option, depth + 1) for option in options):
            return False
    if isinstance(value, dict):
        known = properties(schema)
        if any(name not in value for name in required(schema)):
            return False
        if schema.get("additionalProperties") is False and any(name not in known for name in value):
            return False
        return all(fits(item, known[name], depth + 1) for name, item in value.items() if name in known)
    if isinstance(value, list):
        return all(fits(item, schema.get("items"), depth + 1) for item in value)
    return True


def coerce(value: Value, schema: Value, depth: int = 0) -> Value:
    """The value as the schema wants it, where it says so and the meaning is plain: 5 for "5", never for "five"."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return value
    if isinstance(value, dict):
        known, needed = properties(schema), required(schema)
        value = {
            name: coerce(item, known.get(name), depth + 1)
            for name, item in value.items()
            if item is not None or name in needed or fits(None, known.get(name))  # null for "not given"
        }
    elif isinstance(value, list):
        value = [coerce(item, schema.get("items"), depth + 1) for item in value]
    if fits(value, schema):
        return value
    for keyword in _ALTERNATIVES:
        for option in schema.get(keyword) or ():
            meant = coerce(value, option, depth + 1)
            if fits(meant, schema):
                return meant
    allowed = _types(schema)
    meant = value
    if isinstance(value, str):
        meant = from_text(value, schema)
    elif isinstance(value, float) and "integer" in allowed and value.is_integer():
        meant = int(value)
    elif isinstance(value, bool | int | float) and allowed == {"string"}:
        meant = dumps_text(value)
    return meant if fits(meant, schema) else value


def from_text(text: str, schema: Value) -> Value:
    """What a parameter that is written as bare text (XML forms) stands for; text, unless the schema says otherwise."""
    allowed = _types(schema)
    bare = text.strip()
    if "null" in allowed and bare in ("null", "None"):
        return None
    if "boolean" in allowed and bare.lower() in ("true", "false"):
        return bare.lower() == "true"
    is_container = bare.startswith(("{", "["))
    if not allowed or ("string" in allowed and not is_container):
        return text
    value = _parsed(bare)
    if isinstance(value, str) and is_container:
        value = _parsed(_parsed(f'"{bare}"'))  # GLM: [{\"id\": 1}], as it would stand in a JSON string
    if isinstance(value, float) and value.is_integer() and "number" not in allowed:
        value = int(value)
    return value if any(_is_a(value, name) for name in allowed - {"string"}) else text


def option_of(schema: Value, name: str) -> dict[str, Value] | None:
    """The schema, or the first of its alternatives, that says what a value of this type is; None if none does."""
    if not isinstance(schema, dict):
        return None
    if name in _declared_types(schema):
        return schema
    options = [option_of(option, name) for keyword in _ALTERNATIVES for option in schema.get(keyword) or ()]
    return next((option for option in options if option is not None), None)


def _declared_types(schema: dict[str, Value]) -> list[str]:
    declared = schema.get("type")
    return [declared] if isinstance(declared, str) else declared if isinstance(declared, list) else []


def _types(schema: Value) -> set[str]:
    """All types that the schema names anywhere at its top; empty where it says nothing about types."""
    if not isinstance(schema, dict):
        return set()
    found = set(_declared_types(schema))
    for keyword in _ALTERNATIVES:
        for option in schema.get(keyword) or ():
            found |= _types(option)
    if not found:
        values = schema.get("enum") or [schema[key] for key in ("const",) if key in schema]
        found = {name for value in values for name in ("string", "integer", "boolean", "null") if _is_a(value, name)}
    return found


def _is_a(value: Value, name: str) -> bool:
    match name:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
    return True
