"""Schemas that somebody else wrote: each draft as it says, none fetched, none without end."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from jsonschema.validators import validator_for

from triptych.schemas.diagnostics import schema_errors
from triptych.schemas.patterns import is_plain, matches, pattern_error
from triptych.schemas.soundness import MOST_SUBSCHEMAS, schema_diagnostics

DRAFT_3 = "http://json-schema.org/draft-03/schema#"
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
SLOW = "^(a+)+$"
LONG = "a" * 100_000 + "b"


@pytest.fixture(autouse=True)
def _nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call of this module may open a connection."""

    def refuse(*_: Any) -> None:
        pytest.fail("something was fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"$schema": DRAFT_3, "divisibleBy": 2}, [4], [3]),
        ({"$schema": DRAFT_4, "minimum": 1, "exclusiveMinimum": True}, [1.5], [1]),
        ({"$schema": DRAFT_7, "items": [{"type": "string"}], "additionalItems": False}, [["a"]], [[1], ["a", 1]]),
        ({"$schema": DRAFT_7, "dependencies": {"a": ["b"]}}, [{"a": 1, "b": 1}], [{"a": 1}]),
        ({"prefixItems": [{"type": "string"}], "items": False}, [["a"]], [[1], ["a", 1]]),
        ({"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False}, [{"x-a": 1}], [{"a": 1}]),
        ({"uniqueItems": True}, [[1, True, "1", None]], [[1, 1.0], [{"a": [1]}, {"a": [1.0]}]]),
        (
            {"$defs": {"a/b": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/a~1b"}}},
            [{"a": 1}],
            [{"a": ""}],
        ),
        ({"properties": {"in": {"$ref": "#"}}, "required": ["v"]}, [{"v": 1, "in": {"v": 2}}], [{"v": 1, "in": {}}]),
        ({"unevaluatedProperties": False, "allOf": [{"properties": {"a": {}}}]}, [{"a": 1}], [{"b": 1}]),
    ],
)
def test_a_schema_is_judged_by_its_own_draft(schema: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    """As jsonschema's own class does."""
    assert schema_diagnostics(schema) == []
    stock = validator_for(schema)(schema)
    for value in [*good, *bad]:
        assert (schema_errors(value, schema) == []) == stock.is_valid(value) == (value in good)


DOUBLING = {
    "$defs": {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(60)} | {"a60": {}},
    "$ref": "#/$defs/a0",
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": SLOW}, LONG),
        ({"$schema": DRAFT_7, "$ref": "#/definitions/a", "definitions": {"a": {"pattern": SLOW}}}, LONG),
        ({"$schema": DRAFT_4, "allOf": [{"$schema": DRAFT_7, "pattern": SLOW}]}, LONG),
        ({"patternProperties": {SLOW: {}}, "additionalProperties": False}, {LONG: 1}),
        ({"patternProperties": {SLOW: {}}, "unevaluatedProperties": False}, {LONG: 1}),
        ({"pattern": r"^(?=(a+)+$)b"}, LONG),
        ({"$ref": "#"}, 1),
        ({"properties": {"a": {"$ref": "#/properties/a"}}}, {"a": 1}),
        (DOUBLING, 1),
        ({"$ref": "http://127.0.0.1:1/schema.json"}, 1),
        ({"$ref": "file:///etc/passwd"}, 1),
        ({"uniqueItems": True}, [{"a": 1}] * 20_000),
    ],
)
def test_a_judgement_ends_and_fetches_nothing(schema: dict[str, Any], value: Any) -> None:
    """What would take for ever is told as an error of the value."""
    (error, *_) = schema_errors(value, schema, "p")
    assert error.startswith("p")
    assert len(error) < 200_000


@pytest.mark.parametrize(
    ("schema", "location", "says"),
    [
        ({"properties": {"a": {"type": "strin"}}}, "properties.a.type", "Did you mean 'string'"),
        ({"properties": {"a": {"minimum": 1, "exclusiveMinimum": True}}}, "properties.a.exclusiveMinimum", "number"),
        ({"properties": {"a": {"items": [{}]}}}, "properties.a.items", "is not valid JSON Schema"),
        ({"$schema": DRAFT_3, "properties": {"a": {"required": 5}}}, "properties.a.required", "not valid"),
        ({"$schema": 5}, "$schema", "must be text"),
        ({"$schema": "http://["}, "", ""),
        ({"properties": {"a": {"$ref": "http://127.0.0.1:1/x"}}}, "properties.a.$ref", "None is fetched"),
        ({"properties": {"a": {"$ref": "other.json#/x"}}}, "properties.a.$ref", "None is fetched"),
        ({"properties": {"a": {"$ref": "#/$defs/no"}}}, "properties.a.$ref", "not in this file"),
        ({"$ref": "#"}, "", "refers to itself"),
        ({"properties": {"a": {"anyOf": [{"$ref": "#/properties/a"}, {}]}}}, "properties.a", "refers to itself"),
        ({"properties": {"a": {"pattern": "("}}}, "properties.a.pattern", "no regular expression"),
        ({"patternProperties": {"[": {}}}, "patternProperties.[", "no regular expression"),
        ({"properties": {"a": {"pattern": "a" * 1001}}}, "properties.a.pattern", "longer than 1,000"),
        ({"properties": {f"p{n}": {} for n in range(MOST_SUBSCHEMAS)}}, "", "more than 2,000 schemas"),
        ({"properties": {"a": {"$schema": DRAFT_7}}}, "properties.a.$schema", "at the top only"),
        ({"patternProperties": {SLOW: {}}, "unevaluatedProperties": False}, f"patternProperties.{SLOW}", "unbounded"),
    ],
)
def test_what_no_value_can_be_judged_by_is_told_before_there_is_one(
    schema: dict[str, Any], location: str, says: str
) -> None:
    found = [(".".join(map(str, keys)), message) for keys, message in schema_diagnostics(schema)]
    assert not says or [(where, says in message) for where, message in found] == [(location, True)], found


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": "http://json-schema.org/draft-07/schema"},
        {"$id": "https://x.example/a.json", "$ref": "https://x.example/a.json#/$defs/b", "$defs": {"b": {}}},
        {"$defs": {"a": {"$anchor": "here"}}, "properties": {"b": {"$ref": "#here"}}},
        {"properties": {"tree": {"type": "object", "properties": {"left": {"$ref": "#/properties/tree"}}}}},
        {"properties": {"default": {"default": {"$ref": "data"}}, "a": {"const": {"$ref": "data"}}}},
        {"properties": {"a": {"pattern": r"^\p{Lu}"}}},
        {"properties": {"a": {"pattern": r"\A\d+\Z"}}},
    ],
)
def test_what_is_sound_is_not_refused(schema: dict[str, Any]) -> None:
    assert schema_diagnostics(schema) == []


@pytest.mark.parametrize(
    ("pattern", "text", "is_found"),
    [
        ("b", "abc", True),
        ("^[a-z]+$", "abc", True),
        ("^[a-z]+$", "abc\n", False),  # ECMA 262: `$` is the end, and not a newline before it.
        (r"\Aa\Z", "a", True),
        (r"\\Z", r"\Z", True),
        (r"^\p{Lu}", "Äb", True),
        (r"(a)\1", "xaa", True),
        ("^(?!no)", "nobody", False),
        ("(", "(", False),
    ],
)
def test_a_pattern_is_read_as_json_schema_says(pattern: str, text: str, is_found: bool) -> None:
    assert matches(pattern, text) == is_found


@pytest.mark.parametrize(
    ("pattern", "plain"),
    [
        ("^(auto|[1-9][0-9]*)$", True),
        (r"^\d{4}-\d{2}-\d{2}$", True),
        ("^[A-Za-z0-9_-]{1,64}$", True),
        ("^[a-z]{1,1000}$", True),
        ("^a{1,1000}a{1,1000}$", False),
        (SLOW, False),
        ("^[a-z]+(-[a-z]+)*$", False),
        ("^(a|a){0,40}$", False),
        ("^" + "a?" * 40 + "a" * 40, False),
        ("a+b", False),
        ("^a|b+c", False),
        ("^(?=a)a", False),
        (r"^(a)\1", False),
        (r"^\p{L}", False),
        ("(" * 400 + "a" + ")" * 400, False),
        ("(", False),
    ],
)
def test_what_airflow_may_match_is_plain(pattern: str, plain: bool) -> None:
    assert is_plain(pattern) == plain


def test_a_repeat_that_compiles_to_gigabytes_is_refused() -> None:
    assert pattern_error("((a{1,1000}){1,1000}){1,1000}")
