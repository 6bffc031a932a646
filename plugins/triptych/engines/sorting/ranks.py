"""Quantiles of more numbers than memory holds: they wait in a scratch file, and are sorted when they are asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

import pyarrow as pa

from triptych.engines.arrays.numbers import Numbers
from triptych.engines.reduction.running_statistics import as_json
from triptych.engines.runtime.resources import resources
from triptych.engines.sorting.external_merge import merged
from triptych.engines.sorting.order import Order
from triptych.engines.sorting.sort_keys import number_keys

HELD_NUMBERS = 1000
"""Before they are written: there may be many fields."""
READ_BYTES = 256 * 1024


class Ranked:
    """Finite numbers, ints of any size and floats, each as it is: a line of text in a scratch file."""

    def __init__(self) -> None:
        self._path = resources().new_folder() / "numbers"
        self._held: list[str] = []
        self._count = 0
        self._has_floats = False

    def add(self, values: Numbers) -> None:
        """Some more: a list of ints and floats, or a vector."""
        numbers = as_json(values)
        self._has_floats = self._has_floats or float in set(map(type, numbers))
        self._held += map(repr, numbers)
        self._count += len(numbers)
        if len(self._held) >= HELD_NUMBERS:
            self._write()

    def _write(self) -> None:
        # Not open all the while: there may be more fields than a process may have files.
        with self._path.open("a") as out:
            out.writelines(f"{text}\n" for text in self._held)
        self._held = []

    def quantiles(self, fractions: Sequence[float]) -> list[int | float | None]:
        """Between the two nearest of the numbers in order, exactly, and rounded once (Hyndman and Fan's type 7).

        [1, 2, 3, 4], [0.5, 1] -> [2.5, 4.0]; ints where all numbers are, and the quantile is whole. To be asked once.
        """
        self._write()
        if not self._count:
            return [None] * len(fractions)
        places = [(self._count - 1) * Fraction(repr(fraction)) for fraction in fractions]
        wanted = {rank for place in places for rank in (math.floor(place), math.ceil(place))}
        found = self._at(wanted)
        return [self._between(found[math.floor(place)], found[math.ceil(place)], place % 1) for place in places]

    def _between(self, low: Fraction, high: Fraction, share: Fraction) -> int | float:
        value = low + (high - low) * share
        return float(value) if self._has_floats or value.denominator > 1 else int(value)

    def _at(self, ranks: Iterable[int]) -> Mapping[int, Fraction]:
        """The numbers of these ranks, from 0."""
        found: dict[int, Fraction] = {}
        first, waiting = 0, sorted(ranks)
        for batch in merged([self._batches], Order(["ascending"] * 2), in_order=False):
            while waiting and waiting[0] < first + len(batch):
                rank = waiting.pop(0)
                found[rank] = Fraction(batch.column("number")[rank - first].as_py())
            first += len(batch)
        self._path.unlink()
        return found

    def _batches(self) -> Iterator[pa.RecordBatch]:
        with self._path.open() as file:
            while lines := file.readlines(READ_BYTES):
                numbers = pa.array((line[:-1] for line in lines), pa.large_string())
                yield pa.record_batch([*number_keys(numbers), numbers], ["key0", "key1", "number"])
