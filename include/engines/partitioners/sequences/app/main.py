"""Sequence records into range chunks; what is packed is unpacked to scratch first, as nothing in it has an offset."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from isal import igzip, isal_zlib

from triptych.engines import Chunk, Source, resources
from triptych.engines.api import SourceRange
from triptych.engines.contracts import Place
from triptych.engines.genomics.fastx import Records, fasta_records, fastq_records
from triptych.engines.genomics.mates import file_pairs, interleaved, paired_files
from triptych.engines.streams.contents import in_quotes
from triptych.engines.streams.unpacking import HEAD_BYTES, Gunzip, packing_of, unpack_into, unpacked
from triptych.errors import JobSpecError

DEFAULT_RECORDS = 10_000
BLOCK_BYTES = 1024 * 1024
SCANNERS = {b">": ("fasta", fasta_records), b"@": ("fastq", fastq_records)}

ALIGNMENTS = {"SAM": (b"@HD\tVN:", b"@SQ\tSN:"), "BAM": (b"BAM\1",)}
"""With what files begin that hold the same reads, and which FASTQ's mark could be taken for."""


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

    @classmethod
    def between(cls, first: int, count: int, begun: tuple[int, int], end: tuple[int, int]) -> Cut:
        """From the end of the record before to the end of the last, each given by bytes and bases of the file."""
        return cls(first, count, begun[0], end[0], end[1] - begun[1])


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
        head = next(self._blocks(), b"")
        for name, beginnings in ALIGNMENTS.items():
            if head.startswith(beginnings):
                text = f"is {name}, which aligns reads to a reference. Use the partitioner rows."
                raise source.error(text)
        start = head[:1]
        if start and (start not in SCANNERS or wanted not in ("auto", SCANNERS[start][0])):
            expected = "FASTA or FASTQ" if wanted == "auto" else wanted.upper()
            text = f"is no {expected}: it begins with {in_quotes(start)}."
            raise source.error(text)
        self.is_empty = not start
        self.format, self._scan = SCANNERS[start or b"@"]

    def records(self, headers: bool = False) -> Iterator[Records]:
        return self._scan(self._blocks(), self.source, headers)

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
    for files in _together(sources, params["paired"]):
        reads = [Reads(source, params["format"]) for source in files]
        for cuts in _cuts(_blocks(reads, params["paired"]), reads[0].source, limits):
            yield list(zip(reads, cuts, strict=True))
        for each in reads:
            each.close()


def _together(sources: Sequence[Source], paired: str) -> Sequence[Sequence[Source]]:
    """The files of each pair, or each by itself."""
    if paired != "files":
        return [[source] for source in sources]
    if len(sources) % 2:
        msg = f"dataSource: {len(sources)} files cannot be taken two by two. Give R1 and R2 of each pair, in order."
        raise JobSpecError(msg)
    return file_pairs(sources)


def _blocks(reads: Sequence[Reads], paired: str) -> Iterator[Sequence[Records]]:
    """Records of the files side by side, as many of each; where they are pairs, the files' error for what is none."""
    if paired == "no":
        yield from ([block] for block in reads[0].records())
    elif paired == "interleaved":
        yield from interleaved(reads[0].records(headers=True), reads[0].source)
    else:
        one, other = reads
        if one.format != other.format and not one.is_empty and not other.is_empty:
            text = (
                f"is {other.format.upper()}, and its mate {one.source.label} is {one.format.upper()}. Give both as one."
            )
            raise other.source.error(text)
        yield from paired_files(one.records(headers=True), other.records(headers=True), [one.source, other.source])


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


def _cuts(blocks: Iterable[Sequence[Records]], owner: Source, limits: Limits) -> Iterator[list[Cut]]:
    """Cover all records in order; a cut per file, of the same records. The first file's count for the limits."""
    first = seen = 0
    begun, last = [(0, 0), (0, 0)], [(0, 0), (0, 0)]
    for block in blocks:
        index = 0
        while (full := _full(block[0], index, seen - first, begun[0], limits)) is not None:
            count = seen + full + 1 - index - first
            ends = [_place(records, full) for records in block]
            yield [Cut.between(first, count, *each) for each in zip(begun, ends, strict=False)]
            first, begun = first + count, ends
            seen += full + 1 - index
            index = full + 1
        seen += len(block[0]) - index
        last = [_place(records, -1) for records in block]
    if seen % limits.step:
        text = f"{seen} records are no whole number of pairs. Is the file cut off?"
        raise owner.error(text)
    if seen > first:
        yield [Cut.between(first, seen - first, *each) for each in zip(begun, last, strict=False)]


def _place(records: Records, index: int) -> tuple[int, int]:
    """Bytes and bases of the file up to the end of this record."""
    return int(records.ends[index]), int(records.bases[index])


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
