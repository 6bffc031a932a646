"""Names and paths of sources: as short as they can be, and told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from triptych.jobs.locations import Location
from triptych.jobs.sources import resolve_sources
from triptych.settings import read_settings
from triptych.stages.sources import distinct_paths, engine_sources, plain_name, relative_paths
from triptych.storage import Stores


@pytest.mark.parametrize(
    ("uris", "paths"),
    [
        (["s3://b/in/tone.wav"], ["tone.wav"]),
        (["file:///in/a/t.wav", "file:///in/b/t.wav", "file:///in/c/u.wav"], ["a/t.wav", "b/t.wav", "u.wav"]),
        (["s3://one/x/t", "s3://two/x/t"], ["one/x/t", "two/x/t"]),
        (["file:///t", "file:///a/t"], ["t", "a/t"]),
        (["file:///a/t", "file:///a/t"], ["000000_t", "000001_t"]),
        (["file:///a%20b/t", "file:///c%23d/t"], ["a b/t", "c#d/t"]),
        ([], []),
    ],
)
def test_a_path_has_folders_as_far_as_they_differ(uris: list[str], paths: list[str]) -> None:
    assert distinct_paths(uris) == paths


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("s3://bucket/deep/two%20words.csv", "two words.csv"),
        ("file:///a/b%2Fc", "b_c"),
        ("file:///a/100%25", "100%"),
        ("file:///a/b#c.txt", "b#c.txt"),
        ("s3://bucket", "data.bin"),
    ],
)
def test_a_name_is_the_last_part_decoded(uri: str, name: str) -> None:
    assert plain_name(uri) == name


@pytest.mark.parametrize(
    ("below", "paths", "relative"),
    [
        (["2024/a%20b.png", ""], ["a b.png", "c.png"], ["2024/a b.png", "c.png"]),
        (["x/t", "x/t"], ["in/x/t", "more/x/t"], ["000000_x/t", "000001_x/t"]),
        (["../..%2Fetc/./a:b"], ["a:b"], ["_/.._etc/_/a:b"]),
        ([], [], []),
    ],
)
def test_a_relative_path_is_the_decoded_end(below: list[str], paths: list[str], relative: list[str]) -> None:
    assert relative_paths(below, paths) == relative


@pytest.mark.parametrize("pattern", ["", "*/*/?.txt"])
def test_folders_below_the_one_that_the_job_names_are_kept(tmp_path: Path, pattern: str) -> None:
    for name in ("in/one two/2024/a.txt", "in/one two/2025/b.txt", "alone/c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    named = [Location(f"{(tmp_path / 'in').as_uri()}/{pattern}"), Location((tmp_path / "alone" / "c.txt").as_uri())]
    stores = Stores(read_settings({"allowed_roots": str(tmp_path)}))
    (tmp_path / "scratch").mkdir()
    sources = engine_sources(resolve_sources(named, stores), stores, tmp_path / "scratch")
    assert [source.relative_path for source in sources] == ["one two/2024/a.txt", "one two/2025/b.txt", "c.txt"]
    assert [source.path for source in sources] == ["a.txt", "b.txt", "c.txt"]
