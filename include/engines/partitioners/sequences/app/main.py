"""Sequence records into range chunks; gzip is unpacked to scratch first, as nothing in it can be found by offset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from triptych.engines import Chunk, Source, need, resources
from triptych.engines.api import SourceRange
from triptych.engines.genomics.fastx import Records, fasta_records, fastq_records
from triptych.errors import JobSpecError, SourceError

DEFAULT_RECORDS = 10_000
GZIP = b"\x1f\x8b"
BLOCK_BYTES = 1024 * 1024
SCANNERS = {b">": ("fasta", fasta_records), b"@": ("fastq", fastq_records)}
MARKS = {"fasta": b">", "fastq": b"@"}


@dataclass(frozen=True)
class Limits:
    """A chunk ends with the record that reaches one of them; `step` records always stay together."""

    records: int | None
    bases: int | None
    max_bytes: float | None
    step: int


@dataclass(frozen=True)
class Cut:
    """Records first..first+count-1 of a source, in bytes [start, end)."""

    first: int
    count: int
    start: int
    end: int
    bases: int


class Reads:
    """One source's records: where they end, and its bytes, unpacked where it is packed."""

    def __init__(self, source: Source, wanted: str) -> None:
        self.source = source
        with source.open() as data:
            self._unpacked = _unpacked(source) if data.read(2) == GZIP else None
        start = next(self._blocks(), b"")[:1]
        if start and (start not in SCANNERS or wanted not in ("auto", SCANNERS[start][0])):
            kind = "FASTA or FASTQ" if wanted == "auto" else wanted.upper()
            msg = f"{source.uri}: is no {kind}: it begins with {start!r}."
            raise SourceError(msg)
        self.format, self._scan = SCANNERS[start or b"@"]

    def records(self) -> Iterator[Records]:
        return self._scan(self._blocks(), self.source.uri)

    @property
    def is_packed(self) -> bool:
        return self._unpacked is not None

    def copy(self, cut: Cut, out: BinaryIO) -> None:
        with self.source.open() if self._unpacked is None else self._unpacked.open("rb") as data:
            data.seek(cut.start)
            left = cut.end - cut.start
            while left and (block := data.read(min(BLOCK_BYTES, left))):
                left -= out.write(block)

    def _blocks(self) -> Iterator[bytes]:
        if self._unpacked is None:
            yield from self.source.stream()
            return
        with self._unpacked.open("rb") as data:
            while block := data.read(BLOCK_BYTES):
                yield block


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    piece = resources().new_folder() / "piece"
    for parts in _parts(sources, params):
        yield _chunk(parts, piece)
        piece.unlink(missing_ok=True)


def _parts(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[list[tuple[Reads, Cut]]]:
    """What each chunk is made of: a part of one source, or of two that are paired."""
    limits = _limits(params)
    if params["paired"] != "files":
        for source in sources:
            reads = Reads(source, params["format"])
            for cut in _cuts(reads, limits):
                yield [(reads, cut)]
        return
    if len(sources) % 2:
        msg = f"dataSource: {len(sources)} files cannot be taken two by two. Give R1 and R2 of each pair, in order."
        raise JobSpecError(msg)
    for at in range(0, len(sources), 2):
        first, second = (Reads(source, params["format"]) for source in sources[at : at + 2])
        for one, other in zip(_cuts(first, limits), _mates(first, second, limits), strict=True):
            yield [(first, one), (second, other)]


def _limits(params: Mapping[str, Any]) -> Limits:
    target = params["target_mib"] and params["target_mib"] * 1024 * 1024
    given = params["records"] or (None if target or params["bases"] else DEFAULT_RECORDS)
    step = 2 if params["paired"] == "interleaved" else 1
    if given and given % step:
        msg = f"params.partitioner.records: {given} records are no whole number of pairs. Choose an even number."
        raise JobSpecError(msg)
    return Limits(given, params["bases"], target, step)


def _cuts(reads: Reads, limits: Limits) -> Iterator[Cut]:
    """Cover all records in order."""
    first = start = bases = seen = 0
    last = (0, 0)
    for found in reads.records():
        at = 0
        while (full := _full(found, at, seen - first, (start, bases), limits)) is not None:
            end, total = int(found.ends[full]), int(found.bases[full])
            count = seen + full + 1 - at - first
            yield Cut(first, count, start, end, total - bases)
            first, start, bases = first + count, end, total
            seen += full + 1 - at
            at = full + 1
        seen += len(found.ends) - at
        last = int(found.ends[-1]), int(found.bases[-1])
    if seen % limits.step:
        msg = f"{reads.source.uri}: {seen} records are no whole number of pairs."
        raise SourceError(msg)
    if seen > first:
        yield Cut(first, seen - first, start, last[0], last[1] - bases)


def _full(found: Records, at: int, held: int, begun: tuple[int, int], limits: Limits) -> int | None:
    """The index of the record that fills the chunk, from `at` on; None when none of these does."""
    full = []
    if limits.records:
        full.append(at + limits.records - held - 1)
    if limits.max_bytes:
        full.append(int(found.ends.searchsorted(begun[0] + limits.max_bytes)))
    if limits.bases:
        full.append(int(found.bases.searchsorted(begun[1] + limits.bases)))
    nearest = max(min(full), at)
    nearest += -(held + nearest - at + 1) % limits.step
    return nearest if nearest < len(found.ends) else None


def _mates(first: Reads, second: Reads, limits: Limits) -> Iterator[Cut]:
    """The same records of the second file; SourceError when it has more, fewer, or others."""
    start = bases = seen = 0
    waiting = iter(second.records())
    found, base = next(waiting, None), 0
    for cut in _cuts(first, limits):
        wanted = cut.first + cut.count
        while found is not None and base + len(found.ends) < wanted:
            base += len(found.ends)
            found = next(waiting, None)
        if found is None:
            msg = f"{second.source.uri}: has fewer records than {first.source.uri}; pairs need as many."
            raise SourceError(msg)
        end, total = int(found.ends[wanted - base - 1]), int(found.bases[wanted - base - 1])
        yield Cut(cut.first, cut.count, start, end, total - bases)
        start, bases, seen = end, total, wanted
    more = (base + len(found.ends) if found is not None else 0) > seen or next(waiting, None) is not None
    if more:
        msg = f"{second.source.uri}: has more records than {first.source.uri}; pairs need as many."
        raise SourceError(msg)


def _chunk(parts: Sequence[tuple[Reads, Cut]], piece: Path) -> Chunk:
    """Ranges of the sources, or where one of these is packed, their bytes one after the other in the file `piece`."""
    reads, cut = parts[0]
    about: dict[str, Any] = {"source": reads.source.name, "first_record": cut.first, "records": cut.count}
    about["bases"] = sum(each.bases for _, each in parts)
    if len(parts) > 1:
        about["files"] = [{"name": each.source.name, "size": part.end - part.start} for each, part in parts]
    name = f"{reads.source.name}_{cut.first:09d}.{reads.format}"
    items = sum(each.count for _, each in parts)
    if any(each.is_packed for each, _ in parts):
        with piece.open("wb") as out:
            for each, part in parts:
                each.copy(part, out)
        return Chunk.of_file(piece, name=name, items=items, metadata=about)
    ranges = tuple(SourceRange(each.source.index, part.start, part.end - part.start) for each, part in parts)
    return Chunk(name=name, ranges=ranges, items=items, metadata=about)


def _unpacked(source: Source) -> Path:
    # dnaio brings it; it takes half the time of the standard library.
    igzip, isal_zlib = need("isal.igzip", "genomics"), need("isal.isal_zlib", "genomics")
    path = resources().new_folder() / "unpacked"
    try:
        with source.open() as packed, igzip.IGzipFile(fileobj=packed) as data, path.open("wb") as out:
            while block := data.read(BLOCK_BYTES):
                out.write(block)
    except (EOFError, igzip.BadGzipFile, isal_zlib.error) as error:
        msg = f"{source.uri}: the gzip file cannot be unpacked after {path.stat().st_size} bytes: {error}."
        raise SourceError(msg) from error
    return path
