"""How records are ordered by columns of their batches: compared in vectors, or two single ones in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import total_ordering
from typing import Any, Literal

from triptych.engines.runtime.resources import need

Direction = Literal["ascending", "descending"]


WORD_BYTES = 8
MOST_WORDS = 3
"""Keys up to three words are ordered as numbers: more of them take as long as to compare bytes."""


@total_ordering
class _Descending:
    """Turns the order of what it holds around."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and bool(self.value == other.value)

    def __lt__(self, other: _Descending) -> bool:
        return bool(other.value < self.value)

    __hash__ = None  # type: ignore[assignment]  # Never a key of a dict.


@dataclass(frozen=True)
class Order:
    """By the first columns of a batch, of numbers or bytes, most important first, each in its direction.

    Nulls are first or last, whatever the direction.
    """

    directions: Sequence[Direction]
    nulls: Literal["at_start", "at_end"] = "at_end"

    def key(self, batch: Any, number: int) -> Any:
        """What compares as the record does."""
        return tuple(
            self._part(batch.column(at)[number].as_py(), direction) for at, direction in enumerate(self.directions)
        )

    def _part(self, value: Any, direction: Direction) -> Any:
        if value is None:
            return (-1 if self.nulls == "at_start" else 1,)
        return (0, value if direction == "ascending" else _Descending(value))

    def falls(self, batch: Any) -> Any:
        """For each record but the last, whether the next ought to be before it."""
        import numpy as np

        falls, equal = np.zeros(len(batch) - 1, bool), np.ones(len(batch) - 1, bool)
        for at, direction in enumerate(self.directions):
            after, same = self._compared(batch.column(at), direction)
            falls |= equal & after
            equal &= same
            if not equal.any():
                break
        return falls

    def changes(self, batch: Any) -> Any:
        """For each record but the last, whether the next has another key."""
        import numpy as np

        equal = np.ones(len(batch) - 1, bool)
        for at, direction in enumerate(self.directions):
            equal &= self._compared(batch.column(at), direction)[1]
        return ~equal

    def _compared(self, column: Any, direction: Direction) -> tuple[Any, Any]:
        """For each value but the last, whether it is to be after the next, and whether they are equal."""
        pc = need("pyarrow.compute", "tables")
        one, other = column[:-1], column[1:]
        after = _mask((pc.greater if direction == "ascending" else pc.less)(one, other))
        same = _mask(pc.equal(one, other))
        if column.null_count:
            none, nor = _mask(one.is_null()), _mask(other.is_null())
            after |= ~none & nor if self.nulls == "at_start" else none & ~nor
            same |= none & nor
        return after, same

    def sorted_places(self, batch: Any) -> Any:
        """The places of the records, as an array of indices, in stable order; None when they are in order."""
        import numpy as np

        pa, pc = need("pyarrow", "tables"), need("pyarrow.compute", "tables")
        if len(batch) < 2 or not self.falls(batch).any():
            return None
        telling = [at for at in range(len(self.directions)) if _tells(batch.column(at))]
        vectors = [_vectors(batch.column(at), self.directions[at]) for at in telling]
        if all(vectors):
            # NumPy's stable sort is faster, the more so when whole stretches are in order.
            return pa.array(np.lexsort([each for vector in reversed(vectors) for each in reversed(vector)]))
        keys = pa.table([batch.column(at) for at in telling], names=[str(at) for at in telling])
        sort_keys = [(str(at), self.directions[at], self.nulls) for at in telling]
        return pc.sort_indices(keys, sort_keys=sort_keys)


def _tells(column: Any) -> bool:
    """Whether its values differ."""
    pc = need("pyarrow.compute", "tables")
    ends = pc.min_max(column).as_py()
    return bool(ends["min"] != ends["max"] or 0 < column.null_count < len(column))


def _vectors(column: Any, direction: Direction) -> list[Any]:
    """NumPy arrays that ascend, the first before the second, as these values are ordered; none for some values."""
    pa = need("pyarrow", "tables")
    if column.null_count:
        return []
    if pa.types.is_large_binary(column.type):
        words = _words(column)
        return words if direction == "ascending" else [~word for word in words]
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        values = column.to_numpy()
        return [values if direction == "ascending" else -values]
    return []


def _words(texts: Any) -> list[Any]:
    """Bytes as big-endian numbers of 64 bits, with zeros at the end, then their lengths; none where some are long."""
    import numpy as np

    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    lengths = np.diff(bounds)
    width = -(-int(lengths.max()) // WORD_BYTES) * WORD_BYTES
    if width > MOST_WORDS * WORD_BYTES:
        return []
    padded = np.zeros((len(texts), width), np.uint8)
    padded[np.arange(width) < lengths[:, None]] = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]
    return [*(word.astype(np.uint64) for word in padded.view(">u8").T), lengths]


def _mask(values: Any) -> Any:
    return values.fill_null(False).to_numpy(zero_copy_only=False)
