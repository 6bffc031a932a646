"""The trigger form: what it asks, and what Airflow lets through of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Param
from airflow.sdk.exceptions import ParamValidationError
from jsonschema import Draft202012Validator

from tests.support.include_folders import write_app
from triptych.airflow.form import form_params
from triptych.blocks import Template

SCHEMA = {
    "required": ["column"],
    "properties": {
        "column": {"type": "string", "title": "Column", "minLength": 1},
        "hours": {"type": ["integer", "null"], "default": 3, "minimum": 1},
        "unit": {"enum": ["day", "hour"], "default": "day"},
        "free": {"description": "Anything."},
    },
}
PARTS: dict[str, Any] = {"partitioner": "passthrough", "assembler": "passthrough"}


@pytest.fixture
def template(tmp_path: Path) -> Template:
    given = {"params": {"app": {"hours": 5}}, "dataSource": "s3://bucket/in/", "config": {"isTestJob": True}}
    return write_app(tmp_path, "", schema=SCHEMA, template={**PARTS, **given})


def _schema(param: Param) -> dict[str, Any]:
    return dict(param.schema)


def test_each_parameter_is_a_field_with_the_templates_default(template: Template) -> None:
    params = form_params(template)
    fields = {name: param.value for name, param in params.items() if name.startswith("app.")}
    assert fields == {"app.column": None, "app.hours": 5, "app.unit": "day", "app.free": None}
    assert params["dataSource"].value == "s3://bucket/in/"
    assert params["config.isTestJob"].value is True


def test_every_field_may_stay_empty(template: Template) -> None:
    """A required one too: the full schema judges the merged job in `partition`."""
    for name, param in form_params(template).items():
        assert Param(None, schema=_schema(param)).resolve(suppress_exception=False) is None, name


@pytest.mark.parametrize("none", [None, [], {}])
def test_source_and_destination_are_let_through_where_a_caller_wants_none(template: Template, none: Any) -> None:
    for key in ("dataSource", "dataDestination"):
        assert Param(none, schema=_schema(form_params(template)[key])).resolve() == none


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [("app.column", "at", ""), ("app.hours", 1, 0), ("app.unit", "hour", "week"), ("config.jobTimeout", 1, "long")],
)
def test_a_value_is_judged_at_launch(template: Template, field: str, good: Any, bad: Any) -> None:
    schema = _schema(form_params(template)[field])
    assert Param(good, schema=schema).resolve() == good
    with pytest.raises(ParamValidationError):
        Param(bad, schema=schema).resolve()


@pytest.mark.parametrize(
    ("nested", "is_right"),
    [
        ({"app": {"hours": 4}}, True),
        ({"app": {}, "partitioner": {}}, True),
        ({"app": {"hours": 0}}, False),
        ({"apps": {}}, False),
        (None, True),
    ],
)
def test_the_nested_form_is_judged_too_but_for_what_lacks(template: Template, nested: Any, is_right: bool) -> None:
    schema = _schema(form_params(template)["params"])
    assert Draft202012Validator(schema).is_valid(nested) == is_right


def test_what_every_job_needs_comes_first(template: Template) -> None:
    params = form_params(template)
    assert list(params)[:4] == ["name", "dataSource", "dataDestination", "app.column"]
    assert [_schema(params[name])["section"] for name in ("name", "app.hours", "config.jobTimeout", "params")] == [
        "Data",
        "App",
        "Run",
        "REST",
    ]


def test_each_side_input_of_the_template_is_a_field(tmp_path: Path) -> None:
    named = {"inputs": {"genome.fa": "s3://ref/genome.fa", "model": None}}
    params = form_params(write_app(tmp_path, "", template={**PARTS, **named}))
    fields = [(name, param.value, _schema(param)["section"]) for name, param in params.items() if "inputs" in name]
    assert fields == [
        ("inputs.genome.fa", "s3://ref/genome.fa", "Data"),
        ("inputs.model", None, "Data"),
        ("inputs", None, "REST"),
    ]


def test_a_template_without_side_inputs_has_one_field_for_them(template: Template) -> None:
    params = form_params(template)
    assert [name for name in params if "inputs" in name] == ["inputs"]
    assert _schema(params["inputs"])["section"] == "Data"
    assert params["inputs"].resolve() is None
    with pytest.raises(ParamValidationError):
        Param("genome.fa", schema=_schema(params["inputs"])).resolve()
