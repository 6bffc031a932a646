"""What partitioners tell assemblers: read back as it was written, grouped by source, refused where it is not whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from triptych.engines.api import Result
from triptych.engines.contracts import Place, by_source, output_names
from triptych.errors import EngineError


@dataclass(frozen=True)
class Size:
    width_px: int


@dataclass(frozen=True, kw_only=True)
class Tile(Place):
    x_px: int
    start_s: float = 0.0
    size: Size | None = None
    titles: tuple[str, ...] | None = None


@dataclass(frozen=True)
class FakeResult:
    """As much of a result as contracts read."""

    label: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def error(self, text: str) -> EngineError:
        return EngineError(f"{self.label}: {text}")


def _result(label: str, **metadata: Any) -> Result:
    return cast("Result", FakeResult(label, metadata))


def _part(source: int, part: int, parts: int) -> Result:
    place = Place(source_index=source, source=f"{source}/a.wav")
    return _result(f"{source}.{part}", **place.to_metadata(), part=part, parts=parts)


def test_a_place_is_read_as_it_was_written() -> None:
    place = Tile(source_index=1, source="a", x_px=3, start_s=1, size=Size(7), titles=("One", "Two"))
    stored = json.loads(json.dumps(place.to_metadata()))
    assert Tile.from_metadata(_result("chunk 0", **stored, more=1)) == place


def test_a_field_with_a_default_may_be_missing() -> None:
    assert Tile.from_metadata(_result("", source_index=0, source="a", x_px=1)) == Tile(
        source_index=0, source="a", x_px=1
    )


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({}, r"chunk 0: its metadata is no Tile: 'x_px' is missing\. Cut with a partitioner that this joins with"),
        ({"x_px": "3"}, "'x_px' is '3'"),
        ({"x_px": True}, "'x_px' is True"),
        ({"x_px": 1, "size": 3}, "'size' is 3"),
        ({"x_px": 1, "size": {}}, "'width_px' is missing"),
        ({"x_px": 1, "titles": "One"}, "'titles' is 'One'"),
        ({"x_px": 1, "titles": [1]}, r"'titles' is \[1\]"),
    ],
)
def test_metadata_that_is_no_place_is_refused(metadata: dict[str, Any], says: str) -> None:
    with pytest.raises(EngineError, match=says):
        Tile.from_metadata(_result("chunk 0", source_index=0, source="a", **metadata))


def test_parts_are_grouped_by_source_in_their_order() -> None:
    groups = by_source([_part(1, 1, 2), _part(0, 0, 1), _part(1, 0, 2)], Place)
    assert [(group.source, [part.number for part in group.parts]) for group in groups] == [
        ("0/a.wav", [0]),
        ("1/a.wav", [0, 1]),
    ]


def test_a_missing_part_is_refused_or_left_out() -> None:
    results = [_part(0, 0, 3), _part(0, 2, 3)]
    with pytest.raises(EngineError, match=r"0\.0: of the 3 parts of 0/a\.wav, 1 left no file: 1\. Run"):
        by_source(results, Place)
    (group,) = by_source(results, Place, on_missing="skip")
    assert [part.number for part in group.parts] == [0, 2]


def test_a_part_of_two_files_is_refused() -> None:
    with pytest.raises(EngineError, match=r"part 0 of 0/a\.wav has 2 files"):
        by_source([_part(0, 0, 1), _part(0, 0, 1)], Place)


def test_results_without_any_place_are_one_group() -> None:
    (group,) = by_source([_result("x"), _result("y")], Place, unplaced="all")
    assert (group.source, [part.result.label for part in group.parts]) == ("all", ["x", "y"])
    with pytest.raises(EngineError, match="'source_index' is missing"):
        by_source([_result("x")], Place)


def test_outputs_are_named_after_their_sources() -> None:
    assert output_names(["a/t.wav", "b/t.wav", "u"], ".flac", "_x") == ["a/t_x.flac", "b/t_x.flac", "u_x.flac"]
    assert output_names(["t.wav", "t.mp3"], ".flac") == ["t.wav.flac", "t.mp3.flac"]
    assert output_names(["t.mp4", "t.mov", "u.mp4"], [".mp4", ".mov", ".mp4"]) == ["t.mp4", "t.mov", "u.mp4"]


def test_a_source_of_which_no_chunk_left_a_file_is_missed() -> None:
    results = [
        _result(f"{source}.0", source_index=source, source=f"{source}.wav", part=0, parts=1, sources=3)
        for source in (0, 2)
    ]
    with pytest.raises(EngineError, match=r"^0\.0: of the 3 sources, 1 left no file at all; only 0\.wav, 2\.wav did\."):
        by_source(results, Place)
    assert [group.source for group in by_source(results, Place, on_missing="skip")] == ["0.wav", "2.wav"]
