"""Rows of tables that have one key, put together in vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from triptych.engines.runtime.resources import need
from triptych.engines.sorting.order import Order
from triptych.engines.tables.cells import filled, same, value_of
from triptych.engines.tables.keyed import KeyedTable
from triptych.errors import EngineError


@dataclass(frozen=True)
class Join:
    """Which keys are kept, and which of different values in one column."""

    tables: Sequence[KeyedTable]
    keys: Sequence[str]
    kind: Literal["full", "left", "inner"]
    conflicts: Literal["fail", "first", "last", "all"]

    @property
    def names(self) -> list[str]:
        """The columns of all tables in the order in which they first occur."""
        return list(dict.fromkeys(name for table in self.tables for name in table.names))

    def columns(self, batches: Iterator[Any], order: Order) -> Iterator[Mapping[str, Any]]:
        """Columns of cells, row by row the same, of batches that are merged by key."""
        for batch in _whole_groups(batches, order):
            entries = _Entries(batch, order, self.tables)
            kept = self._kept(entries)
            if self.conflicts == "all":
                yield {name: entries.column(name).filter(_array(kept[entries.groups])) for name in self.names}
            else:
                yield {name: self._one_of_each(entries, name, kept).filter(_array(kept)) for name in self.names}

    def _kept(self, entries: _Entries) -> Any:
        """Of each group, whether the join keeps it."""
        import numpy as np

        if self.kind == "full":
            return np.ones(entries.count, bool)
        if self.kind == "left":
            return np.bincount(entries.groups[entries.tables == 0], minlength=entries.count) > 0
        # In a group, tables are in their order.
        first = np.diff(entries.groups * len(self.tables) + entries.tables, prepend=-1) != 0
        return np.bincount(entries.groups[first], minlength=entries.count) == len(self.tables)

    def _one_of_each(self, entries: _Entries, name: str, kept: Any) -> Any:
        """The first or last value of each group that is there; null where none is."""
        import numpy as np

        cells, places = entries.cells(name)
        there = filled(cells)
        cells, places = cells.filter(there), places[there.to_numpy(zero_copy_only=False)]
        groups = entries.groups[places]
        begins = np.flatnonzero(np.diff(groups, prepend=-1))
        if self.conflicts == "fail":
            self._refuse_difference(entries, name, cells, places, kept)
        chosen = np.append(begins[1:], len(groups))[: len(begins)] - 1 if self.conflicts == "last" else begins
        return _spread(cells.take(_array(chosen)), groups[begins], entries.count)

    def _refuse_difference(self, entries: _Entries, name: str, cells: Any, places: Any, kept: Any) -> None:
        """EngineError when one group has different values."""
        import numpy as np

        pc = need("pyarrow.compute", "tables")
        groups = entries.groups[places]
        begins = np.flatnonzero(np.diff(groups, prepend=-1))
        if len(begins) == len(groups):
            return
        first = np.repeat(begins, np.diff(np.append(begins, len(groups))))
        differ = pc.not_equal(cells, cells.take(_array(first))).to_numpy(zero_copy_only=False) & kept[groups]
        for at in np.flatnonzero(differ).tolist():
            one, other = (cells[int(place)].as_py() for place in (first[at], at))
            if not same(one, other):
                key = entries.key(int(places[at]), self.keys)
                before, behind = (self.tables[entries.tables[places[place]]].what for place in (first[at], at))
                msg = (
                    f"{key}: {name!r} is {value_of(one)!r} in {before} and {value_of(other)!r} in {behind}. "
                    "Correct the app, or set conflicts to first, last or all."
                )
                raise EngineError(msg)


class _Entries:
    """A batch of whole groups: of each record its group, from 0, and its table; and cells by column."""

    def __init__(self, batch: Any, order: Order, tables: Sequence[KeyedTable]) -> None:
        import numpy as np

        self._batch = batch
        self.groups = np.concatenate(([0], np.cumsum(order.changes(batch))))
        self.count = int(self.groups[-1]) + 1
        self.tables = batch.column("table").to_numpy()
        self._found: dict[str, list[tuple[Any, Any]]] = {}
        for index in np.unique(self.tables).tolist():
            places = np.flatnonzero(self.tables == index)
            for name, cells in tables[index].cells(batch.column("record").take(_array(places))).items():
                self._found.setdefault(name, []).append((cells, places))

    def cells(self, name: str) -> tuple[Any, Any]:
        """Those of the tables that have the column, and which records they are of, ascending."""
        import numpy as np

        pa = need("pyarrow", "tables")
        found = self._found.get(name, [])
        if not found:
            return pa.array([], pa.large_string()), np.array([], np.int64)
        places = np.concatenate([places for _, places in found])
        order = np.argsort(places, kind="stable")
        return pa.concat_arrays([cells for cells, _ in found]).take(_array(order)), places[order]

    def column(self, name: str) -> Any:
        """The cell of each record; null where its table has no such column."""
        cells, places = self.cells(name)
        return _spread(cells, places, len(self.groups))

    def key(self, place: int, names: Sequence[str]) -> str:
        values = [self._batch.column(at)[place].as_py().decode() for at in range(len(names))]
        return ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))


def _whole_groups(batches: Iterator[Any], order: Order) -> Iterator[Any]:
    """The same records; none of two batches have one key."""
    import numpy as np

    pa = need("pyarrow", "tables")
    held: list[Any] = []
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


def _spread(values: Any, places: Any, count: int) -> Any:
    """An array of `count` with the values at these places, null elsewhere."""
    import numpy as np

    pa = need("pyarrow", "tables")
    indices = np.full(count, -1, np.int64)
    indices[places] = np.arange(len(places))
    return values.take(pa.array(indices, mask=indices < 0))


def _array(values: Any) -> Any:
    return need("pyarrow", "tables").array(values)
