"""What is said of values that a schema refuses."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from triptych.schemas.diagnostics import schema_errors

LOCATION = {
    "type": "object",
    "required": ["uri"],
    "additionalProperties": False,
    "properties": {"uri": {"type": "string"}},
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["column"],
    "properties": {
        "column": {"type": "string", "minLength": 1, "description": "Column of the dates."},
        "hours": {"type": ["integer", "null"], "minimum": 1, "maximum": 24},
        "share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "unit": {"enum": ["day", "hours"]},
        "name": {"pattern": "^[a-z]+$"},
        "from": {"anyOf": [{"type": "null"}, {"type": "string"}, LOCATION, {"type": "array", "items": LOCATION}]},
    },
}
GOOD = {"column": "at"}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({}, ["p.column: is missing. Column of the dates."]),
        ({"column": ""}, ['p.column: must have at least 1 character(s), and is "".']),
        ({**GOOD, "hour": 1}, ["p.hour: is unknown. Did you mean 'hours'?"]),
        ({**GOOD, "zzz": 1}, ["p.zzz: is unknown. Known: column, from, hours, name, share, unit."]),
        (
            {"colum": "at"},
            ["p.colum: is unknown. Did you mean 'column'?", "p.column: is missing. Column of the dates."],
        ),
        ({**GOOD, "hours": "3"}, ['p.hours: must be a whole number or null, and is "3".']),
        ({**GOOD, "hours": 0}, ["p.hours: must be at least 1, and is 0."]),
        ({**GOOD, "hours": 25}, ["p.hours: must be at most 24, and is 25."]),
        ({**GOOD, "share": 0}, ["p.share: must be above 0, and is 0."]),
        ({**GOOD, "share": 1.0}, ["p.share: must be below 1, and is 1.0."]),
        ({**GOOD, "unit": "dai"}, ['p.unit: must be one of "day", "hours", and is "dai".']),
        ({**GOOD, "name": "A"}, ['p.name: must match the pattern ^[a-z]+$, and is "A".']),
        ({**GOOD, "from": 5}, ["p.from: must be null, text, an object {...} or a list [...], and is 5."]),
        ({**GOOD, "from": {"url": "x"}}, ["p.from.uri: is missing.", "p.from.url: is unknown. Did you mean 'uri'?"]),
        ({**GOOD, "from": [{"uri": "x"}, {"uri": 1}]}, ["p.from.1.uri: must be text, and is 1."]),
        ([], ["p: must be an object {...}, and is []."]),
        (GOOD, []),
    ],
)
def test_each_fault_is_a_sentence_with_its_place(value: Any, says: list[str]) -> None:
    assert schema_errors(value, SCHEMA, "p") == says
    assert Draft202012Validator(SCHEMA).is_valid(value) == (not says)


def test_long_values_are_shortened() -> None:
    (error,) = schema_errors("x" * 1000, {"type": "integer"}, "p")
    assert len(error) < 150


def test_the_old_name_of_a_property_is_refused_by_the_new() -> None:
    schema = {**SCHEMA, "x-renamed": {"col": "column", "every": "hours"}}
    assert schema_errors({**GOOD, "every": 1}, schema, "p") == ["p.every: is unknown. It is called 'hours' now."]
    # Nearer by its letters, or not: the list of what was renamed is sure.
    assert schema_errors({**GOOD, "col": "x"}, schema, "p") == ["p.col: is unknown. It is called 'column' now."]
    assert schema_errors({**GOOD, "hour": 1}, schema, "p") == ["p.hour: is unknown. Did you mean 'hours'?"]
