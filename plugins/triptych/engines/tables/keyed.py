"""Results with columns of keys: their records as runs, and later the cells of some of these records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Protocol

from triptych.engines.api import Result
from triptych.engines.arrays.slices import slices
from triptych.engines.arrays.text_columns import joined_bytes
from triptych.engines.jsontext.records import Batch as JsonBatch
from triptych.engines.jsontext.records import decode_lines, json_batches
from triptych.engines.runtime.resources import need
from triptych.engines.sorting.external_merge import keyed
from triptych.engines.tables.cells import json_cells, json_of, text_cells
from triptych.engines.tables.csv_batches import Batch, Table, csv_table
from triptych.engines.tables.formats import DELIMITERS
from triptych.engines.tables.record_ends import NEWLINE
from triptych.engines.tables.text_codec import NoTextError, unquoted
from triptych.errors import EngineError


class KeyedTable(Protocol):
    """One result."""

    @property
    def what(self) -> str: ...
    @property
    def names(self) -> Sequence[str]:
        """All columns, each once."""

    def batches(self) -> Iterator[Any]:
        """Batches by the text of the keys, as bytes; `table` is the index."""

    def cells(self, records: Any) -> Mapping[str, Any]:
        """Of some of its records, as a batch has them: columns by name."""


def keyed_table(index: int, result: Result, form: str, keys: Sequence[str]) -> KeyedTable:
    """EngineError when one of the keys is not among its columns."""
    table: KeyedTable = (_CsvTable if form in DELIMITERS else _JsonTable)(index, result, form, keys)
    missing = [key for key in keys if key not in table.names]
    if table.names and missing:
        msg = f"{table.what}: there is no key column {missing[0]!r}; it has {', '.join(table.names)}."
        raise EngineError(msg)
    return table


@dataclass(frozen=True)
class _Keyed:
    index: int
    result: Result
    form: str
    keys: Sequence[str]

    @property
    def what(self) -> str:
        return f"chunk {self.result.chunk}, {self.result.name!r}"

    def _batch(self, keys: Sequence[Any], records: Any) -> Any:
        import numpy as np

        pa = need("pyarrow", "tables")
        table = pa.array(np.full(len(records), self.index, np.int32))
        return keyed([key.cast(pa.large_binary()) for key in keys], records, table=table)


class _CsvTable(_Keyed):
    @cached_property
    def _table(self) -> Table:
        return csv_table(self.result.stream, self.what, self._delimiter)

    @property
    def _delimiter(self) -> str:
        return DELIMITERS[self.form]

    @cached_property
    def names(self) -> Sequence[str]:
        return list(dict.fromkeys(self._table.names))

    def batches(self) -> Iterator[Any]:
        for batch, raws in self._table.batches(self.keys):
            yield self._batch([self._texts(raw) for raw in raws], batch.records())

    def cells(self, records: Any) -> Mapping[str, Any]:
        pa = need("pyarrow", "tables")
        blocks = [self._table.header.rstrip(b"\r\n") + b"\n", joined_bytes(records)]
        columns: list[list[Any]] = [[] for _ in self._table.names]
        for batch, raws in csv_table(lambda: blocks, self.what, self._delimiter).batches(self._table.names):
            self._check_width(batch, raws)
            for column, raw in zip(columns, raws, strict=True):
                column.append(text_cells(self._texts(raw)))
        return dict(zip(self._table.names, map(pa.concat_arrays, columns), strict=True))

    def _texts(self, raw: Any) -> Any:
        try:
            return unquoted(raw, self._delimiter)
        except NoTextError as error:
            msg = f"{self.what}: {error}"
            raise EngineError(msg) from error

    def _check_width(self, batch: Batch, raws: Sequence[Any]) -> None:
        """A record is its values, what is between them, and its line end."""
        import numpy as np

        pc = need("pyarrow.compute", "tables")
        known = sum(pc.binary_length(raw).to_numpy() for raw in raws) + len(raws) - 1
        longer = batch.ends - batch.starts - known > 2
        if longer.any():
            record = batch.data[batch.starts[at := int(np.argmax(longer))] : batch.ends[at]]
            msg = f"{self.what}: the record {record[:80]!r} has more values than its header."
            raise EngineError(msg)


class _JsonTable(_Keyed):
    @cached_property
    def names(self) -> Sequence[str]:
        names: dict[str, None] = {}
        for batch in self._batches():
            # Most rows have the same names.
            names.update(dict.fromkeys(chain.from_iterable(dict.fromkeys(map(tuple, batch.values)))))
        return list(names)

    def batches(self) -> Iterator[Any]:
        import numpy as np

        for batch in self._batches():
            lines = batch.lines()
            ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == NEWLINE) + 1
            records = slices(lines, np.append(0, ends[:-1]), ends)
            yield self._batch([self._key(batch.values, name) for name in self.keys], records)

    def cells(self, records: Any) -> Mapping[str, Any]:
        rows = decode_lines(joined_bytes(records))
        return {name: json_cells(rows, name) for name in self.names}

    def _batches(self) -> Iterator[JsonBatch]:
        for batch in json_batches(self.result):
            if batch.faults or set(map(type, batch.values)) != {dict}:
                at = next(at for at, value in enumerate(batch.values) if at in batch.faults or type(value) is not dict)
                msg = f"{self.what}, {batch.place(at)}: {batch.faults.get(at, 'is no JSON object')}."
                raise EngineError(msg)
            yield batch

    def _key(self, rows: Sequence[Mapping[str, Any]], name: str) -> Any:
        pa = need("pyarrow", "tables")
        try:
            values = [row[name] for row in rows]
        except KeyError:
            row = next(row for row in rows if name not in row)
            msg = f"{self.what}: a row has no key {name!r}: {str(row)[:100]}."
            raise EngineError(msg) from None
        texts = [value if isinstance(value, str) else json_of(value) for value in values]
        return pa.array(texts, pa.large_string())
