"""The schemas of our own files: what editors and reference pages need of them, beyond what reading does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from triptych.schemas.files import FOLDER, Kind, own_schema, own_validator
from triptych.schemas.judging import draft_of
from triptych.settings import PROJECT

INCLUDE = PROJECT / "include"
FILES = [
    *((path, Kind.MANIFEST) for path in sorted(INCLUDE.rglob("manifest.json"))),
    *((path, Kind.TEMPLATE) for path in sorted(INCLUDE.rglob("template.json"))),
    *((path, Kind.CASE) for path in sorted(INCLUDE.rglob("case.json"))),
]


def _objects(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schema and each object in it whose keys it lists."""
    yield schema
    for inner in schema.get("properties", {}).values():
        if "properties" in inner:
            yield from _objects(inner)


@pytest.mark.parametrize("kind", list(Kind))
def test_it_is_a_schema_and_says_what_each_key_means(kind: Kind) -> None:
    schema = own_schema(kind)
    draft_of(schema).check_schema(dict(schema))
    for each in _objects(schema):
        for key, inner in each["properties"].items():
            assert inner.get("description", "").endswith((".", "below")), f"{kind}: {key}"


@pytest.mark.parametrize("kind", [Kind.MANIFEST, Kind.TEMPLATE, Kind.CASE])
def test_an_editor_knows_the_other_spelling_of_each_key(kind: Kind) -> None:
    for each in _objects(own_schema(kind)):
        for key in (key for key in each["properties"] if "_" in key):
            camel = re.sub(r"_(\w)", lambda found: found[1].upper(), key)
            (reference,) = [value for pattern, value in each["patternProperties"].items() if re.search(pattern, camel)]
            assert reference["$ref"].endswith(f"/{key}")


@pytest.mark.parametrize(("path", "kind"), FILES, ids=lambda value: str(value).removeprefix(f"{INCLUDE}/"))
def test_our_own_files_are_as_an_editor_wants_them(path: Path, kind: Kind) -> None:
    data = json.loads(path.read_text())
    assert list(own_validator(kind).iter_errors(data)) == []
    assert (path.parent / data["$schema"]).resolve() == FOLDER / kind.file_name


def test_an_editor_sees_what_reading_refuses() -> None:
    judge = own_validator(Kind.MANIFEST).is_valid
    sound: dict[str, Any] = {"name": "a", "version": "1.0", "platformConfig": {"container": "x"}}
    assert judge(sound)
    assert judge({"id": "a", "version": "1.0", "type": "partitioner", "platform": "python"})
    assert not judge({**sound, "platformConfig": {}})
    assert not judge({**sound, "platformConfig": {"container": "x", "registryPassword": "p"}})
    assert not judge({**sound, "platform": "python"})
    assert not judge({"version": "1.0", "platformConfig": {"container": "x"}})


def test_a_job_may_name_its_schema() -> None:
    judge = own_validator(Kind.JOB).is_valid
    assert judge({"$schema": "job.schema.json", "app.case": "fold", "config": None, "dataSource": ["s3://a/b"]})
    assert not judge({"dataSorce": "s3://a/b"})
