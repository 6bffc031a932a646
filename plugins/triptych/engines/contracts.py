"""What a partitioner tells its assembler: where each chunk lies in its source, as typed metadata.

A family's place is a frozen subclass of `Place`. `Chunk(metadata=place.to_metadata())` writes it; the stage adds the
chunk's number among those of its source (`part`, from 0), how many there are (`parts`), and how many sources have
chunks (`sources`); `by_source` reads it all back and refuses what is not whole.
"""

from __future__ import annotations

import fnmatch
import types
import typing
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import PurePosixPath
from typing import Any, Generic, Literal, Self, TypeVar

from triptych.engines.api import Result

SOURCE_INDEX, PART, PARTS, SOURCES = "source_index", "part", "parts", "sources"
"""Keys of a chunk's metadata."""
OnMissing = Literal["fail", "skip"]
"""What an assembler does when a part of a source left no file."""
UNPLACED = -1
"""Before all source indices: the results whose partitioner tells no place."""


_JSON = frozenset((str, int, float, bool, tuple, type(None)))
"""What JSON holds as it is."""


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What a chunk's metadata says, as typed fields.

    Fields of subclasses are numbers, text, booleans, None, tuples of one of these (`tuple[str, ...]`), or frozen
    dataclasses of them, with units in their names. A field with a default is optional: chunks that other partitioners
    made may lack it.
    """

    def to_metadata(self) -> dict[str, Any]:
        """The fields by name, for `Chunk(metadata=...)`."""
        # Not asdict of the whole, which copies each value: half of what text_size takes for a chunk.
        return {name: value if type(value) in _JSON else _plain(value) for name, value in vars(self).items()}

    @classmethod
    def from_metadata(cls, result: Result) -> Self:
        """What the result's chunk was told; raises the result's error when a field is missing or of another type."""
        try:
            place: Self = _read(cls, result.metadata)
        except _UnfitError as error:
            text = f"its metadata is no {cls.__name__}: {error}. Cut with a partitioner that this joins with."
            raise result.error(text) from error
        return place


@dataclass(frozen=True, kw_only=True)
class Place(Metadata):
    """Where a chunk lies: in the source with this index, whose output is to be named after `source` (`Source.path`)."""

    source_index: int
    source: str


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
    on_missing: OnMissing = "fail",
) -> list[SourceParts[P]]:
    """Results grouped by source index, each source's in order of part; one file per part.

    Raises the result's error where a part, or all of a source, is missing (unless `on_missing` is "skip"), doubled, or
    left several files. Results whose partitioner tells no place at all are one group called `unplaced`, in order of
    chunk, and are refused where that is None.
    """
    groups: dict[int, list[Part[P]]] = {}
    for result in results:
        if SOURCE_INDEX in result.metadata or unplaced is None:
            found = place.from_metadata(result)
            groups.setdefault(found.source_index, []).append(Part(result, found, _number(result, PART)))
        else:
            group = groups.setdefault(UNPLACED, [])
            group.append(Part(result, None, len(group)))
    if on_missing == "fail":
        require_all_sources(results)
    return [
        SourceParts(str(unplaced), group) if index == UNPLACED else _whole(group, on_missing)
        for index, group in sorted(groups.items())
    ]


def require_all_sources(results: Sequence[Result]) -> None:
    """Raises the first result's error where a source has chunks, of which none left a file."""
    placed = [result for result in results if SOURCES in result.metadata]
    found = {result.metadata.get(SOURCE_INDEX): result.metadata.get("source") for result in placed}
    if placed and len(found) < (count := _number(placed[0], SOURCES)):
        named = ", ".join(sorted(map(str, found.values()))[:10]) + (" ..." if len(found) > 10 else "")
        lost = count - len(found)
        text = (
            f"of the {count} sources, {lost} left no file at all; only {named} did. Run the chunks of the others again."
        )
        raise placed[0].error(text)


def named_results(results: Sequence[Result], pattern: str | None) -> list[Result]:
    """Those whose names match (`*.srt`), or all where there is no pattern.

    Raises the first result's error where none matches: the output would be empty, and the job green.
    """
    chosen = [result for result in results if pattern is None or fnmatch.fnmatchcase(result.name, pattern)]
    if results and not chosen:
        names = ", ".join(sorted({repr(each.name) for each in results})[:10])
        text = f"no result is called {pattern!r}; there are {names}. Say in params.assembler.results which are meant."
        raise results[0].error(text)
    return chosen


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


def _whole(group: Sequence[Part[P]], on_missing: OnMissing) -> SourceParts[P]:
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


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


class _UnfitError(ValueError):
    """Metadata in which a field is missing or of another type."""


def _read(wanted: type[Any], metadata: Mapping[str, Any]) -> Any:
    """An instance of the dataclass, whose fields may be dataclasses again."""
    hints = _hints(wanted)
    values: dict[str, Any] = {}
    for field in fields(wanted):
        if field.name in metadata:
            values[field.name] = _field(field.name, hints[field.name], metadata[field.name])
        elif field.default is MISSING:
            msg = f"{field.name!r} is missing"
            raise _UnfitError(msg)
    return wanted(**values)


_HINTS: dict[type[Any], Mapping[str, Any]] = {}
"""Types of the fields by class; to resolve them takes longer than to read a chunk's metadata."""


def _hints(wanted: type[Any]) -> Mapping[str, Any]:
    if wanted not in _HINTS:
        _HINTS[wanted] = typing.get_type_hints(wanted)
    return _HINTS[wanted]


def _field(name: str, hint: Any, value: Any) -> Any:
    """The value as the field holds it: an object of JSON as its dataclass, a list as a tuple."""
    is_union = typing.get_origin(hint) in (types.UnionType, typing.Union)
    for choice in typing.get_args(hint) if is_union else (hint,):
        if is_dataclass(choice) and isinstance(choice, type) and isinstance(value, Mapping):
            return _read(choice, value)
        if typing.get_origin(choice) is tuple and isinstance(value, (list, tuple)):
            if all(_fits(item, typing.get_args(choice)[0]) for item in value):
                return tuple(value)
        elif _fits(value, choice):
            return value
    msg = f"{name!r} is {value!r}"
    raise _UnfitError(msg)


def _fits(value: Any, choice: Any) -> bool:
    if isinstance(value, bool):
        return choice is bool
    is_plain = isinstance(choice, type) and typing.get_origin(choice) is None
    return is_plain and isinstance(value, (int, float) if choice is float else choice)
