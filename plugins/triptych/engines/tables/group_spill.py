"""Records gathered by number, more than memory holds, in one scratch file however many numbers there are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from triptych.engines.arrays.aliases import Codes, Offsets
from triptych.engines.arrays.runs import run_lengths, run_starts
from triptych.engines.arrays.slices import slices
from triptych.engines.runtime.resources import resources
from triptych.engines.tables.csv_batches import Batch

if TYPE_CHECKING:
    import pyarrow as pa

HELD_SHARE = 1 / 12
"""What is held is copied while it is put in order."""
EXTENT_OVERHEAD_BYTES = 100
WINDOW_BYTES = 2 * 1024 * 1024
READ_BYTES = 1024 * 1024
Extents = npt.NDArray[np.int64]
"""A column per run of records of one number; its rows are told where it is made."""


@dataclass(frozen=True)
class Group:
    """All records of one number: `count` of them, `size` bytes in `blocks`, which are read once."""

    count: int
    size: int
    blocks: Iterator[bytes]


@dataclass
class _Held:
    """What waits to be written: of each batch its records by number, and extents with rows number, bytes, records."""

    most_bytes: int
    batches: list[tuple[pa.Buffer, Extents]] = field(default_factory=list)
    size: int = 0

    def add(self, data: pa.Buffer, extents: Extents) -> None:
        """The records of one batch, in order of number, which the extents take apart."""
        self.batches.append((data, extents))
        self.size += data.size + extents.shape[1] * EXTENT_OVERHEAD_BYTES

    def taken(self) -> tuple[bytes, Extents]:
        """All bytes back to back and their extents; nothing is held any more."""
        data = b"".join(data for data, _ in self.batches)
        extents = np.concatenate([extents for _, extents in self.batches], axis=1)
        self.batches.clear()
        self.size = 0
        return data, extents


class GroupSpill:
    """Takes batches of records, then gives each number's records back, in the order in which they came."""

    def __init__(self) -> None:
        self._folder = resources().new_folder()
        self._held = _Held(resources().share(HELD_SHARE).bytes)
        self._written_bytes = 0
        self._indexes: list[Extents] = []
        """Of each flush extents, by number, with rows number, offset in the file, bytes, records."""

    def add(self, batch: Batch, numbers: Codes) -> None:
        """Each record under its number, from 0; one with -1 is left out.

        `numbers` has one of each record. Records a, b, c, d with [1, 0, -1, 1] are put in the order b, a, d: the
        numbers of these are [0, 1, 1], whose runs start at [0, 1], so that the extents are, with records of 10 bytes,
        [[0, 1], [10, 20], [1, 2]]: numbers, bytes, records.
        """
        # NumPy sorts 16-bit numbers by radix.
        small = numbers.astype(np.int16) if numbers.max(initial=0) < 2**15 else numbers
        order = np.argsort(small, kind="stable")[int((numbers < 0).sum()) :]
        if not len(order):
            return
        ordered = numbers[order]
        starts = run_starts(ordered)
        records = batch.records(order)
        bounds = np.frombuffer(records.buffers()[1], np.int64)[[*starts, len(ordered)]]
        self._held.add(
            records.buffers()[2], np.stack((ordered[starts], np.diff(bounds), run_lengths(starts, len(ordered))))
        )
        if self._held.size > self._held.most_bytes:
            self._flush()

    def read(self, numbers: int) -> Iterator[Group]:
        """The groups of all numbers below `numbers`, in their order."""
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

    @property
    def _path(self) -> Path:
        return self._folder / "records"

    def _flush(self) -> None:
        """Write what is held in order of number, and where each number's run is."""
        with self._path.open("ab") as out:
            if not self._held.batches:
                return
            data, (numbers, lengths, counts) = self._held.taken()
            ends = np.cumsum(lengths)
            order = np.argsort(numbers, kind="stable")
            # Written in pieces of about WINDOW_BYTES, each of which is copied once.
            borders = run_starts(np.cumsum(lengths[order]) // WINDOW_BYTES)[1:]
            for piece in np.split(order, borders):
                out.write(slices(data, ends - lengths, ends, piece).buffers()[2] or b"")
        self._index(numbers[order], lengths[order], counts[order])

    def _index(self, numbers: Codes, lengths: Offsets, counts: Offsets) -> None:
        """Kept in a file of its own: it grows with the numbers in each flush, not only with the numbers.

        By number, one or more runs of each: numbers [0, 0, 4], lengths [10, 5, 7], counts [2, 1, 1] -> [[0, 4],
        [0, 15], [15, 7], [3, 1]], with the offsets counted from what was written before.
        """
        starts = run_starts(numbers)
        sizes = np.add.reduceat(lengths, starts)
        offsets = self._written_bytes + np.cumsum(sizes) - sizes
        self._written_bytes += int(sizes.sum())
        path = self._folder / f"index_{len(self._indexes)}.npy"
        np.save(path, np.stack((numbers[starts], offsets, sizes, np.add.reduceat(counts, starts))))
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


def _gathered(descriptor: int, runs: Sequence[Extents]) -> pa.Buffer:
    """What these runs hold, in order of their numbers; each run lies in one piece."""
    data = b"".join(os.pread(descriptor, int(sizes.sum()), int(offsets[0])) for _, offsets, sizes, _ in runs)
    numbers, _, sizes, _ = np.concatenate(runs, axis=1)
    ends = np.cumsum(sizes)
    return slices(data, ends - sizes, ends, np.argsort(numbers, kind="stable")).buffers()[2]


def _streamed(descriptor: int, runs: Sequence[Extents]) -> Iterator[bytes]:
    for _, offset, size, _ in (run[:, 0].tolist() for run in runs):
        for start in range(offset, offset + size, READ_BYTES):
            yield os.pread(descriptor, min(READ_BYTES, offset + size - start), start)
