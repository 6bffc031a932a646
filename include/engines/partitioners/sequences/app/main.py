"""Sequence records into range chunks; what is packed is unpacked to scratch first, as nothing in it has an offset."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from isal import igzip, isal_zlib

from triptych.engines import Chunk, Source, resources
from triptych.engines.api import SourceRange
from triptych.engines.contracts import Place
from triptych.engines.genomics.fastx import Records, fasta_records, fastq_records
from triptych.engines.streams.unpacking import HEAD_BYTES, Gunzip, packing_of, unpack_into, unpacked
from triptych.errors import JobSpecError

DEFAULT_RECORDS = 10_000
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


@dataclass(frozen=True, kw_only=True)
class RecordsPlace(Place):
    """Which records of its source a chunk holds, and how many bases; of paired files, of the first source."""

    first_record: int
    records: int
    bases: int


class Reads:
    """One source's records: where they end, and its bytes, unpacked where it is packed."""

    def __init__(self, source: Source, wanted: str) -> None:
        self.source = source
        self._unpacked = _unpacked(source)
        start = next(self._blocks(), b"")[:1]
        if start and (start not in SCANNERS or wanted not in ("auto", SCANNERS[start][0])):
            expected = "FASTA or FASTQ" if wanted == "auto" else wanted.upper()
            text = f"is no {expected}: it begins with {start!r}."
            raise source.error(text)
        self.format, self._scan = SCANNERS[start or b"@"]

    def records(self) -> Iterator[Records]:
        return self._scan(self._blocks(), self.source)

    @property
    def is_packed(self) -> bool:
        return self._unpacked is not None

    def copy(self, cut: Cut, out: BinaryIO) -> None:
        with self.source.open() if self._unpacked is None else self._unpacked.open("rb") as data:
            data.seek(cut.start)
            left = cut.end - cut.start
            while left and (block := data.read(min(BLOCK_BYTES, left))):
                left -= out.write(block)

    def close(self) -> None:
        """Its unpacked bytes go."""
        if self._unpacked is not None:
            self._unpacked.unlink()
            self._unpacked.parent.rmdir()

    def _blocks(self) -> Iterator[bytes]:
        if self._unpacked is None:
            yield from self.source.stream()
            return
        with self._unpacked.open("rb") as data:
            while block := data.read(BLOCK_BYTES):
                yield block


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """Chunks of whole records, in order; of paired files both mates, the first file's records before the second's."""
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
            reads.close()
        return
    if len(sources) % 2:
        msg = f"dataSource: {len(sources)} files cannot be taken two by two. Give R1 and R2 of each pair, in order."
        raise JobSpecError(msg)
    for number in range(0, len(sources), 2):
        first, second = (Reads(source, params["format"]) for source in sources[number : number + 2])
        for one, other in zip(_cuts(first, limits), _mates(first, second, limits), strict=True):
            yield [(first, one), (second, other)]
        first.close()
        second.close()


def _limits(params: Mapping[str, Any]) -> Limits:
    target = params["target_mib"] and params["target_mib"] * 1024 * 1024
    records = params["items_per_chunk"] or (None if target or params["bases_per_chunk"] else DEFAULT_RECORDS)
    step = 2 if params["paired"] == "interleaved" else 1
    if records and records % step:
        msg = (
            f"params.partitioner.items_per_chunk: {records} records are no whole number of pairs. "
            "Choose an even number."
        )
        raise JobSpecError(msg)
    return Limits(records, params["bases_per_chunk"], target, step)


def _cuts(reads: Reads, limits: Limits) -> Iterator[Cut]:
    """Cover all records in order."""
    first = start = bases = seen = 0
    last = (0, 0)
    for block in reads.records():
        index = 0
        while (full := _full(block, index, seen - first, (start, bases), limits)) is not None:
            end, total = int(block.ends[full]), int(block.bases[full])
            count = seen + full + 1 - index - first
            yield Cut(first, count, start, end, total - bases)
            first, start, bases = first + count, end, total
            seen += full + 1 - index
            index = full + 1
        seen += len(block.ends) - index
        last = int(block.ends[-1]), int(block.bases[-1])
    if seen % limits.step:
        text = f"{seen} records are no whole number of pairs. Is the file cut off?"
        raise reads.source.error(text)
    if seen > first:
        yield Cut(first, seen - first, start, last[0], last[1] - bases)


def _full(block: Records, start: int, held: int, begun: tuple[int, int], limits: Limits) -> int | None:
    """The index of the record that fills the chunk, from `start` on; None when none of these does.

    The chunk holds `held` records before; `begun` are the bytes and bases of the file before its first.
    """
    full = []
    if limits.records:
        full.append(start + limits.records - held - 1)
    if limits.max_bytes:
        full.append(int(block.ends.searchsorted(begun[0] + limits.max_bytes)))
    if limits.bases:
        full.append(int(block.bases.searchsorted(begun[1] + limits.bases)))
    nearest = max(min(full), start)
    nearest += -(held + nearest - start + 1) % limits.step
    return nearest if nearest < len(block.ends) else None


def _mates(first: Reads, second: Reads, limits: Limits) -> Iterator[Cut]:
    """The same records of the second file; its error when it has more or fewer."""
    start = bases = seen = 0
    blocks = iter(second.records())
    block, base = next(blocks, None), 0
    for cut in _cuts(first, limits):
        wanted = cut.first + cut.count
        while block is not None and base + len(block.ends) < wanted:
            base += len(block.ends)
            block = next(blocks, None)
        if block is None:
            text = f"has fewer records than {first.source.uri}; pairs need as many."
            raise second.source.error(text)
        end, total = int(block.ends[wanted - base - 1]), int(block.bases[wanted - base - 1])
        yield Cut(cut.first, cut.count, start, end, total - bases)
        start, bases, seen = end, total, wanted
    has_more = (base + len(block.ends) if block is not None else 0) > seen or next(blocks, None) is not None
    if has_more:
        text = f"has more records than {first.source.uri}; pairs need as many."
        raise second.source.error(text)


def _chunk(parts: Sequence[tuple[Reads, Cut]], piece: Path) -> Chunk:
    """Ranges of the sources, or where one of these is packed, their bytes one after the other in the file `piece`."""
    reads, cut = parts[0]
    place = RecordsPlace(
        source_index=reads.source.index,
        source=reads.source.path,
        first_record=cut.first,
        records=cut.count,
        bases=sum(each.bases for _, each in parts),
    )
    metadata = place.to_metadata()
    if len(parts) > 1:
        metadata["files"] = [{"name": each.source.name, "size": part.end - part.start} for each, part in parts]
    name = f"{reads.source.name}_{cut.first:09d}.{reads.format}"
    items = sum(each.count for _, each in parts)
    if any(each.is_packed for each, _ in parts):
        with piece.open("wb") as out:
            for each, part in parts:
                each.copy(part, out)
        return Chunk.of_file(piece, name=name, items=items, metadata=metadata)
    ranges = tuple(SourceRange(each.source.index, part.start, part.end - part.start) for each, part in parts)
    return Chunk(name=name, ranges=ranges, items=items, metadata=metadata)


def _isal(packed: BinaryIO) -> gzip.GzipFile:
    return igzip.IGzipFile(fileobj=packed)  # type: ignore[no-untyped-call]  # isal types the module, not its class.


# Half the time of the standard library. Its own annotation calls the class of its errors an instance.
GUNZIP = Gunzip(_isal, (cast("type[Exception]", isal_zlib.error),))


def _unpacked(source: Source) -> Path | None:
    """The source's bytes in a scratch file; None where they are not packed."""
    with source.open() as data:
        packing = packing_of(data.read(HEAD_BYTES))
        if packing is None:
            return None
        data.seek(0)
        return unpack_into(resources().new_folder() / "unpacked", unpacked(source, data, packing, gunzip=GUNZIP))
