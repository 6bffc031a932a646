"""Rows of tables that have one key, put together in vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.arrays.aliases import Codes, Mask, Offsets
from triptych.engines.arrays.runs import run_lengths, run_starts
from triptych.engines.sorting.order import Order
from triptych.engines.tables.cells import Cells, filled, same, value_of
from triptych.engines.tables.keyed import KeyedTable
from triptych.errors import EngineError


@dataclass(frozen=True)
class Join:
    """Which keys are kept, and which of different values in one column."""

    tables: Sequence[KeyedTable]
    on: Sequence[str]
    how: Literal["full", "left", "inner"]
    on_conflict: Literal["fail", "first", "last", "all"]

    @property
    def names(self) -> list[str]:
        """The columns of all tables in the order in which they first occur."""
        return list(dict.fromkeys(name for table in self.tables for name in table.names))

    def columns(self, batches: Iterator[pa.RecordBatch], order: Order) -> Iterator[Mapping[str, Cells]]:
        """Columns of cells, row by row the same, of batches that are merged by key.

        Raises EngineError where values of one key differ and `on_conflict` is "fail".
        """
        for batch in _whole_groups(batches, order):
            entries = _Entries(batch, order, self.tables)
            kept = self._kept(entries)
            if self.on_conflict == "all":
                yield {name: entries.column(name).filter(pa.array(kept[entries.groups])) for name in self.names}
            else:
                yield {name: self._one_of_each(entries, name, kept).filter(pa.array(kept)) for name in self.names}

    def _kept(self, entries: _Entries) -> Mask:
        """Of each group, whether the join keeps it.

        Of two tables, groups [0, 0, 1] with tables [0, 1, 1]: a left join keeps [True, False], since no record of
        table 0 is in group 1; so does an inner one, which wants as many different tables as there are.
        """
        if self.how == "full":
            return np.ones(entries.count, bool)
        if self.how == "left":
            of_first = np.bincount(entries.groups[entries.tables == 0], minlength=entries.count)
            kept: Mask = of_first > 0
            return kept
        # In a group, tables are in their order: each pair of group and table is one run.
        first = run_starts(entries.groups * len(self.tables) + entries.tables)
        in_all: Mask = np.bincount(entries.groups[first], minlength=entries.count) == len(self.tables)
        return in_all

    def _one_of_each(self, entries: _Entries, name: str, kept: Mask) -> Cells:
        """The first or last value of each group that is there; null where none is.

        Cells [a, null, b, c] in groups [0, 0, 0, 2], of which there are three: those that are there have groups
        [0, 0, 2], whose runs start at [0, 2] -> [a, null, c]; their last elements are [1, 2] -> [b, null, c].
        """
        cells, indices = entries.cells(name)
        there = filled(cells)
        cells, indices = cells.filter(there), indices[there.to_numpy(zero_copy_only=False)]
        groups = entries.groups[indices]
        starts = run_starts(groups)
        if self.on_conflict == "fail":
            self._refuse_difference(entries, name, (cells, indices), kept)
        chosen = starts + run_lengths(starts, len(groups)) - 1 if self.on_conflict == "last" else starts
        return _spread(cells.take(pa.array(chosen)), groups[starts], entries.count)

    def _refuse_difference(self, entries: _Entries, name: str, there: tuple[Cells, Offsets], kept: Mask) -> None:
        """EngineError when one group has different values: each is compared with the first of its group."""
        cells, indices = there
        groups = entries.groups[indices]
        starts = run_starts(groups)
        if len(starts) == len(groups):
            return
        first = np.repeat(starts, run_lengths(starts, len(groups)))
        differ = pc.not_equal(cells, cells.take(pa.array(first))).to_numpy(zero_copy_only=False) & kept[groups]
        for index in np.flatnonzero(differ).tolist():
            one, other = (cells[int(each)].as_py() for each in (first[index], index))
            if not same(one, other):
                key = entries.key(int(indices[index]), self.on)
                before, behind = (
                    self.tables[entries.tables[indices[each]]].result.label for each in (first[index], index)
                )
                msg = (
                    f"{key}: {name!r} is {value_of(one)!r} in {before} and {value_of(other)!r} in {behind}. "
                    "Correct the app, or set on_conflict to first, last or all."
                )
                raise EngineError(msg)


class _Entries:
    """A batch of whole groups: of each record its group, from 0, and its table; and cells by column."""

    groups: Codes
    tables: Codes

    def __init__(self, batch: pa.RecordBatch, order: Order, tables: Sequence[KeyedTable]) -> None:
        self._batch = batch
        self.groups = np.concatenate(([0], np.cumsum(order.changes(batch))))
        self.count = int(self.groups[-1]) + 1
        self.tables = batch.column("table").to_numpy()
        self._by_name: dict[str, list[tuple[Cells, Offsets]]] = {}
        for table in np.unique(self.tables).tolist():
            indices = np.flatnonzero(self.tables == table)
            for name, cells in tables[table].cells(batch.column("record").take(pa.array(indices))).items():
                self._by_name.setdefault(name, []).append((cells, indices))

    def cells(self, name: str) -> tuple[Cells, Offsets]:
        """Those of the tables that have the column, and the indices of their records, ascending."""
        found = self._by_name.get(name, [])
        if not found:
            return pa.array([], pa.large_string()), np.array([], np.int64)
        indices = np.concatenate([indices for _, indices in found])
        order = np.argsort(indices, kind="stable")
        return pa.concat_arrays([cells for cells, _ in found]).take(pa.array(order)), indices[order]

    def column(self, name: str) -> Cells:
        """The cell of each record; null where its table has no such column."""
        cells, indices = self.cells(name)
        return _spread(cells, indices, len(self.groups))

    def key(self, index: int, names: Sequence[str]) -> str:
        """How messages call the key of this record: `id=7, city=Bonn`."""
        values = [self._batch.column(column)[index].as_py().decode() for column in range(len(names))]
        return ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))


def _whole_groups(batches: Iterator[pa.RecordBatch], order: Order) -> Iterator[pa.RecordBatch]:
    """The same records; none of two batches have one key."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        if held and order.key(held[0], 0) == order.key(batch, len(batch) - 1):
            held.append(batch)
            continue
        whole = pa.concat_batches([*held, batch])
        last = np.flatnonzero(order.changes(whole))
        end = int(last[-1]) + 1 if len(last) else 0
        if end:
            yield whole[:end]
        held = [whole[end:]]
    if held:
        yield pa.concat_batches(held)


def _spread(values: Cells, indices: Offsets, count: int) -> Cells:
    """An array of `count` with the values at these indices, null elsewhere: [a, b], [0, 2], 3 -> [a, null, b]."""
    takes = np.full(count, -1, np.int64)
    takes[indices] = np.arange(len(indices))
    return values.take(pa.array(takes, mask=takes < 0))
