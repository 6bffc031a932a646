"""Destinations that would get in the way of what the job reads are refused, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from triptych.errors import JobSpecError
from triptych.jobs.locations import Location
from triptych.stages.publishing import check_destination


@pytest.mark.parametrize(
    ("source", "destination", "relation"),
    [
        ("s3://b/in/", "s3://b/in/", "is"),
        ("s3://b/in/", "s3://b/in", "is"),
        ("S3://b/in/", "s3://b/x/../in//", "is"),
        ("s3://b/a%20b/", "s3://b/a b/", "is"),
        ("s3://b/in/", "s3://b/in/out/", "lies inside"),
        ("s3://b/", "s3://b/out/", "lies inside"),
        ("s3://b/in/a.csv", "s3://b/in/", "holds"),
        ("s3://b/in/day/", "s3://b/in/", "holds"),
        ("s3://b/in/*.csv", "s3://b/in/", "holds"),
        ("s3://b/in/*.csv", "s3://b/", "holds"),
        ("s3://b/*/in/?.csv", "s3://b/today/in/", "holds"),
        ("file:///data/in/", "file:///data/in/", "is"),
        ("file://localhost/data/in/", "file:///data/in/out", "lies inside"),
        ("file:///data/in/a#1.csv", "file:///data/in/", "holds"),
        ("s3://b/in/a.csv", "s3://b/in/a.csv", "is"),
    ],
)
def test_overlapping_locations_are_refused(source: str, destination: str, relation: str) -> None:
    with pytest.raises(JobSpecError, match=f" {relation} dataSource"):
        check_destination(
            {"dataSource": [Location("s3://elsewhere/"), Location(source)]}, Location(destination, "other")
        )


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ("s3://b/in/", "s3://b/in-out/"),
        ("s3://b/in/", "s3://c/in/"),
        ("s3://b/in/", "file:///in/"),
        ("s3://b/in/*.csv", "s3://b/in/out/"),
        ("s3://b/in/a.csv", "s3://b/in/a.csv.d/"),
        ("s3://b/in/a.csv", "s3://b/out/"),
        ("s3://b/a*/x.csv", "s3://b/out/"),
        ("s3://b/In/", "s3://b/in/"),
        ("https://host/data/", "s3://host/data/"),
    ],
)
def test_others_are_taken(source: str, destination: str) -> None:
    check_destination({"dataSource": [Location(source)]}, Location(destination))


def test_a_link_to_the_source_is_the_source(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    with pytest.raises(JobSpecError, match="is dataSource"):
        check_destination(
            {"dataSource": [Location(f"{(tmp_path / 'in').as_uri()}/")]}, Location((tmp_path / "link").as_uri())
        )


def test_no_destination_is_in_no_way() -> None:
    check_destination({"dataSource": [Location("s3://b/in/")]}, None)


def test_a_side_input_is_told_by_its_key() -> None:
    reads = {"dataSource": [Location("s3://b/in/")], "inputs.index": [Location("s3://b/ref/")]}
    with pytest.raises(JobSpecError, match=r"dataDestination s3://b/ref/out/ lies inside inputs\.index s3://b/ref/"):
        check_destination(reads, Location("s3://b/ref/out/"))
