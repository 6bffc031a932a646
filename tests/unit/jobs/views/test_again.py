"""A job's spec as a conf: the same job comes of it, its locations with their services."""

from __future__ import annotations

from pathlib import Path

from tests.support.include_folders import write_app
from triptych.jobs.locations import Location
from triptych.jobs.spec import build_job_spec
from triptych.jobs.views.again import conf_of, unchanged
from triptych.schemas.services import Service

SCHEMA = {"type": "object", "properties": {"case": {"type": "string", "default": "keep"}}}


def test_the_same_job_comes_of_it(tmp_path: Path) -> None:
    template = write_app(tmp_path, "", schema=SCHEMA, template={"partitioner": "rows", "inputs": {"words": None}})
    conf = {
        "name": "my job",
        "params": {"app": {"case": "upper"}, "partitioner": {"format": "lines"}},
        "config": {"chunksPerTask": 3, "toleratedFailurePercentage": 5},
        "dataSource": ["file:///data/a.txt", {"uri": "s3://b/in/", "conn_id": "mine"}, {"manifest": "file:///m"}],
        "dataDestination": {"uri": "s3://b/out/", "conn_id": "mine"},
        "inputs": {"words": "https://example.com/words"},
    }
    old = build_job_spec(template, conf, allowed_connections=None)
    new = build_job_spec(template, conf_of(old), allowed_connections=None)
    assert unchanged(new, old) == old
    temporary = build_job_spec(template, {**conf, "dataDestination": {"dataSourceDescriptor": "bucket"}}, {}, None)
    assert temporary.temporary
    assert build_job_spec(template, conf_of(temporary), {}, None) == temporary


def test_a_service_that_a_uri_does_not_tell_is_kept(tmp_path: Path) -> None:
    template = write_app(tmp_path, "", template={"partitioner": "rows", "params": {"partitioner": {"format": "lines"}}})
    plain = build_job_spec(template, {"dataSource": {"uri": "s3://b/in/", "conn_id": "mine"}}, {}, None)
    served = Location("s3://b/in/", "mine", Service("wasabi", "eu-central-1"))
    old = type(plain)(**{**vars(plain), "sources": (served,)})
    new = build_job_spec(template, conf_of(old), {}, None)
    assert new.sources == plain.sources
    assert unchanged(new, old).sources == (served,)
