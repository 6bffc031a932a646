"""Records gathered by number, more than memory holds, in one scratch file however many numbers there are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from triptych.engines.arrays.slices import slices
from triptych.engines.runtime.resources import resources
from triptych.engines.tables.csv_batches import Batch

MEMORY_SHARE = 12
"""What is held is copied while it is put in order."""
EXTENT_OVERHEAD_BYTES = 100
WINDOW_BYTES = 2 * 1024 * 1024
READ_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Group:
    """All records of one number: `count` of them, `size` bytes in `blocks`, which are read once."""

    count: int
    size: int
    blocks: Iterator[bytes]


class Groups:
    """Takes batches of records, then gives each number's records back, in the order in which they came."""

    def __init__(self) -> None:
        self._folder = resources().new_folder()
        self._path = self._folder / "records"
        self._size = 0
        self._room = self._most = resources().memory_bytes // MEMORY_SHARE
        self._held: list[tuple[Any, Any]] = []
        self._indexes: list[Any] = []
        """Of each flush: numbers, ascending, and of each number the offset, size and count of its records."""

    def add(self, batch: Batch, numbers: Any) -> None:
        """Each record under its number, from 0; one with -1 is left out."""
        import numpy as np

        # NumPy sorts 16-bit numbers by radix.
        small = numbers.astype(np.int16) if numbers.max(initial=0) < 2**15 else numbers
        order = np.argsort(small, kind="stable")[int((numbers < 0).sum()) :]
        if not len(order):
            return
        found = numbers[order]
        first = np.flatnonzero(np.diff(found, prepend=-1))
        records = batch.records(order)
        ends = np.frombuffer(records.buffers()[1], np.int64)[[*first, len(found)]]
        extents = np.stack((found[first], np.diff(ends), np.diff(first, append=len(found))))
        self._held.append((records.buffers()[2], extents))
        self._room -= int(ends[-1]) + len(first) * EXTENT_OVERHEAD_BYTES
        if self._room < 0:
            self._flush()

    def read(self, numbers: int) -> Iterator[Group]:
        """The groups of all numbers below `numbers`, in their order."""
        import numpy as np

        self._flush()
        counts, sizes = np.zeros((2, numbers), np.int64)
        for index in self._indexes:
            counts[index[0]] += index[3]
            sizes[index[0]] += index[2]
        with self._path.open("rb") as records:
            for first, end in _windows(sizes.tolist()):
                window = zip(counts[first:end].tolist(), sizes[first:end].tolist(), strict=True)
                runs = [index[:, slice(*np.searchsorted(index[0], (first, end)))] for index in self._indexes]
                runs = [run for run in runs if run.shape[1]]
                if end - first == 1:
                    yield from (Group(*each, _streamed(records.fileno(), runs)) for each in window)
                    continue
                data = memoryview(_gathered(records.fileno(), runs))
                for count, size in window:
                    yield Group(count, size, iter([bytes(data[:size])]))
                    data = data[size:]

    def _flush(self) -> None:
        """Write what is held in order of number, and where each number's run is."""
        import numpy as np

        with self._path.open("ab") as out:
            if not self._held:
                return
            data = b"".join(data for data, _ in self._held)
            numbers, lengths, counts = np.concatenate([extents for _, extents in self._held], axis=1)
            self._held.clear()
            ends = np.cumsum(lengths)
            order = np.argsort(numbers, kind="stable")
            windows = np.flatnonzero(np.diff(np.cumsum(lengths[order]) // WINDOW_BYTES, prepend=0)) + 1
            for part in np.split(order, windows):
                out.write(slices(data, ends - lengths, ends, part).buffers()[2] or b"")
        self._index(numbers[order], lengths[order], counts[order])
        self._room = self._most

    def _index(self, numbers: Any, lengths: Any, counts: Any) -> None:
        """Kept in a file of its own: it grows with the numbers in each flush, not only with the numbers."""
        import numpy as np

        first = np.flatnonzero(np.diff(numbers, prepend=-1))
        sizes = np.add.reduceat(lengths, first)
        offsets = self._size + np.cumsum(sizes) - sizes
        self._size += int(sizes.sum())
        path = self._folder / f"index_{len(self._indexes)}.npy"
        np.save(path, np.stack((numbers[first], offsets, sizes, np.add.reduceat(counts, first))))
        self._indexes.append(np.load(path, mmap_mode="r"))


def _windows(sizes: list[int]) -> Iterator[tuple[int, int]]:
    """Ranges of numbers that together have at most WINDOW_BYTES, or are one number."""
    first = held = 0
    for number, size in enumerate(sizes):
        if number > first and held + size > WINDOW_BYTES:
            yield first, number
            first, held = number, 0
        held += size
    if sizes:
        yield first, len(sizes)


def _gathered(descriptor: int, runs: Sequence[Any]) -> Any:
    """What these runs hold, in order of their numbers; each run lies in one piece."""
    import numpy as np

    data = b"".join(os.pread(descriptor, int(sizes.sum()), int(offsets[0])) for _, offsets, sizes, _ in runs)
    numbers, _, sizes, _ = np.concatenate(runs, axis=1)
    ends = np.cumsum(sizes)
    return slices(data, ends - sizes, ends, np.argsort(numbers, kind="stable")).buffers()[2]


def _streamed(descriptor: int, runs: Sequence[Any]) -> Iterator[bytes]:
    for _, offset, size, _ in (run[:, 0].tolist() for run in runs):
        for start in range(offset, offset + size, READ_BYTES):
            yield os.pread(descriptor, min(READ_BYTES, offset + size - start), start)
