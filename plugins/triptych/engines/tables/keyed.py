"""Results with columns of keys: their records as runs, and later the cells of some of these records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from triptych.engines.api import Input
from triptych.engines.arrays.slices import slices
from triptych.engines.arrays.text_columns import BytesColumn, TextColumn, joined_bytes
from triptych.engines.dialects.formats import DELIMITERS
from triptych.engines.dialects.opening import Opened, refuse_double_names
from triptych.engines.dialects.quotes import NEWLINE
from triptych.engines.jsontext.records import JsonBatch, decode_lines, json_batches
from triptych.engines.sorting.external_merge import keyed
from triptych.engines.tables.cells import Cells, json_cells, json_of, text_cells
from triptych.engines.tables.csv_batches import CsvTable, csv_columns
from triptych.engines.tables.text_codec import NoTextError, unquoted


class KeyedTable(Protocol):
    """One result."""

    @property
    def result(self) -> Input:
        """The file that is read, which names itself in messages."""

    @property
    def names(self) -> Sequence[str]:
        """All columns, each once."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches by the text of the keys, as bytes; `table` is the index, `record` the record's bytes."""

    def cells(self, records: BytesColumn) -> Mapping[str, Cells]:
        """Of some of its records, as a batch has them: columns by name."""


def keyed_table(index: int, opened: Opened, keys: Sequence[str]) -> KeyedTable:
    """Of CSV, TSV or JSON; raises the result's error when one of the keys is not among its columns."""
    table: KeyedTable = (_KeyedCsv if opened.format in DELIMITERS else _KeyedJson)(index, opened, keys)
    missing = [key for key in keys if key not in table.names]
    if table.names and missing:
        msg = f"there is no key column {missing[0]!r}; it has {', '.join(table.names)}."
        raise opened.item.error(msg)
    return table


@dataclass(frozen=True)
class _Keyed:
    index: int
    opened: Opened
    keys: Sequence[str]

    @property
    def result(self) -> Input:
        """As `KeyedTable.result`."""
        return self.opened.item

    def _batch(self, keys: Sequence[TextColumn], records: BytesColumn) -> pa.RecordBatch:
        table = pa.array(np.full(len(records), self.index, np.int32))
        return keyed([key.cast(pa.large_binary()) for key in keys], records, table=table)


class _KeyedCsv(_Keyed):
    """CSV or TSV."""

    @cached_property
    def _table(self) -> CsvTable:
        return CsvTable(self.opened)

    @property
    def names(self) -> Sequence[str]:
        refuse_double_names(self.opened)
        return self.opened.names

    def batches(self) -> Iterator[pa.RecordBatch]:
        for batch, keys in self._table.texts(self.keys, exact=True):
            yield self._batch(keys, batch.records())

    def cells(self, records: BytesColumn) -> Mapping[str, Cells]:
        names = self._table.names
        raws = csv_columns(joined_bytes(records), self._table.dialect, len(names))
        by_name = dict(zip(names, raws, strict=True))
        return {name: text_cells(self._texts(by_name[name])) for name in self.names}

    def _texts(self, raw: BytesColumn) -> TextColumn:
        try:
            return unquoted(raw, self._table.dialect)
        except NoTextError as error:
            raise self.result.error(str(error)) from error


class _KeyedJson(_Keyed):
    """JSON Lines, arrays or documents: objects, whose names are looked for in all records."""

    @cached_property
    def names(self) -> Sequence[str]:
        """In the order in which they first occur; asks for a reading of the whole file."""
        names: dict[str, None] = {}
        for batch in self._batches():
            # Most rows have the same names.
            names.update(dict.fromkeys(chain.from_iterable(dict.fromkeys(map(tuple, batch.values)))))
        return list(names)

    def batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches():
            lines = batch.lines()
            ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == NEWLINE) + 1
            records = slices(lines, np.append(0, ends[:-1]), ends)
            yield self._batch([self._key(batch.values, name) for name in self.keys], records)

    def cells(self, records: BytesColumn) -> Mapping[str, Cells]:
        try:
            rows = decode_lines(joined_bytes(records))
        except (ValueError, RecursionError) as error:  # It is JSON: the batches were read by a slower way.
            msg = "a row has half a surrogate pair, or too many levels. Write rows that a table can hold."
            raise self.result.error(msg) from error
        return {name: json_cells(rows, name) for name in self.names}

    def _batches(self) -> Iterator[JsonBatch]:
        for batch in json_batches(self.result):
            if (other := batch.other_than_object()) is not None:
                msg = f"{other}."
                raise self.result.error(msg)
            yield batch

    def _key(self, rows: Sequence[Mapping[str, Any]], name: str) -> TextColumn:
        try:
            values = [row[name] for row in rows]
        except KeyError:
            row = next(row for row in rows if name not in row)
            msg = f"a row has no key {name!r}: {str(row)[:100]}."
            raise self.result.error(msg) from None
        try:
            texts = [value if isinstance(value, str) else json_of(value) for value in values]
            return pa.array(texts, pa.large_string())
        except (UnicodeEncodeError, RecursionError) as error:
            what = "half a surrogate pair" if isinstance(error, ValueError) else "too many levels"
            msg = f"a row's key {name!r} has {what}, and is no text. Correct it."
            raise self.result.error(msg) from error
