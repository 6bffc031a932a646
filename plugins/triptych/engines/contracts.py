"""What a partitioner tells its assembler: where each chunk lies in its source, as typed metadata.

A family's place is a frozen subclass of `Place`. `Chunk(metadata=place.to_metadata())` writes it; the stage adds the
chunk's number among those of its source (`part`, from 0) and how many there are (`parts`); `by_source` reads it all
back and refuses what is not whole.
"""

from __future__ import annotations

import typing
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import PurePosixPath
from typing import Any, Generic, Literal, Self, TypeVar

from triptych.engines.api import Result

SOURCE_INDEX, PART, PARTS = "source_index", "part", "parts"
"""Keys of a chunk's metadata."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a chunk lies: in the source with this index, whose output is to be named after `source` (`Source.path`).

    Fields of subclasses are numbers, text, booleans or None, with units in their names.
    """

    source_index: int
    source: str

    def to_metadata(self) -> dict[str, Any]:
        """The fields by name, for `Chunk(metadata=...)`."""
        return asdict(self)

    @classmethod
    def from_metadata(cls, result: Result) -> Self:
        """What the result's chunk was told; raises the result's error when a field is missing or of another type."""
        types = typing.get_type_hints(cls)
        values: dict[str, Any] = {field.name: result.metadata.get(field.name) for field in fields(cls)}
        for name, value in values.items():
            if name not in result.metadata or not _fits(value, types[name]):
                why = f"is {value!r}" if name in result.metadata else "is missing"
                text = (
                    f"its metadata is no {cls.__name__}: {name!r} {why}. Cut with a partitioner that this joins with."
                )
                raise result.error(text)
        return cls(**values)


P = TypeVar("P", bound=Place)


@dataclass(frozen=True)
class Part(Generic[P]):
    """One result file, and where its chunk lies; None where the partitioner tells no place."""

    result: Result
    place: P | None


@dataclass(frozen=True)
class SourceParts(Generic[P]):
    """The parts of one source, in order of part number."""

    source: str
    parts: Sequence[Part[P]]


def by_source(
    results: Sequence[Result],
    place: type[P],
    *,
    unplaced: str | None = None,
    on_missing: Literal["error", "skip"] = "error",
) -> list[SourceParts[P]]:
    """Results grouped by source index, each source's in order of part; one file per part.

    Raises the result's error where a part is missing (unless `on_missing` is "skip"), doubled, or left several
    files. Results whose partitioner tells no place at all are one group called `unplaced`, in order of chunk, and are
    refused where that is None.
    """
    groups: dict[int, list[Result]] = {}
    for result in results:
        has_place = SOURCE_INDEX in result.metadata or unplaced is None
        groups.setdefault(place.from_metadata(result).source_index if has_place else -1, []).append(result)
    made = []
    for index, group in sorted(groups.items()):
        if index < 0:
            made.append(SourceParts(str(unplaced), [Part[P](result, None) for result in group]))
            continue
        ordered = _whole(group, on_missing)
        parts = [Part(result, place.from_metadata(result)) for result in ordered]
        made.append(SourceParts(place.from_metadata(ordered[0]).source, parts))
    return made


def output_names(sources: Sequence[str], extension: str, suffix: str = "") -> list[str]:
    """A name for the output of each source: `a/tone.wav` -> `a/tone<suffix><extension>`.

    Sources that differ in their own extension only keep it: `tone.wav`, `tone.mp3` -> `tone.wav.flac`, `tone.mp3.flac`.
    """
    short = [str(PurePosixPath(source).with_suffix("")) + suffix + extension for source in sources]
    counts = Counter(short)
    return [
        name if counts[name] == 1 else f"{source}{suffix}{extension}"
        for name, source in zip(short, sources, strict=True)
    ]


def _whole(group: Sequence[Result], on_missing: Literal["error", "skip"]) -> list[Result]:
    """The results of one source by part; raises unless each part has one file."""
    numbers = [(_number(result, PART), _number(result, PARTS), result) for result in group]
    ordered = sorted(numbers, key=lambda each: each[0])
    first = ordered[0][2]
    source = first.metadata["source"]
    parts = ordered[0][1]
    counts = Counter(part for part, _, _ in ordered)
    for part, count in counts.items():
        if count > 1:
            text = f"part {part} of {source} has {count} files. Let each chunk leave one file."
            raise first.error(text)
    missing = [part for part in range(parts) if part not in counts]
    if missing and on_missing == "error":
        shown = ", ".join(map(str, missing[:10])) + (" ..." if len(missing) > 10 else "")
        text = f"of the {parts} parts of {source}, {len(missing)} left no file: {shown}. Run these chunks again."
        raise first.error(text)
    return [result for _, _, result in ordered]


def _number(result: Result, key: str) -> int:
    value = result.metadata.get(key)
    if not isinstance(value, int):
        text = f"its metadata has no number {key!r}, which the stage `partition` writes. Launch the job again."
        raise result.error(text)
    return value


def _fits(value: Any, hint: Any) -> bool:
    if isinstance(value, bool):
        return hint is bool or bool in typing.get_args(hint)
    allowed = typing.get_args(hint) or (hint,)
    return any(isinstance(value, (int, float) if each is float else each) for each in allowed)
