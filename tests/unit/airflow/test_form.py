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
from triptych.airflow.form_titles import title_of
from triptych.blocks import Role, Template
from triptych.errors import JobSpecError
from triptych.jobs.spec import build_job_spec
from triptych.schemas.properties import Leaf
from triptych.settings import get_settings

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


def test_what_every_job_needs_comes_first_in_the_section_that_is_open(template: Template) -> None:
    params = form_params(template)
    assert list(params)[:4] == ["dataSource", "app.column", "dataDestination", "name"]
    sections = {name: _schema(param).get("section") for name, param in params.items()}
    assert [name for name, section in sections.items() if section is None] == list(params)[:4]
    assert [sections[name] for name in ("app.hours", "config.jobTimeout", "params")] == ["App", "Run", "REST"]
    assert params["app.column"].schema["title"] == "Column (required)"


def test_each_side_input_of_the_template_is_a_field(tmp_path: Path) -> None:
    named = {"inputs": {"genome.fa": "s3://ref/genome.fa", "model": None}}
    params = form_params(write_app(tmp_path, "", template={**PARTS, **named}))
    fields = [(name, param.value, _schema(param)["title"]) for name, param in params.items() if "inputs" in name]
    assert fields == [
        ("inputs.genome.fa", "s3://ref/genome.fa", "Input: genome.fa"),
        ("inputs.model", None, "Input: model (required)"),
        ("inputs", None, "Inputs (REST)"),
    ]


CROP = {
    "$defs": {
        "size": {
            "type": "object",
            "required": ["width_px"],
            "properties": {
                "width_px": {"type": "integer", "minimum": 1},
                "height_px": {"type": "integer", "default": 480, "description": "Of the cut."},
            },
            "additionalProperties": False,
        }
    },
    "type": "object",
    "required": ["must"],
    "properties": {
        "crop": {"$ref": "#/$defs/size"},
        "must": {"$ref": "#/$defs/size"},
        "deep": {"type": "object", "properties": {"er": {"type": "object", "properties": {"x": {"type": "number"}}}}},
        "free": {"type": "object"},
        "either": {"type": "object", "properties": {"a": {}}, "oneOf": [{"required": ["a"]}, {}]},
    },
    "additionalProperties": False,
}


def test_objects_are_fields_with_dots_whatever_leads_to_them(tmp_path: Path) -> None:
    template = write_app(tmp_path, "", schema=CROP, template={**PARTS, "params": {"app": {"deep": {"er": {"x": 2}}}}})
    fields = {name: param for name, param in form_params(template).items() if name.startswith("app.")}
    assert {name: (param.value, param.schema["title"]) for name, param in fields.items()} == {
        "app.crop.width_px": (None, "Crop: width (px)"),
        "app.crop.height_px": (None, "Crop: height (px)"),
        "app.must.width_px": (None, "Must: width (px) (required)"),
        "app.must.height_px": (None, "Must: height (px)"),
        "app.deep.er.x": (2, "Deep: er: x"),
        "app.free": (None, "Free"),
        "app.either": (None, "Either"),
    }
    assert fields["app.crop.height_px"].description == "Of the cut. Default: 480."


def test_what_fields_with_dots_say_is_the_object(tmp_path: Path) -> None:
    own = {"crop": {"width_px": 7, "height_px": 8}}
    template = write_app(tmp_path, "", schema=CROP, template={**PARTS, "params": {"app": own}})

    def app(conf: dict[str, Any]) -> Any:
        return build_job_spec(template, {"dataSource": "file:///in", "app.must.width_px": 1, **conf}).params[Role.APP]

    assert app({"app.crop.height_px": 9}) == {"crop": {"width_px": 7, "height_px": 9}, "must": {"width_px": 1}}
    assert app({"app.crop.width_px": None, "app.deep.er.x": 3})["deep"] == {"er": {"x": 3}}
    assert app({"app.crop": {"width_px": 5}, "app.crop.height_px": 6})["crop"] == {"width_px": 5, "height_px": 6}
    assert app({"params": {"app": {"crop": {"width_px": 4}, "must": {"width_px": 2}}}})["crop"] == {"width_px": 4}
    for wrong in ({"app.crop.widht_px": 1}, {"app.crop.width_px": 0}, {"app.must.width_px": None}):
        with pytest.raises(JobSpecError, match=r"widht_px|width_px|params.app.must: is missing"):
            app(wrong)


def test_references_that_multiply_make_no_endless_form(tmp_path: Path) -> None:
    many = {f"p{number}": {"$ref": "#/$defs/all"} for number in range(30)}
    schema = {"type": "object", "$defs": {"all": {"type": "object", "properties": many}}, "properties": many}
    fields = form_params(write_app(tmp_path, "", schema=schema, template=PARTS))
    assert sum(name.startswith("app.") for name in fields) == 30


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("min_silence_ms", "Min silence (ms)"),
        ("items_per_chunk", "Items per chunk"),
        ("taskTimeout", "Task timeout"),
        ("CSV", "CSV"),
        ("s", "S"),
        ("_", "_"),
        ("chunk-mib", "Chunk (MiB)"),
    ],
)
def test_a_field_without_a_title_has_its_key_in_words(key: str, title: str) -> None:
    assert title_of(Leaf((key,), {}, is_required=False)) == title


def test_a_location_is_one_line_unless_the_templates_is_an_object(tmp_path: Path) -> None:
    """Airflow shows a field of several types as a box, but for those with examples (its ui, `FlexibleForm`)."""
    plain = form_params(write_app(tmp_path / "1", "", template=PARTS))
    assert "s3://bucket/folder/" in plain["dataSource"].schema["examples"]
    source = {"dataSource": {"uri": "s3://b/k", "conn_id": "mine"}}
    assert (
        "examples" not in form_params(write_app(tmp_path / "2", "", template={**PARTS, **source}))["dataSource"].schema
    )


def test_a_template_without_side_inputs_has_one_field_for_them(template: Template) -> None:
    params = form_params(template)
    assert [name for name in params if "inputs" in name] == ["inputs"]
    assert _schema(params["inputs"])["section"] == "Run"
    assert params["inputs"].resolve() is None
    with pytest.raises(ParamValidationError):
        Param("genome.fa", schema=_schema(params["inputs"])).resolve()


@pytest.mark.parametrize(("setting", "begins"), [("yes", True), ("no", False), (None, False)])
def test_a_form_may_begin_with_the_apps_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str | None, begins: bool
) -> None:
    if setting:
        monkeypatch.setenv("AIRFLOW__TRIPTYCH__PREFILL_SAMPLES", setting)
    get_settings.cache_clear()
    made = write_app(tmp_path, "", template={**PARTS, "inputs": {"words": None, "own": "s3://bucket/own"}})
    test = made.app.folder / "test"
    (test / "words").mkdir(parents=True)
    for name in ("a.txt", "SOURCE.md"):
        (test / name).touch()
    (test / "case.json").write_text('{"inputs": {"words": "words/", "own": "a.txt"}}')
    params = form_params(made)
    get_settings.cache_clear()
    found = [params[name].value for name in ("dataSource", "inputs.words", "inputs.own")]
    words, sample = f"{(test / 'words').as_uri()}/", (test / "a.txt").as_uri()
    assert found == [sample if begins else None, words if begins else None, "s3://bucket/own"]


def test_what_a_template_names_itself_goes_before_a_sample(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__PREFILL_SAMPLES", "yes")
    get_settings.cache_clear()
    (template.app.folder / "test").mkdir()
    (template.app.folder / "test" / "a.txt").touch()
    value = form_params(template)["dataSource"].value
    get_settings.cache_clear()
    assert value == "s3://bucket/in/"
