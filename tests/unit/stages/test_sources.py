"""Names and paths of sources: as short as they can be, and told apart."""

from __future__ import annotations

import pytest

from triptych.stages.sources import distinct_paths, plain_name


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
