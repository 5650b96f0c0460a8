"""Schemas: nothing that a strict provider refuses, nothing that means something else."""

from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from neuroflow_proxy.demo.rules.schemas import schema_complaints, uncompilable
from neuroflow_proxy.translate.tool_schema import acceptable, is_strict, to_parameters
from tests.conversations import BASH, values

CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def test_a_plain_schema_is_kept_as_it_is() -> None:
    assert acceptable(CLOSED) == CLOSED
    assert list(acceptable(CLOSED)) == list(CLOSED), "the order too: it is part of the prompt"


@pytest.mark.parametrize(
    "schema", [{}, {"type": "object"}, {"type": "string"}, {"properties": None}, {"type": ["object", "null"]}]
)
def test_parameters_are_always_an_object_with_properties(schema: dict[str, Any]) -> None:
    assert to_parameters(schema, "it") == {"type": "object", "properties": {}}


def test_what_only_validators_use_is_left_out() -> None:
    assert "$schema" not in to_parameters(BASH["input_schema"], "it")
    assert to_parameters(BASH["input_schema"], "it")["properties"]["timeout"] == {
        "type": "number",
        "exclusiveMinimum": 0,
    }


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "array", "uniqueItems": True}, '(JSON Schema: {"uniqueItems":true})'),
        ({"type": "string", "format": {}}, '(JSON Schema: {"format":{}})'),
        ({"multipleOf": 5, "description": "Step."}, 'Step. (JSON Schema: {"multipleOf":5})'),
        ({"format": "iri"}, '(JSON Schema: {"format":"iri"})'),
        (
            {"type": "object", "patternProperties": {"^x": {"type": "string"}}},
            '(JSON Schema: {"patternProperties":{"^x":{"type":"string"}}})',
        ),
    ],
)
def test_what_no_grammar_can_say_is_said_in_words(schema: dict[str, Any], said: str) -> None:
    made = acceptable({"type": "object", "properties": {"x": schema}})["properties"]["x"]
    assert made["description"] == said


def test_what_says_nothing_is_not_said() -> None:
    assert acceptable({"type": "object", "propertyNames": {"type": "string"}}) == {"type": "object"}
    assert acceptable({"type": "string", "format": "uri"}) == {"type": "string", "format": "uri"}


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"properties": {"x": True}}, {"properties": {"x": {}}}),
        ({"type": "array", "items": True}, {"type": "array", "items": {}}),
        ({"type": "array", "items": [{"type": "string"}]}, {"type": "array", "items": {"anyOf": [{"type": "string"}]}}),
        ({"type": "any"}, {}),
        ({"type": []}, {}),
        ({"enum": []}, {}),
        ({"anyOf": []}, {}),
        ({"anyOf": {"a": {}}}, {}),
        ({"enum": "red"}, {}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"type": ["string", "any"]}, {}),
        ({"type": ["string", {}]}, {}),
        ({"required": ["a", 1, None]}, {"required": ["a"]}),
        ({"required": "a"}, {}),
        ({"description": 1}, {}),
        ({"additionalProperties": {"type": "any"}}, {"additionalProperties": {}}),
        ({"not": {"type": "any"}}, {"not": {}}),
        ({"not": True}, {}),
    ],
)
def test_forms_that_not_everybody_reads_are_rewritten(given: dict[str, Any], made: dict[str, Any]) -> None:
    assert acceptable(given) == made


def test_a_schema_that_was_refused_is_reduced_to_the_simplest() -> None:
    schema = {
        "type": "object",
        "anyOf": [{"required": ["a"]}],
        "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"type": "string", "minLength": 1}},
        "$defs": {"A": {"type": "integer"}},
    }
    made = to_parameters(schema, "it", plain=True)
    assert made.keys() == {"type", "properties", "description"}
    assert made["properties"]["a"] == {"description": '(JSON Schema: {"$ref":"#/$defs/A"})'}
    assert made["properties"]["b"] == {"type": "string", "description": '(JSON Schema: {"minLength":1})'}


@given(values)
def test_whatever_is_given_a_strict_provider_takes_the_result(schema: Any) -> None:
    for plain in (False, True):
        made = to_parameters(schema if isinstance(schema, dict) else {"properties": {"x": schema}}, "it", plain=plain)
        assert list(schema_complaints(made, "it")) == list(uncompilable(made, "it")) == []


@given(values)
def test_what_the_declared_schema_allows_is_still_allowed(arguments: Any) -> None:
    declared = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}},
        "patternProperties": {"^x": {"type": "string"}},
        "if": {"required": ["b"]},
        "then": {"required": ["a"]},
    }
    if Draft202012Validator(declared).is_valid(arguments):
        assert Draft202012Validator(to_parameters(declared, "it")).is_valid(arguments)


def test_the_result_is_itself_a_schema() -> None:
    try:
        Draft202012Validator.check_schema(to_parameters(BASH["input_schema"], "it"))
    except SchemaError as error:
        pytest.fail(error.message)


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        ({"type": "array", "items": CLOSED}, True),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "additionalProperties": True}, False),
        ({"type": "object"}, False),
        ({**CLOSED, "properties": {"a": True}}, True),
        ({"anyOf": [CLOSED, {"type": "object"}]}, False),
        ({**CLOSED, "properties": {"a": {"type": "object"}}}, False),
        ({**CLOSED, "properties": {"a": {}, "b": {}}}, False),
        ({**CLOSED, "properties": {"a": CLOSED, "b": {"type": "object"}}, "required": ["a", "b"]}, False),
        ({**CLOSED, "properties": {"a": {"type": "string", "default": {"type": "object"}}}}, True),
        ({"type": "object", "required": [], "additionalProperties": False}, False),
        ({**CLOSED, "required": True}, False),
    ],
)
def test_a_schema_is_strict_only_if_it_is_closed_throughout(schema: dict[str, Any], strict: bool) -> None:
    assert is_strict(schema) is strict
