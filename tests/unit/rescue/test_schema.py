"""What a schema allows, and what a value that does not fit was meant to be."""

from typing import Any

import pytest

from neuroflow_proxy.rescue.schema import coerce, fits, from_text, required

INTEGER = {"type": "integer"}
TEXT = {"type": "string"}
OPTIONAL = {"anyOf": [{"type": "integer"}, {"type": "null"}]}


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (5, INTEGER),
        ("x", {}),
        (None, True),
        ({"a": 1, "b": 2}, {"type": "object", "properties": {"a": INTEGER}}),
        ([1, 2], {"type": "array", "items": INTEGER}),
        (None, {"type": ["string", "null"]}),
        (1.5, {"type": "number"}),
        ("a", {"enum": ["a", "b"]}),
        (None, OPTIONAL),
        ({"a": 1}, {"type": "object", "properties": {"a": INTEGER}, "additionalProperties": False}),
        ("x", {"type": "string", "minLength": 5}),
        ("x", {"$ref": "#/$defs/unknown"}),
        ("x", {"type": "uuid"}),
    ],
)
def test_a_value_that_the_schema_allows_fits(value: Any, schema: Any) -> None:
    assert fits(value, schema)
    assert coerce(value, schema) == value


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("five", INTEGER),
        (True, INTEGER),
        (float("nan"), {"type": "number"}),
        ({}, {"type": "object", "required": ["a"]}),
        ({"b": 1}, {"type": "object", "properties": {}, "additionalProperties": False}),
        (["x"], {"type": "array", "items": INTEGER}),
        ("c", {"enum": ["a", "b"]}),
        ("x", OPTIONAL),
        (1, {"const": 2}),
        ([1], {"type": "object"}),
    ],
)
def test_a_value_that_the_schema_does_not_allow_does_not_fit_and_is_left_alone(value: Any, schema: Any) -> None:
    assert not fits(value, schema)
    assert coerce(value, schema) is value or coerce(value, schema) == value


@pytest.mark.parametrize(
    ("value", "schema", "meant"),
    [
        (r"[{\"id\": 1, \"path\": \"C:\\\\a\"}]", {"type": "array"}, [{"id": 1, "path": r"C:\a"}]),
        (r"{\"a\": 1}", {"type": "object"}, {"a": 1}),
        ("5", INTEGER, 5),
        (5.0, INTEGER, 5),
        ("5.0", INTEGER, 5),
        ("1.5", {"type": "number"}, 1.5),
        ("true", {"type": "boolean"}, True),
        ("False", {"type": "boolean"}, False),
        ("null", OPTIONAL, None),
        ("7", OPTIONAL, 7),
        ('["a"]', {"type": "array", "items": TEXT}, ["a"]),
        ('{"a": "1"}', {"type": "object"}, {"a": "1"}),
        (12345, TEXT, "12345"),
        (True, TEXT, "true"),
        ({"a": "5"}, {"type": "object", "properties": {"a": INTEGER}}, {"a": 5}),
        (["5", 6], {"type": "array", "items": INTEGER}, [5, 6]),
        ("2", {"enum": [1, 2]}, 2),
        ({"a": 1, "b": None}, {"properties": {"a": INTEGER, "b": TEXT}, "required": ["a"]}, {"a": 1}),
    ],
)
def test_a_value_is_bent_to_the_type_that_the_schema_wants(value: Any, schema: Any, meant: Any) -> None:
    assert coerce(value, schema) == meant
    assert type(coerce(value, schema)) is type(meant)


@pytest.mark.parametrize(
    ("text", "schema", "meant"),
    [
        ("5", None, "5"),
        ("5", {}, "5"),
        ("5", TEXT, "5"),
        ("none", TEXT, "none"),
        ('{"a": 1}', TEXT, '{"a": 1}'),
        ("  x\n", TEXT, "  x\n"),
        ("5", INTEGER, 5),
        (" 5\n", INTEGER, 5),
        ("five", INTEGER, "five"),
        ("5.5", INTEGER, "5.5"),
        ("True", {"type": "boolean"}, True),
        ("None", {"type": ["string", "null"]}, None),
        ("x", {"type": ["string", "null"]}, "x"),
        ("[1]", {"type": ["string", "array"]}, [1]),
        ("[1", {"type": "array"}, "[1"),
        ('{"a": "b"}', {"type": "object"}, {"a": "b"}),
        ("3", OPTIONAL, 3),
        ("exact", {"enum": ["fast", "exact"]}, "exact"),
    ],
)
def test_bare_text_is_read_as_the_schema_says(text: str, schema: Any, meant: Any) -> None:
    assert from_text(text, schema) == meant
    assert type(from_text(text, schema)) is type(meant)


@pytest.mark.parametrize("schema", [None, True, {}, {"required": "a"}, {"required": [1]}, {"type": "object"}])
def test_an_odd_schema_requires_nothing(schema: Any) -> None:
    assert required(schema) == []


def test_a_schema_that_contains_itself_comes_to_an_end() -> None:
    schema: dict[str, Any] = {"type": "object"}
    schema["properties"] = {"a": schema}
    value: dict[str, Any] = {}
    for _ in range(500):
        value = {"a": value}
    assert fits(value, schema)
    assert coerce(value, schema) == value
