"""sweep, urls, json_keys: what is drawn, what is refused."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.engine_harness import split
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


def test_each_point_sees_each_source_whole_and_nothing_is_copied(settings: Settings, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.bin", "b.bin", "empty.bin")]
    for path, data in zip(paths, (b"\0one\n", b"\xfftwo", b""), strict=True):
        path.write_bytes(data)
    params = {"space": {"rate": [1, 2]}, "replicates": 2, "seed": 5, "layout": "data_only"}
    pieces = split(settings, "sweep", paths, params)
    assert [piece.data for piece in pieces] == [b"\0one\n"] * 4 + [b"\xfftwo"] * 4
    told = [
        [piece.metadata[key] for key in ("source", "data_part", "point", "replicate", "params", "seed")]
        for piece in pieces
    ]
    points = [[0, 0, {"rate": 1}, 5], [0, 1, {"rate": 1}, 6], [1, 0, {"rate": 2}, 7], [1, 1, {"rate": 2}, 8]]
    assert told == [["a.bin", 0, *point] for point in points] + [["b.bin", 1, *point] for point in points]
    assert not any(piece.copied for piece in pieces)
    # Another part of a source would be one that an assembler by sources joins with it.
    assert not any("source_index" in piece.metadata for piece in pieces)
    first = split(settings, "sweep", paths, {**params, "layout": "point_first"})
    assert [piece.data.partition(b"\n")[2] for piece in first] == [piece.data for piece in pieces]
    assert [json.loads(piece.data.partition(b"\n")[0])["seed"] for piece in first] == [5, 6, 7, 8] * 2
    (alone,) = split(settings, "sweep", paths, {"space": {"rate": [1]}, "parts": "all", "layout": "data_only"})
    assert alone.data == b"\0one\n\xfftwo"


def test_a_part_that_is_no_range_is_behind_its_point_too(settings: Settings, tmp_path: Path) -> None:
    """Packed text is cut in memory, Parquet into files."""
    packed, table = tmp_path / "t.csv.gz", tmp_path / "t.parquet"
    packed.write_bytes(gzip.compress(b"id\n1\n2\n3\n"))
    pq.write_table(pa.table({"id": [1, 2, 3]}), table)
    params = {"space": {"rate": [0.1, 0.2]}, "parts": "rows", "items_per_chunk": 2}
    texts = [piece.data.partition(b"\n")[2] for piece in split(settings, "sweep", [packed], params)]
    assert texts == [b"id\n1\n2\n"] * 2 + [b"id\n3\n"] * 2
    cut = split(settings, "sweep", [table], params)
    rows = [pq.read_table(pa.BufferReader(piece.data.partition(b"\n")[2])).column("id").to_pylist() for piece in cut]
    assert rows == [[1, 2], [1, 2], [3], [3]]
    plain = split(settings, "sweep", [table], {**params, "layout": "data_only"})
    assert [piece.data for piece in plain] == [piece.data.partition(b"\n")[2] for piece in cut]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, r"1,000,000, 1,000,000 chunks, and 100,000 are the most"),
        ({"max_chunks": 1_000_000, "mode": "random", "samples": 600_001}, "600,001 for each of 2 parts"),
        ({"max_chunks": 3, "parts": "rows", "mode": "list", "points": [{}], "items_per_chunk": 1}, "at least 4 parts"),
    ],
)
def test_products_that_are_too_many_are_refused(
    settings: Settings, tmp_path: Path, more: dict[str, Any], says: str
) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("1\n2\n3\n")
    sources = [] if not more else [tmp_path / "a.txt", tmp_path / "b.txt"]
    params = {"space": {name: list(range(100)) for name in "abc"}, **more}
    with pytest.raises(JobSpecError, match=says):
        split(settings, "sweep", sources, params)


def test_urls_from_the_parameters(settings: Settings) -> None:
    urls = [f"https://example.org/{n}" for n in range(5)]
    pieces = split(settings, "urls", [], {"urls": urls, "items_per_chunk": 2})
    assert [piece.data.decode().split() for piece in pieces] == [urls[:2], urls[2:4], urls[4:]]


def test_a_host_of_many_urls_has_several_chunks(settings: Settings) -> None:
    urls = ["https://b.example/1", "https://a.example/2", "https://b.example/3", "https://b.example/4"]
    pieces = split(settings, "urls", [], {"urls": urls, "by_host": True, "items_per_chunk": 2})
    assert [piece.data.decode().split() for piece in pieces] == [[urls[1]], [urls[0], urls[2]], [urls[3]]]


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
        split(settings, "rows", [path], {"chunks": 2, "items_per_chunk": 5})


def test_chunks_are_the_words_of_the_source(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"x": [1.10, 1e2,\n {"a":\n\t1}, "\\u00fc"], "y": {"k":\r\n0, "k": [] }}')
    cases: list[tuple[dict[str, Any], list[bytes]]] = [
        ({"path": "x", "items_per_chunk": 3}, [b'[1.10, 1e2,\n {"a":\n\t1}]', b'["\\u00fc"]']),
        ({"path": "x"}, [b"1.10", b"1e2", b'{"a":\n\t1}', b'"\\u00fc"']),
        ({"path": "x", "items_per_chunk": 3, "layout": "jsonl"}, [b'1.10\n1e2\n{"a": \t1}\n', b'"\\u00fc"\n']),
        ({"path": "y"}, [b'{"k":\r\n0}', b'{"k": []}']),
        ({"path": "y", "items_per_chunk": 9, "layout": "jsonl"}, [b'{"k":  0}\n{"k": []}\n']),
    ]
    for params, expected in cases:
        pieces = split(settings, "json_keys", [path], params)
        assert [piece.data for piece in pieces] == expected
        assert [piece.copied for piece in pieces] == ["layout" in params] * len(expected)


def test_arrays_in_an_array_each_have_chunks_of_their_own(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"pages": [{"rows": [1, 2, 3]}, {"rows": []}, {"rows": [4]}]}')
    pieces = split(settings, "json_keys", [path], {"path": "pages.item.rows", "items_per_chunk": 2})
    assert [json.loads(piece.data) for piece in pieces] == [[1, 2], [3], [4]]
    assert [piece.metadata["first_item"] for piece in pieces] == [0, 2, 3]


@pytest.mark.parametrize(
    ("engine", "text", "chunk"),
    [
        ("json_keys", '{"one": 1}', '{"one": 1}'),
        ("json_keys", '[ "one" ]', '"one"'),
        ("urls", "https://one.example", "https://one.example\n"),
    ],
)
def test_one_item_is_one_chunk_and_fewer_than_fit_too(
    settings: Settings, tmp_path: Path, engine: str, text: str, chunk: str
) -> None:
    path = tmp_path / "one.txt"
    path.write_text(text)
    (one,) = split(settings, engine, [path], {"items_per_chunk": 1})
    assert (one.data.decode(), one.items) == (chunk, 1)
    (fewer,) = split(settings, engine, [path], {"items_per_chunk": 100})
    assert fewer.items == 1


@pytest.mark.parametrize("text", ["[]", " {} \n", '{"items": [ ]}'])
def test_nothing_to_take_apart_is_no_chunk(settings: Settings, tmp_path: Path, text: str) -> None:
    path = tmp_path / "none.json"
    path.write_text(text)
    assert split(settings, "json_keys", [path], {"path": "items" if "items" in text else ""}) == []
