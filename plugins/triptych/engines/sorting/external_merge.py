"""External merge sort: more records than memory holds, sorted into runs in scratch files, merged a few at once.

A batch is a pyarrow RecordBatch: first the columns that order it, and behind them what goes along; `keyed` puts
`record` last. Its two phases are the textbooks' (Knuth, TAOCP 3, 5.4): the sort phase makes runs, which are batches in
order; a merge pass makes one run of up to `fan_in`, until so few are left that the last one is handed on as it is made.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from triptych.engines.arrays.text_columns import BytesColumn, joined_bytes
from triptych.engines.runtime.resources import Resources, resources
from triptych.engines.sorting.order import Order
from triptych.engines.streams.contents import in_quotes

PIECE_SHARE = 1 / 128
"""Of the engine's memory, for what is written and read back at once; there is one of each run that is merged."""
RUN_MEMORY_BYTES = 16 * 1024 * 1024
"""What one run takes while it is merged: a batch, and what it was read from."""
SORTED_SHARE = 1 / 8
"""Of the engine's memory. What is sorted at once is there twice, beside its order and what is being read."""

BatchSource: TypeAlias = Callable[[], Iterable[pa.RecordBatch]]
"""Gives the same batches anew each time that it is called, which sorting does up to three times."""


def keyed(keys: Sequence[pa.Array], records: BytesColumn, **along: pa.Array) -> pa.RecordBatch:
    """A batch of these columns of one length: key0, key1, ..., those that go along, and `record`."""
    columns = {**{f"key{index}": key for index, key in enumerate(keys)}, **along, "record": records}
    return pa.record_batch(list(columns.values()), list(columns))


def record_bytes(batch: pa.RecordBatch) -> bytes:
    """Its records back to back, as they are written."""
    return joined_bytes(batch.column("record"))


class NotInOrderError(Exception):
    """`record` of the source number `source`, which was taken to be in order, ought to come before the one in front."""

    def __init__(self, source: int, record: bytes) -> None:
        super().__init__(f"source {source} is not in order at {in_quotes(record[:60])}")
        self.source, self.record = source, record


def write_merged(
    write: Callable[[Iterator[pa.RecordBatch]], None], sources: Sequence[BatchSource], order: Order
) -> None:
    """write(all records in order), which is begun again when a source turns out not to be in order.

    So sources that are in order are read once; most of those that are not show it at their beginning. Before the second
    try, scratch files of the first are gone.
    """
    folder = resources().new_folder()
    try:
        write(_Sort.within(resources(), order, folder).batches(sources, in_order=True))
    except NotInOrderError:
        shutil.rmtree(folder)
        write(merged(sources, order))


def merged(sources: Iterable[BatchSource], order: Order, *, in_order: bool | None = None) -> Iterator[pa.RecordBatch]:
    """All records in order, in batches; equal ones keep the order of the sources, and their order inside one.

    With `in_order` None each source is looked through first, and only those that are not in order are sorted. With
    False all are sorted, and each is read once. With True NotInOrderError names the first source that is not.
    """
    return _Sort.within(resources(), order, resources().scratch).batches(sources, in_order=in_order)


@dataclass(frozen=True)
class _Sort:
    """One sort: its order, where its runs lie, and how much of them is in memory."""

    order: Order
    folder: Path
    sorted_bytes: int
    piece_bytes: int
    fan_in: int

    @classmethod
    def within(cls, available: Resources, order: Order, folder: Path) -> _Sort:
        fan_in = max(2, available.memory_bytes // RUN_MEMORY_BYTES)
        return cls(order, folder, available.share(SORTED_SHARE).bytes, available.share(PIECE_SHARE).bytes, fan_in)

    def batches(self, sources: Iterable[BatchSource], *, in_order: bool | None) -> Iterator[pa.RecordBatch]:
        """Both phases; what comes of the last merge pass is in no file."""
        runs = list(self._runs(sources, in_order))
        while len(runs) > self.fan_in:
            groups = [runs[first : first + self.fan_in] for first in range(0, len(runs), self.fan_in)]
            runs = [self._in_file(self._merge(group)) for group in groups]
        yield from self._merge(runs)

    def _runs(self, sources: Iterable[BatchSource], in_order: bool | None) -> Iterator[BatchSource]:
        """The sort phase: sources that are in order are runs; others are gathered, across their borders, and sorted."""
        gathered: list[pa.RecordBatch] = []
        size = 0
        for number, source in enumerate(sources):
            if in_order:
                yield partial(self._held_to_order, number, source)
            elif in_order is None and self._is_in_order(source):
                if gathered:
                    yield self._in_file(self._sorted_pieces(gathered))
                size = 0
                yield source
            else:
                for batch in source():
                    gathered.append(batch)
                    size += batch.nbytes
                    if size > self.sorted_bytes:
                        yield self._in_file(self._sorted_pieces(gathered))
                        size = 0
        if gathered:
            # The last ones need no file.
            yield partial(self._sorted_pieces, gathered)

    def _is_in_order(self, source: BatchSource) -> bool:
        return all(row is None for _, row in self._descents(source))

    def _held_to_order(self, number: int, source: BatchSource) -> Iterator[pa.RecordBatch]:
        for batch, row in self._descents(source):
            if row is not None:
                raise NotInOrderError(number, batch.column("record")[row].as_py())
            yield batch

    def _descents(self, source: BatchSource) -> Iterator[tuple[pa.RecordBatch, int | None]]:
        """Each batch, with the row of its first record that ought to come before the one in front of it."""
        last = None
        for batch in filter(len, source()):
            descents = self.order.descents(batch)
            if last is not None and self.order.key(batch, 0) < last:
                yield batch, 0
            else:
                yield batch, int(descents.argmax()) + 1 if descents.any() else None
            last = self.order.key(batch, len(batch) - 1)

    def _sorted_pieces(self, gathered: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches, which are taken out of the list, in order and in small pieces."""
        whole = pa.concat_batches(gathered)
        gathered.clear()
        indices = self.order.sort_indices(whole)
        step = self._piece_rows(whole)
        for start in range(0, len(whole), step):
            piece = slice(start, start + step)
            yield whole[piece] if indices is None else whole.take(indices[piece])

    def _in_file(self, batches: Iterator[pa.RecordBatch]) -> BatchSource:
        """A run in a file, which is removed when it has been read."""
        descriptor, path = tempfile.mkstemp(dir=self.folder, prefix="run")
        os.close(descriptor)
        first = next(batches)
        with pa.OSFile(path, "wb") as file, pa.ipc.new_stream(file, first.schema) as out:
            out.write_batch(first)
            for batch in batches:
                out.write_batch(batch)
        pa.default_memory_pool().release_unused()
        return partial(_read_once, Path(path))

    def _merge(self, runs: Sequence[BatchSource]) -> Iterator[pa.RecordBatch]:
        """A merge pass, window by window: what cannot have anything before it in batches that are still to be read.

        The heads are the pieces at hand, one per run. The least of their last keys bounds the window, which is sorted:
        heads [1, 4, 9] and [2, 3, 5] give the bound 5 and the window [1, 4], [2, 3, 5]; [9] and the second run's next
        piece are the heads then.
        """
        sources = [self._pieces(run()) for run in runs]
        heads = {run: head for run, source in enumerate(sources) if (head := next(source, None)) is not None}
        while len(heads) > 1:
            bound, bounding = min((self.order.key(head, len(head) - 1), run) for run, head in heads.items())
            window = []
            for run, head in list(heads.items()):
                # The piece behind the bounding one may begin with its key: equal records of later runs wait.
                bisect = bisect_right if run <= bounding else bisect_left
                count = bisect(range(len(head)), bound, key=partial(self.order.key, head))
                window.append(head[:count])
                rest = head[count:] if count < len(head) else next(sources[run], None)
                if rest is None:
                    del heads[run]
                else:
                    heads[run] = rest
            yield from self._sorted_pieces(window)
        for run, head in heads.items():
            yield head
            yield from sources[run]

    def _pieces(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """What a window takes of a run is copied while it is put in order: so little of it at once."""
        for batch in batches:
            step = self._piece_rows(batch)
            for start in range(0, len(batch), step):
                yield batch[start : start + step]

    def _piece_rows(self, batch: pa.RecordBatch) -> int:
        return max(1, int(len(batch) * self.piece_bytes // max(1, batch.nbytes)))


def _read_once(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as batches:
        yield from batches
    path.unlink()
