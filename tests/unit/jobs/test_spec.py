"""Merging and refusing job specs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from triptych.blocks import Role, Template
from triptych.errors import JobSpecError
from triptych.jobs.locations import Location
from triptych.jobs.spec import JobSpec, build_job_spec
from triptych.schemas.services import Service

ROWS = {"partitioner": "rows", "assembler": "concat", "params": {"partitioner": {"items_per_chunk": 10}}}


NESTED: dict[str, object] = {}
for _ in range(5000):
    NESTED = {"a": NESTED}


@pytest.fixture
def template(tmp_path: Path) -> Template:
    return write_app(tmp_path, "", template={**ROWS, "dataSource": "s3://bucket/{{ ds }}/*.csv"})


def test_nested_wins_over_flat_and_flat_over_the_template(template: Template) -> None:
    assert build_job_spec(template, {}, {"ds": "2026-01-02"}).params[Role.PARTITIONER]["items_per_chunk"] == 10
    flat = {"partitioner.items_per_chunk": 20, "dataSource": "file:///a"}
    assert build_job_spec(template, flat).params[Role.PARTITIONER]["items_per_chunk"] == 20
    both = {**flat, "params": {"partitioner": {"items_per_chunk": 30}}}
    assert build_job_spec(template, both).params[Role.PARTITIONER]["items_per_chunk"] == 30


def test_the_logical_date_fills_the_source(template: Template) -> None:
    spec = build_job_spec(template, {}, {"ds": "2026-01-02"})
    assert spec.sources[0].uri == "s3://bucket/2026-01-02/*.csv"
    with pytest.raises(JobSpecError, match="no logical date"):
        build_job_spec(template, {})


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"dataSorce": "file:///a"}, "Did you mean 'dataSource'"),
        ({"partitioner.item_per_chunk": 1}, r"Did you mean 'partitioner.items_per_chunk'"),
        (
            {"params": {"partitioner": {"items_per_chunk": 0}}},
            "params.partitioner.items_per_chunk: must be at least 1, and is 0",
        ),
        (
            {"params": {"partitioner": {"item_per_chunk": 1}}},
            "item_per_chunk: is unknown. Did you mean .items_per_chunk.",
        ),
        ({"config": {"taskTimeout": "soon"}}, "config.taskTimeout"),
        ({"config": {"sample": 0}}, "config.sample: must be at least 1, and is 0"),
        ({"config": {"existing": "keep"}}, "config.existing: must be one of"),
        ({"dataSource": {"dataSourceDescriptor": "s3", "params": {}}}, "dataSource.params.bucketName: is missing"),
        ({"dataSource": "s3://[a/b"}, "is no URI: Invalid IPv6 URL"),
        ({"dataDestination": "s3://a\u2100/"}, "is no URI: netloc"),
        ({"dataSource": ["s3://a/b", {"uri": "s3://a/b\tc"}]}, r"holds no '\\t'"),
        (
            {"dataSource": {"dataSourceDescriptor": "s3", "params": {"bucket": "a\ud800"}}},
            "holds half a surrogate pair",
        ),
        ({"name": "a\0b"}, r"conf\.name: holds a NUL"),
        ({"params": {"app": {"\ud800": 1}}}, "holds half a surrogate pair"),
        ({"params": {"app": {"a": 10**5000}}}, r"conf\.params\.app\.a: is a number of 16610 bits"),
        ({"params": {"app": {"a": float("nan")}}}, r"conf\.params\.app\.a: is nan, which is no JSON"),
        ({"params": {"app": NESTED}}, "more than 64 deep"),
    ],
)
def test_what_is_wrong_is_named(template: Template, conf: dict[str, object], message: str) -> None:
    with pytest.raises(JobSpecError, match=message):
        build_job_spec(template, {"dataSource": "file:///a", **conf})


EMPTY: list[object] = [None, [], ""]


@pytest.mark.parametrize("conf", [{}, *({key: none} for key in ("dataSource", "data_source") for none in EMPTY)])
def test_a_partitioner_that_cuts_a_source_wants_one(tmp_path: Path, conf: dict[str, object]) -> None:
    template = write_app(tmp_path, "", template=ROWS)
    with pytest.raises(JobSpecError, match=r"dataSource: is missing\. The partitioner rows@1\.0 cuts a source"):
        build_job_spec(template, conf)
    assert build_job_spec(template, {**conf, "config": {"allowEmpty": True}}).sources == ()


@pytest.mark.parametrize("none", EMPTY)
def test_none_means_none_whatever_the_template_says(tmp_path: Path, none: object) -> None:
    own = {"partitioner": "replicate", "dataSource": "s3://bucket/a", "dataDestination": {"uri": "s3://bucket/out/"}}
    template = write_app(tmp_path, "", template=own)
    spec = build_job_spec(template, {"dataSource": none, "dataDestination": none})
    assert (spec.sources, spec.destination, spec.temporary) == ((), None, False)
    given = build_job_spec(template, {"name": "n"})
    assert ([source.uri for source in given.sources], given.destination) == (
        ["s3://bucket/a"],
        Location("s3://bucket/out/"),
    )


def test_an_empty_object_says_nothing(tmp_path: Path) -> None:
    """As clients of other services send what they have not set: null and `[]` say "none", this does not."""
    inputs: dict[str, object] = {"index": "s3://bucket/index", "words": None}
    own = {"partitioner": "replicate", "dataSource": "s3://bucket/a", "dataDestination": BUCKET, "inputs": inputs}
    unset: dict[str, object] = {"dataSource": {}, "data_destination": {}, "inputs": {"index": {}, "words": None}}
    spec = build_job_spec(write_app(tmp_path, "", template=own), unset)
    assert [source.uri for source in spec.sources] == ["s3://bucket/a"]
    assert (spec.destination, spec.temporary) == (None, True)
    assert {name: [each.uri for each in source] for name, source in spec.inputs.items()} == {
        "index": ["s3://bucket/index"]
    }
    bare = write_app(tmp_path, "", name="bare", template={**ROWS, "dataSource": {}, "dataDestination": {}})
    with pytest.raises(JobSpecError, match=r"dataSource: is missing\."):
        build_job_spec(bare, {"dataSource": {}})
    spec = build_job_spec(bare, {"dataSource": BYPASS, "dataDestination": {}})
    assert (spec.sources, spec.destination, spec.temporary) == ((), None, False)
    with pytest.raises(JobSpecError, match=r"dataSource\.1\.uri: is missing"):
        build_job_spec(bare, {"dataSource": ["s3://bucket/a", {}]})


BYPASS: dict[str, object] = {"dataSourceDescriptor": "bypass", "params": {}}
BUCKET: dict[str, object] = {"dataSourceDescriptor": "bucket"}


@pytest.mark.parametrize("template", [{}, {"dataSource": BYPASS, "dataDestination": BUCKET}], ids=["job", "template"])
def test_bypass_is_a_source_and_bucket_a_destination(tmp_path: Path, template: dict[str, object]) -> None:
    """Of a partitioner that wants one, too."""
    found = write_app(tmp_path, "", template={**ROWS, **template})
    spec = build_job_spec(found, {} if template else {"data_source": BYPASS, "data_destination": BUCKET})
    assert (spec.sources, spec.destination, spec.temporary) == ((), None, True)
    assert JobSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert not build_job_spec(found, {"dataSource": BYPASS, "dataDestination": BYPASS}).temporary


def test_a_location_that_is_given_twice_is_refused(template: Template) -> None:
    with pytest.raises(JobSpecError, match="data_source: is the same as dataSource: give one of them"):
        build_job_spec(template, {"dataSource": "file:///a", "data_source": "file:///a"})


def test_a_partitioner_that_makes_its_own_chunks_wants_no_source(tmp_path: Path) -> None:
    assert build_job_spec(write_app(tmp_path, "", template={"partitioner": "replicate"}), {}).sources == ()


def test_an_emptied_field_of_the_form_means_the_default(template: Template) -> None:
    conf = {"dataSource": "file:///a", "config.existing": None, "config.jobTimeout": None, "config.sample": None}
    config = build_job_spec(template, conf).config
    assert (config["existing"], config["jobTimeout"], config["sample"]) == ("add", 86400, None)


def test_json_and_back_is_the_same(template: Template) -> None:
    wasabi = {"bucketName": "b", "name": "/c", "cloudRegion": "eu-central-1"}
    destination = {"dataSourceDescriptor": "wasabi", "params": wasabi}
    spec = build_job_spec(template, {"dataSource": "file:///a", "dataDestination": destination}, None, None)
    assert spec.destination == Location("s3://b/c", None, Service("wasabi", "eu-central-1"))
    assert JobSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
