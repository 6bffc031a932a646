"""What a partitioner tells its assembler: where each chunk lies in its source, as typed metadata.

A family's place is a frozen subclass of `Place`. `Chunk(metadata=place.to_metadata())` writes it; the stage adds the
chunk's number among those of its source (`part`, from 0) and how many there are (`parts`); `by_source` reads it all
back and refuses what is not whole.
"""

from __future__ import annotations

import typing
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import PurePosixPath
from typing import Any, Generic, Literal, Self, TypeVar

from triptych.engines.api import Result

SOURCE_INDEX, PART, PARTS = "source_index", "part", "parts"
"""Keys of a chunk's metadata."""
UNPLACED = -1
"""Before all source indices: the results whose partitioner tells no place."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a chunk lies: in the source with this index, whose output is to be named after `source` (`Source.path`).

    Fields of subclasses are numbers, text, booleans, None, or frozen dataclasses of these, with units in their names.
    A field with a default is optional: chunks that other partitioners made may lack it.
    """

    source_index: int
    source: str

    def to_metadata(self) -> dict[str, Any]:
        """The fields by name, for `Chunk(metadata=...)`."""
        return asdict(self)

    @classmethod
    def from_metadata(cls, result: Result) -> Self:
        """What the result's chunk was told; raises the result's error when a field is missing or of another type."""
        try:
            place: Self = _read(cls, result.metadata)
        except _UnfitError as error:
            text = f"its metadata is no {cls.__name__}: {error}. Cut with a partitioner that this joins with."
            raise result.error(text) from error
        return place


P = TypeVar("P", bound=Place)


@dataclass(frozen=True)
class Part(Generic[P]):
    """One result file, and where its chunk lies; None where the partitioner tells no place.

    `number` counts the chunks of the source from 0, or the results where there is no place.
    """

    result: Result
    place: P | None
    number: int


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
    on_missing: Literal["fail", "skip"] = "fail",
) -> list[SourceParts[P]]:
    """Results grouped by source index, each source's in order of part; one file per part.

    Raises the result's error where a part is missing (unless `on_missing` is "skip"), doubled, or left several
    files. Results whose partitioner tells no place at all are one group called `unplaced`, in order of chunk, and are
    refused where that is None.
    """
    groups: dict[int, list[Part[P]]] = {}
    for result in results:
        if SOURCE_INDEX in result.metadata or unplaced is None:
            found = place.from_metadata(result)
            groups.setdefault(found.source_index, []).append(Part(result, found, _number(result, PART)))
        else:
            group = groups.setdefault(UNPLACED, [])
            group.append(Part(result, None, len(group)))
    return [
        SourceParts(str(unplaced), group) if index == UNPLACED else _whole(group, on_missing)
        for index, group in sorted(groups.items())
    ]


def output_names(
    sources: Sequence[str], extensions: str | Sequence[str], suffixes: str | Sequence[str] = ""
) -> list[str]:
    """A name for the output of each source: `a/tone.wav` -> `a/tone<suffix><extension>`; both may differ by source.

    Where two would be one, they keep their own extension: `tone.wav`, `tone.mp3` -> `tone.wav.flac`, `tone.mp3.flac`.
    """
    count = len(sources)
    ends = zip(_each(suffixes, count), _each(extensions, count), strict=True)
    endings = [suffix + extension for suffix, extension in ends]
    short = [str(PurePosixPath(source).with_suffix("")) + end for source, end in zip(sources, endings, strict=True)]
    counts = Counter(short)
    whole = zip(short, sources, endings, strict=True)
    return [name if counts[name] == 1 else source + end for name, source, end in whole]


def _each(given: str | Sequence[str], count: int) -> Sequence[str]:
    return [given] * count if isinstance(given, str) else given


def _whole(group: Sequence[Part[P]], on_missing: Literal["fail", "skip"]) -> SourceParts[P]:
    """The parts of one source in order; raises unless each has one file."""
    ordered = sorted(group, key=lambda part: part.number)
    first = ordered[0].result
    source: str = first.metadata["source"]
    count = _number(first, PARTS)
    files = Counter(part.number for part in ordered)
    for number, several in files.items():
        if several > 1:
            text = f"part {number} of {source} has {several} files. Let each chunk leave one file."
            raise first.error(text)
    missing = [number for number in range(count) if number not in files]
    if missing and on_missing == "fail":
        shown = ", ".join(map(str, missing[:10])) + (" ..." if len(missing) > 10 else "")
        text = f"of the {count} parts of {source}, {len(missing)} left no file: {shown}. Run these chunks again."
        raise first.error(text)
    return SourceParts(source, ordered)


def _number(result: Result, key: str) -> int:
    value = result.metadata.get(key)
    if not isinstance(value, int):
        text = f"its metadata has no number {key!r}, which the stage `partition` writes. Launch the job again."
        raise result.error(text)
    return value


class _UnfitError(ValueError):
    """Metadata in which a field is missing or of another type."""


def _read(wanted: type[Any], metadata: Mapping[str, Any]) -> Any:
    """An instance of the dataclass, whose fields may be dataclasses again."""
    types = typing.get_type_hints(wanted)
    values: dict[str, Any] = {}
    for field in fields(wanted):
        if field.name in metadata:
            values[field.name] = _field(field.name, types[field.name], metadata[field.name])
        elif field.default is MISSING:
            msg = f"{field.name!r} is missing"
            raise _UnfitError(msg)
    return wanted(**values)


def _field(name: str, hint: Any, value: Any) -> Any:
    nested = [each for each in (hint, *typing.get_args(hint)) if isinstance(each, type) and is_dataclass(each)]
    if nested and isinstance(value, Mapping):
        return _read(nested[0], value)
    if not _fits(value, hint):
        msg = f"{name!r} is {value!r}"
        raise _UnfitError(msg)
    return value


def _fits(value: Any, hint: Any) -> bool:
    if isinstance(value, bool):
        return hint is bool or bool in typing.get_args(hint)
    allowed = typing.get_args(hint) or (hint,)
    return any(isinstance(value, (int, float) if each is float else each) for each in allowed)
