"""sweep, urls, json_keys: what is drawn, what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from engines.harness import split
from triptych.errors import JobSpecError, SourceError
from triptych.settings import Settings


def test_a_random_sample_lies_in_its_ranges(settings: Settings) -> None:
    space = {
        "rate": {"low": 1e-4, "high": 1, "scale": "log"},
        "depth": {"low": 1, "high": 3, "integer": True},
        "k": ["a"],
    }
    pieces = split(settings, "sweep", [], {"mode": "random", "space": space, "samples": 300, "seed": 3})
    points = [json.loads(piece.data)["params"] for piece in pieces]
    assert len(points) == 300
    assert {point["depth"] for point in points} == {1, 2, 3}
    logs = [math.log10(point["rate"]) for point in points]
    assert -4 <= min(logs) < -3.8
    assert -0.2 < max(logs) <= 0
    assert (
        points[0]
        != json.loads(split(settings, "sweep", [], {"mode": "random", "space": space, "seed": 4})[0].data)["params"]
    )


def test_a_list_of_points(settings: Settings) -> None:
    pieces = split(settings, "sweep", [], {"mode": "list", "points": [{"a": 1}, {"b": [2]}]})
    assert [json.loads(piece.data)["params"] for piece in pieces] == [{"a": 1}, {"b": [2]}]


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({}, "space"),
        ({"mode": "list"}, "points"),
        ({"space": {"a": {"low": 0, "high": 1}}}, "is a range"),
        ({"mode": "random", "space": {"a": {"low": 2, "high": 1}}}, "high above low"),
        ({"mode": "random", "space": {"a": {"low": 0, "high": 1, "scale": "log"}}}, "log scale"),
    ],
)
def test_a_space_that_makes_no_sense(settings: Settings, params: dict[str, Any], says: str) -> None:
    with pytest.raises(JobSpecError, match=says):
        split(settings, "sweep", [], params)


def test_a_sweep_takes_no_source(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    with pytest.raises(JobSpecError, match="takes no source"):
        split(settings, "sweep", [tmp_path / "x"], {"space": {"a": [1]}})


def test_urls_from_the_parameters(settings: Settings) -> None:
    urls = [f"https://example.org/{n}" for n in range(5)]
    pieces = split(settings, "urls", [], {"urls": urls, "count": 2})
    assert [piece.data.decode().split() for piece in pieces] == [urls[:2], urls[2:4], urls[4:]]


@pytest.mark.parametrize(
    "url", ["example.org/a", "https://", "https://a b.example", "http://[::1", "https://a.example:port"]
)
def test_what_is_no_url(settings: Settings, url: str) -> None:
    with pytest.raises(SourceError, match=r"params.partitioner.urls.0"):
        split(settings, "urls", [], {"urls": [url]})


def test_a_path_that_leads_nowhere(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"data": {"n": 1}}')
    for wrong in ("items", "data.n"):
        with pytest.raises(SourceError, match=f"no array or object at '{wrong}'"):
            split(settings, "json_keys", [path], {"path": wrong})


def test_one_item_alone_is_itself(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"a": 1}, "two", [3]]')
    pieces = split(settings, "json_keys", [path], {})
    assert [json.loads(piece.data) for piece in pieces] == [{"a": 1}, "two", [3]]


def test_chunks_go_with_no_other_limit(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x\n")
    with pytest.raises(JobSpecError, match="goes with neither"):
        split(settings, "rows", [path], {"chunks": 2, "rows": 5})
