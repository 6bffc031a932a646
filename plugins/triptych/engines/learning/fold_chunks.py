"""A chunk for each fold: what to train with, and behind it what to test with, each a table with its header.

Ranges of the sources where they are few; else copied, a fold at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triptych.engines.api import Chunk, Source, SourceRange
from triptych.engines.archives.members import tar_of
from triptych.engines.arrays.aliases import Mask, Offsets
from triptych.engines.arrays.text_columns import joined_bytes
from triptych.engines.contracts import Metadata
from triptych.engines.learning.folds import Folds
from triptych.engines.learning.samples import Samples, SampleTable
from triptych.engines.runtime.resources import resources
from triptych.engines.tables.csv_batches import Batch
from triptych.storage.copying import file_blocks

MOST_RANGES = 1000
"""Of one chunk; what is scattered more is copied: each range takes room in the chunk list, and a seek of the worker."""
_EXTENSIONS: Mapping[str, str] = {"lines": ".txt"}
_HEADER = "header"


@dataclass(frozen=True, kw_only=True)
class Fold(Metadata):
    """What a chunk is told: which fold it is of how many, and its two parts, in records and in bytes with headers.

    The part to train with comes first: that to test with begins at byte `train_bytes` of `data.bin`.
    """

    fold: int
    folds: int
    train_records: int
    test_records: int
    train_bytes: int
    test_bytes: int


@dataclass(frozen=True)
class Split:
    """`folds` says of each record which of `count` folds tests it."""

    samples: Samples
    folds: Folds
    count: int

    def chunks(self, layout: str) -> Iterator[Chunk]:
        """One of each fold; a copy, and the tar of `layout` tar, is there until the next is asked for."""
        ranges = self._ranges() if layout == "back_to_back" and self._are_few() else None
        for fold in range(self.count):
            if ranges is None:
                yield from self._copied(fold, layout)
            else:
                train, test = ranges[fold]
                parts = tuple(train), tuple(test)
                sizes = [sum(run.length for run in part) for part in parts]
                name, about = self._described(fold, sizes)
                yield Chunk(name=name, ranges=parts[0] + parts[1], items=self.samples.count, metadata=about)

    def _described(self, fold: int, sizes: Sequence[int]) -> tuple[str, dict[str, object]]:
        """A name with the tables' extension, and the metadata; `sizes` are those of the two parts in bytes."""
        first = self.samples.tables[0].opened
        tested = int((self.folds == fold).sum())
        told = Fold(
            fold=fold,
            folds=self.count,
            train_records=self.samples.count - tested,
            test_records=tested,
            train_bytes=sizes[0],
            test_bytes=sizes[1],
        )
        name = f"fold_{fold:0{len(str(self.count - 1))}d}"
        extension = _EXTENSIONS.get(first.format, f".{first.format}")
        return name + extension, {**told.to_metadata(), **first.to_metadata()}

    def _are_few(self) -> bool:
        """Whether ranges are: where the fold changes one of both ends, and each at whatever is no record."""
        changes = np.flatnonzero(self.folds[1:] != self.folds[:-1])
        ends = [np.bincount(self.folds[at], minlength=self.count) for at in (changes, changes + 1)]
        return int((ends[0] + ends[1]).max()) + self.samples.gaps <= MOST_RANGES

    def _ranges(self) -> list[tuple[list[SourceRange], list[SourceRange]]] | None:
        """Of each fold those to train and to test with; None where sources do not hold all bytes that are needed."""
        header = self._header()
        if header is None:
            return None
        found = [(_Runs(header), _Runs(header)) for _ in range(self.count)]
        line_end: SourceRange | None = None
        for table, batch, own in self._batches():
            if table.source is None:
                return None
            line_end = line_end or _line_end(table.source, batch)
            for fold, (train, test) in enumerate(found):
                train.add(table.source, batch, own != fold)
                test.add(table.source, batch, own == fold)
        made = []
        for train, test in found:
            parts = train.ended(line_end), test.ended(line_end, but_last=True)
            if parts[0] is None or parts[1] is None:
                return None
            made.append((parts[0], parts[1]))
        return made

    def _header(self) -> list[SourceRange] | None:
        """Of the first table; None where it is in no source."""
        first = self.samples.tables[0]
        if first.source is None:
            return None
        length = len(first.opened.header)
        return [SourceRange(first.source.index, first.opened.start, length)] if length else []

    def _batches(self) -> Iterator[tuple[SampleTable, Batch, Folds]]:
        """All records again, with their folds."""
        number = 0
        for table in self.samples.tables:
            for batch, _ in table.batches():
                yield table, batch, self.folds[number : number + len(batch)]
                number += len(batch)

    def _copied(self, fold: int, layout: str) -> Iterator[Chunk]:
        header = self.samples.tables[0].opened.header
        folder = resources().new_folder()
        extension = Path(self._described(fold, (0, 0))[0]).suffix
        paths = [folder / f"{part}{extension}" for part in ("train", "test")]
        with paths[0].open("wb") as train, paths[1].open("wb") as test:
            train.write(header)
            test.write(header)
            for _, batch, own in self._batches():
                train.write(_records(batch, own != fold))
                test.write(_records(batch, own == fold))
        name, about = self._described(fold, [path.stat().st_size for path in paths])
        if layout == "tar":
            whole, name = folder / "fold.tar", f"{Path(name).stem}.tar"
            with whole.open("wb") as out:
                out.writelines(tar_of((path.name, path.stat().st_size, file_blocks(path)) for path in paths))
        else:
            whole = paths[0]
            with whole.open("ab") as out:
                out.writelines(file_blocks(paths[1]))
        yield Chunk.of_file(whole, name=name, items=self.samples.count, metadata=about)
        for path in {*paths, whole}:
            path.unlink()
        folder.rmdir()


def _records(batch: Batch, chosen: Mask) -> bytes:
    return joined_bytes(batch.records(np.flatnonzero(chosen)))


def _line_end(source: Source, batch: Batch) -> SourceRange | None:
    """That of the batch's first record; None where the source ends without one."""
    if not len(batch):
        return None
    end = int(batch.ends[0])
    length = 2 if batch.data[:end].endswith(b"\r\n") else 1
    is_there = batch.offset + end <= source.size
    return SourceRange(source.index, batch.offset + end - length, length) if is_there else None


class _Runs:
    """Records of sources as ranges, of which neighbours are one."""

    def __init__(self, header: Sequence[SourceRange]) -> None:
        self.runs = [*header]
        self._open: list[int] = []
        """How many ranges there are up to each record that ends without a line end."""

    def add(self, source: Source, batch: Batch, chosen: Mask) -> None:
        """Those of the batch's records, which follow those before."""
        starts, ends = batch.starts[chosen] + batch.offset, batch.ends[chosen] + batch.offset
        if not len(starts):
            return
        breaks = np.flatnonzero(starts[1:] != ends[:-1])
        begins: Offsets = starts[np.append(0, breaks + 1)]
        for begin, end in zip(begins.tolist(), ends[np.append(breaks, -1)].tolist(), strict=True):
            self._put(source, begin, min(end, source.size))
        if int(ends[-1]) > source.size:
            self._open.append(len(self.runs))

    def _put(self, source: Source, begin: int, end: int) -> None:
        last = self.runs[-1] if self.runs else None
        if last and last.source == source.index and last.offset + last.length == begin:
            self.runs[-1] = SourceRange(last.source, last.offset, end - last.offset)
        else:
            self.runs.append(SourceRange(source.index, begin, end - begin))

    def ended(self, line_end: SourceRange | None, *, but_last: bool = False) -> list[SourceRange] | None:
        """With a line end behind each record, or each but the last, that has none; None where none can be put there."""
        made = [*self.runs]
        for number in reversed(self._open):
            if but_last and number == len(self.runs):
                continue
            if line_end is None:
                return None
            made.insert(number, line_end)
        return made
