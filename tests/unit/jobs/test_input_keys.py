"""Side inputs in a job spec: names, defaults of the template, what a caller may name, and what the form says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import write_app
from triptych.blocks import Template, read_catalog
from triptych.errors import JobSpecError
from triptych.jobs.locations import Location
from triptych.jobs.spec import JobSpec, build_job_spec
from triptych.jobs.template_check import check_locations

OWN: dict[str, Any] = {
    "partitioner": "replicate",
    "inputs": {
        "reference": {"uri": "s3://own/{{ ds }}/genome.fa", "conn_id": "own_store"},
        "index": "file:///own/index/",
        "model": None,
    },
}
DATES = {"ds": "2026-01-02"}
MODEL = "file:///model.onnx"


@pytest.fixture
def template(tmp_path: Path) -> Template:
    return write_app(tmp_path, "", template=OWN)


def _inputs(template: Template, conf: dict[str, Any]) -> dict[str, tuple[Location, ...]]:
    return dict(build_job_spec(template, conf, DATES).inputs)


def test_nested_wins_over_flat_and_flat_over_the_template(template: Template) -> None:
    own = Location("s3://own/2026-01-02/genome.fa", "own_store"), Location("file:///own/index/")
    flat: dict[str, Any] = {"inputs.model": MODEL}
    assert _inputs(template, flat) == {"reference": own[:1], "index": own[1:], "model": (Location(MODEL),)}
    flat["inputs.index"] = "file:///flat/"
    assert _inputs(template, flat)["index"] == (Location("file:///flat/"),)
    nested = {**flat, "inputs": {"index": ["file:///a", "file:///b"]}}
    assert _inputs(template, nested)["index"] == (Location("file:///a"), Location("file:///b"))


def test_null_says_that_none_is_wanted_and_an_emptied_field_does_not(template: Template) -> None:
    assert set(_inputs(template, {"inputs": {"model": None, "index": None}})) == {"reference"}
    emptied = {"inputs": None, "inputs.index": None, "inputs.reference": "", "inputs.model": MODEL}
    assert set(_inputs(template, emptied)) == {"reference", "index", "model"}


def test_what_the_form_gives_back_is_the_templates_own(template: Template) -> None:
    given = {"inputs.reference": OWN["inputs"]["reference"], "inputs.model": MODEL}
    assert _inputs(template, given) == _inputs(template, {"inputs.model": MODEL})


def test_a_template_without_inputs_leaves_their_names_to_the_job(tmp_path: Path) -> None:
    unnamed = write_app(tmp_path, "", template={"partitioner": "replicate"})
    assert set(_inputs(unnamed, {"inputs": {"genome.fa": MODEL}})) == {"genome.fa"}


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, r"inputs\.model: is missing: tried has no default for it\. Name a source \(`--input model=URI`\)"),
        ({"inputs": {"refrence": MODEL}}, r"inputs\.refrence: is unknown\. Did you mean 'reference'\?"),
        ({"inputs.refrence": MODEL}, r"inputs\.refrence: is unknown\. Did you mean 'reference'\?"),
        ({"inputs": {"a/b": MODEL}}, r"inputs: a name must be 1 to 64 letters, digits, .*, and is \"a/b\""),
        ({"inputs": {"..": MODEL}}, "inputs: a name must be 1 to 64 letters"),
        ({"inputs": [MODEL]}, r"inputs: must be null or an object \{\.\.\.\}"),
        ({"inputs": {"index": 1}}, r"inputs\.index: must be null, text"),
        ({"inputs": {"index": {"uri": "s3://a/b", "key": "x"}}}, r"inputs\.index\.key: is unknown"),
        ({"inputs": {"index": "s3://me:secret@b/k"}}, r"inputs\.index: holds credentials"),
        ({"inputs": {"index": "s3://[a/b"}}, "is no URI"),
    ],
)
def test_what_is_wrong_is_named(template: Template, conf: dict[str, Any], message: str) -> None:
    given = conf if conf == {} else {"inputs.model": MODEL, **conf}
    with pytest.raises(JobSpecError, match=message):
        build_job_spec(template, given, DATES, None)


def test_a_connection_that_nobody_listed_is_refused(template: Template) -> None:
    foreign = {"uri": "s3://b/k", "conn_id": "team_b"}
    given: list[dict[str, Any]] = [{"inputs": {"index": foreign}}, {"inputs.index": foreign}]
    for conf in given:
        with pytest.raises(JobSpecError, match=r"inputs\.index: the connection 'team_b' is none that"):
            build_job_spec(template, {"inputs.model": MODEL, **conf}, DATES)
    with pytest.raises(JobSpecError, match=r"inputs\.index\.1: names no connection"):
        build_job_spec(template, {"inputs.model": MODEL, "inputs": {"index": ["file:///a", "s3://b/k"]}}, DATES)
    listed = {"inputs.model": {"uri": "s3://b/k", "conn_id": "own_store"}}
    assert build_job_spec(template, listed, DATES).inputs["model"] == (Location("s3://b/k", "own_store"),)


def test_a_callers_text_is_data(template: Template) -> None:
    spec = build_job_spec(template, {"inputs": {"model": "file:///{{ ds }}"}}, DATES)
    assert spec.inputs["model"] == (Location("file:///{{ ds }}"),)


def test_json_and_back_is_the_same(template: Template) -> None:
    spec = build_job_spec(template, {"inputs.model": MODEL}, DATES)
    assert JobSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize(
    ("inputs", "location", "message"),
    [
        ({"in dex": MODEL}, "$.inputs", "a name must be 1 to 64 letters"),
        ({"index": "file:///{{ dss }}"}, "$.inputs.index", "only what a run knows"),
        ({"index": ["file:///a", "s3://me:x@b/k"]}, "$.inputs.index.1", "holds credentials"),
        ([MODEL], "$.inputs", "must be an object"),
    ],
)
def test_a_template_is_told_of_its_own(tmp_path: Path, inputs: Any, location: str, message: str) -> None:
    write_app(tmp_path, "")
    (tmp_path / "apps" / "tried" / "template.json").write_text(json.dumps({"inputs": inputs}))
    (error,) = read_catalog([tmp_path]).errors
    assert (error.location, message in error.message) == (location, True), error


def test_a_templates_location_that_no_store_could_take_is_told(tmp_path: Path) -> None:
    template = write_app(tmp_path, "", template={"inputs": {"index": ["file:///a", "s3://[a/b"]}})
    (diagnostic,) = check_locations(template)
    assert (diagnostic.location, "is no URI" in diagnostic.message) == ("$.inputs.index.1", True)
