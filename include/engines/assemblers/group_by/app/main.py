"""One row per key over all results: they are sorted by key beyond memory, and each key's rows reduced as they pass."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import islice, pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from triptych.engines import Output, Result, resources
from triptych.engines.arrays.text_columns import TextColumn, joined_bytes
from triptych.engines.contracts import named_results
from triptych.engines.dialects.dialect import twice
from triptych.engines.dialects.formats import DELIMITERS
from triptych.engines.dialects.opening import Opened, opened
from triptych.engines.documents.contained import tables_in
from triptych.engines.reduction.aggregates import Aggregate, GroupValues, Value
from triptych.engines.reduction.decimals import MOST_DIGITS, digits_of, is_in_bounds
from triptych.engines.sorting.external_merge import merged
from triptych.engines.sorting.order import Order
from triptych.engines.tables.cells import NUL, NULL_CELL, NUMBER, Cells, csv_header, filled, rows_writer, value_of
from triptych.engines.tables.named_cells import CellBatch, named_cells
from triptych.engines.tables.parquet import open_parquet
from triptych.errors import JobSpecError

WRITTEN = (".csv", ".tsv", ".jsonl", ".parquet")
BLOCK_ROWS = 5000
"""Groups that are written at once."""
NUMERIC = r"^ *[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})? *$"
INT64_LIMIT, DECIMAL128_DIGITS, DECIMAL256_DIGITS = 2**63, 38, 76
KEY, NUMBERS, FLOATS, TEXTS = "key", "numbers", "floats", "texts"
"""What a column of the output has; a key is a number only where all keys are numbers of JSON or Parquet."""


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """Rows in order of their keys: so they are the same however the data was cut."""
    extension = PurePosixPath(params["name"]).suffix.lower()
    if extension not in WRITTEN:
        msg = f"params.assembler.name: {params['name']!r} must end in one of {', '.join(WRITTEN)}."
        raise JobSpecError(msg)
    aggregates = [Aggregate.of(said) for said in params["aggregates"]]
    names = [*params["by"], *(each.title for each in aggregates)]
    if (name := twice(names)) is not None:
        msg = f"params.assembler.aggregates: two columns of the output would be called {name!r}. Leave one out."
        raise JobSpecError(msg)
    chosen = [result for result in _of_one_name(results, params["results"]) if result.size]
    tables = [
        opened(item, params, binaries=("parquet",)) for result in chosen for item in tables_in(result, arrow=True)
    ]
    blocks = _blocks(Grouping(tables, params["by"], aggregates).rows(), names)
    if extension == ".parquet":
        roles = [*(KEY for _ in params["by"]), *(_role(each, tables) for each in aggregates)]
        are_lists = [*(False for _ in params["by"]), *(each.function == "top" for each in aggregates)]
        made = map(TypedColumn, roles, are_lists)
        columns = dict(zip(names, made, strict=True))
        _put_parquet(blocks, columns, output, params["name"])
        return
    written = extension.removeprefix(".")
    rows = rows_writer(written, names)
    with output.open(params["name"]) as out:
        out.write(csv_header(names, written) if written in DELIMITERS else b"")
        for block in blocks:
            out.write(joined_bytes(rows(_json_as_text(block) if written in DELIMITERS else block)))


def _of_one_name(results: Sequence[Result], wanted: str | None) -> Sequence[Result]:
    """Those that the parameter `results` names, or all; raises the error of one that has another name than the first.

    A chunk's `fact.csv` and `customer.csv` are two datasets.
    """
    if wanted is not None:
        return named_results(results, wanted)
    for result in results:
        if result.name != results[0].name:
            names = ", ".join(sorted({repr(each.name) for each in results})[:10])
            text = f"the results have several names: {names}. Say in params.assembler.results which to group."
            raise result.error(text)
    return results


@dataclass(frozen=True)
class Grouping:
    """What is asked of the tables; each of their columns that aggregates need is read as numbers, or as text."""

    tables: Sequence[Opened]
    by: Sequence[str]
    aggregates: Sequence[Aggregate]

    def rows(self) -> Iterator[list[str]]:
        """Of each group a cell for each key and each aggregate, in order of the keys."""
        asked = dict.fromkeys(each.column for each in self.aggregates if each.function == "distinct")
        distinct = {name: _kept(self._distinct_counts(name)) for name in asked}
        order = Order(["ascending"] * len(self.by))
        read = [each for each in self.aggregates if each.column and each.function != "distinct"]
        columns = list(dict.fromkeys((each.column, each.is_text) for each in read))
        group: _Group | None = None
        for batch in merged([partial(self._read, table, columns) for table in self.tables], order, in_order=False):
            starts = [0, *(np.flatnonzero(order.changes(batch)) + 1).tolist(), len(batch)]
            values = [_values(batch.column(f"value{n}"), is_text) for n, (_, is_text) in enumerate(columns)]
            for start, end in pairwise(starts):
                key = [batch.column(n)[start].as_py() for n in range(len(self.by))]
                if group is None or group.key != key:
                    if group is not None:
                        yield group.cells(self.aggregates, distinct)
                    group = _Group(key, {each: GroupValues(self._of(each)) for each in columns})
                group.count += end - start
                for each, whole in zip(columns, values, strict=True):
                    group.values[each].add([value for value in whole[start:end] if value is not None])
        if group is not None:
            yield group.cells(self.aggregates, distinct)

    def _of(self, column: tuple[str, bool]) -> list[Aggregate]:
        return [each for each in self.aggregates if (each.column, each.is_text) == column]

    def _distinct_counts(self, name: str) -> Iterator[int]:
        """Of each group, in order of the keys, how many values the column has: it is sorted by key and value."""
        keys, both = (Order(["ascending"] * count) for count in (len(self.by), len(self.by) + 1))
        front: list[pa.RecordBatch] = []
        count: int | None = None
        for batch in merged([partial(self._keyed, table, name) for table in self.tables], both, in_order=False):
            # Behind the row in front, which its first is compared with.
            whole = pa.concat_batches([*front, batch])
            is_start, is_new = (np.append([True] * (not front), order.changes(whole)) for order in (keys, both))
            has_value = batch.column(len(self.by)).is_valid().to_numpy(zero_copy_only=False)
            ends = np.append(np.flatnonzero(is_start), len(batch))
            upto = np.append(0, np.cumsum(is_new.astype(np.bool_) & has_value))[ends]
            rest, *more = np.diff(upto, prepend=0).tolist()
            count = None if count is None else count + rest
            for found in more:
                if count is not None:
                    yield count
                count = found
            front = [batch[len(batch) - 1 :]]
        if count is not None:
            yield count

    def _keyed(self, table: Opened, name: str) -> Iterator[pa.RecordBatch]:
        for batch in self._read(table, [(name, True)]):
            columns = [*batch.columns[:-1], batch.columns[-1].cast(pa.large_binary())]
            yield pa.record_batch(columns, batch.schema.names)

    def _read(self, table: Opened, columns: Sequence[tuple[str, bool]]) -> Iterator[pa.RecordBatch]:
        """Batches of the keys' cells, as bytes, and of the columns: numbers or texts, null where there is none."""
        names = list(dict.fromkeys([*self.by, *(name for name, _ in columns)]))
        for batch in named_cells(table, names):
            keys = [batch.columns[name].cast(pa.large_binary()) for name in self.by]
            values = [_texts(batch, name) if is_text else _numbers(batch, name, table) for name, is_text in columns]
            titles = [f"{role}{n}" for role, made in (("key", keys), ("value", values)) for n in range(len(made))]
            yield pa.record_batch([*keys, *values], titles)


def _kept(counts: Iterator[int]) -> Iterator[int]:
    """The same, once all are made: they wait in a scratch file, so that one sort at a time takes memory."""
    path = resources().new_folder() / "counts"
    with path.open("wb") as out:
        while block := list(islice(counts, BLOCK_ROWS)):
            out.write(np.array(block, np.int64).tobytes())
    return _counts_in(path)


def _counts_in(path: Path) -> Iterator[int]:
    with path.open("rb") as data:
        while block := data.read(8 * BLOCK_ROWS):
            yield from np.frombuffer(block, np.int64).tolist()


def _texts(batch: CellBatch, name: str) -> Cells:
    cells = batch.columns[name]
    return pc.if_else(filled(cells), cells, None)


def _numbers(batch: CellBatch, name: str, table: Opened) -> TextColumn:
    """As texts that Decimal reads; raises the item's error for a cell that is neither one nor empty."""
    cells = batch.columns[name]
    texts = _bare(pc.if_else(filled(cells), cells, None))
    if table.dialect.decimal == ",":
        texts = pc.replace_substring(texts, ",", ".")
    is_number = pc.and_(pc.match_substring_regex(texts, NUMERIC), pc.less_equal(pc.binary_length(texts), MOST_DIGITS))
    has_exponent = pc.and_(is_number, pc.match_substring_regex(texts, "[eE]")).fill_null(False)
    beyond = [index for index in np.flatnonzero(has_exponent).tolist() if not is_in_bounds(texts[index].as_py())]
    faulty = [*np.flatnonzero(pc.invert(is_number).fill_null(False)).tolist(), *beyond]
    if faulty:
        index = min(faulty)
        shown = cells[index].as_py().removeprefix(NUL)[:60]
        text = f"{batch.location(index)}: {shown!r} in {name!r} is no number, or has more than {MOST_DIGITS} digits."
        raise table.item.error(text)
    return texts


def _values(column: TextColumn, is_text: bool) -> list[Value | None]:
    texts = column.to_pylist()
    return texts if is_text else [None if text is None else Decimal(text) for text in texts]


@dataclass
class _Group:
    """The one whose rows pass: `values` are those of each column, as text or not."""

    key: list[bytes]
    values: Mapping[tuple[str, bool], GroupValues]
    count: int = 0

    def cells(self, aggregates: Sequence[Aggregate], distinct: Mapping[str, Iterator[int]]) -> list[str]:
        counts = {name: next(numbers) for name, numbers in distinct.items()}
        return [*(key.decode() for key in self.key), *(self._cell(each, counts) for each in aggregates)]

    def _cell(self, aggregate: Aggregate, distinct: Mapping[str, int]) -> str:
        if not aggregate.column:
            return f"{NUL}{self.count}"
        if aggregate.function == "distinct":
            return f"{NUL}{distinct[aggregate.column]}"
        value = self.values[aggregate.column, aggregate.is_text].read(aggregate)
        if isinstance(value, list):
            return f"{NUL}[{', '.join(_json(_cell_of(item)) for item in value)}]"
        return _cell_of(value)


def _cell_of(value: Value) -> str:
    """Texts are cells already."""
    if value is None:
        return NULL_CELL
    if isinstance(value, str):
        return value
    return NUL + (digits_of(value) if isinstance(value, Decimal) else repr(value))


def _json(cell: str) -> str:
    return cell[1:] if cell.startswith(NUL) else json.dumps(cell, ensure_ascii=False)


def _blocks(rows: Iterator[list[str]], names: Sequence[str]) -> Iterator[dict[str, Cells]]:
    while block := list(islice(rows, BLOCK_ROWS)):
        columns = zip(names, zip(*block, strict=True), strict=True)
        yield {name: pa.array(cells, pa.large_string()) for name, cells in columns}


def _json_as_text(block: Mapping[str, Cells]) -> dict[str, Cells]:
    """For CSV, which has texts only: lists, truth values and such are their JSON."""
    return {name: pc.if_else(_has_json(cells), _bare(cells), cells) for name, cells in block.items()}


def _has_json(cells: Cells) -> pa.BooleanArray:
    """Which cells are JSON, and neither null nor a text."""
    is_text = pc.or_(pc.starts_with(cells, f'{NUL}"'), pc.equal(cells, NULL_CELL))
    return pc.and_not(pc.starts_with(cells, NUL), is_text)


def _bare(cells: Cells) -> TextColumn:
    return pc.replace_substring(cells, NUL, "", max_replacements=1)


def _role(aggregate: Aggregate, tables: Sequence[Opened]) -> str:
    if aggregate.function in ("count", "distinct"):
        return NUMBERS
    if aggregate.is_text:
        return TEXTS
    return (
        FLOATS
        if aggregate.function == "mean" or all(_has_floats(each, aggregate.column) for each in tables)
        else NUMBERS
    )


def _has_floats(table: Opened, name: str) -> bool:
    if table.format != "parquet":
        return False
    with table.item.open() as data:
        return bool(pa.types.is_floating(open_parquet(data, table.item).schema.field(name).type))


@dataclass
class TypedColumn:
    """Of a Parquet file: the type that holds all its cells exactly, once all have been seen."""

    role: str
    is_list: bool = False
    has_texts: bool = False
    largest: int = 0
    whole_digits: int = 0
    places: int = 0

    def note(self, cells: Sequence[str]) -> None:
        """Look at these."""
        if self.role == KEY:
            self.has_texts |= any(not re.match(NUMBER, cell) for cell in cells if cell != NULL_CELL)
        if self.role in (FLOATS, TEXTS) or self.has_texts:
            return
        for number in (Decimal(item) for cell in cells for item in self._items(cell)):
            places = -min(0, int(number.as_tuple().exponent))
            self.places = max(self.places, places)
            self.whole_digits = max(self.whole_digits, number.adjusted() + 1)
            self.largest = max(self.largest, abs(int(number)))

    def dtype(self) -> pa.DataType:
        """Of the whole column."""
        return pa.list_(self._item_type()) if self.is_list else self._item_type()

    def _item_type(self) -> pa.DataType:
        if self.role == FLOATS:
            return pa.float64()
        digits = self.whole_digits + self.places
        if self.role == TEXTS or self.has_texts or digits > DECIMAL256_DIGITS:
            return pa.string()
        if not self.places and self.largest < INT64_LIMIT:
            return pa.int64()
        is_wide = digits > DECIMAL128_DIGITS
        return (
            pa.decimal256(DECIMAL256_DIGITS, self.places) if is_wide else pa.decimal128(DECIMAL128_DIGITS, self.places)
        )

    def array(self, cells: Sequence[str]) -> pa.Array:
        """Of these, in the type."""
        items = [self._items(cell) for cell in cells]
        if not self.is_list:
            return self._typed([item[0] if item else None for item in items])
        offsets = np.append(0, np.cumsum([len(each) for each in items])).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), self._typed([each for item in items for each in item]))

    def _typed(self, texts: Sequence[str | None]) -> pa.Array:
        if self.role == FLOATS:
            return pa.array([None if text is None else float(text) for text in texts], pa.float64())
        return pa.array(texts, pa.string()).cast(self._item_type())

    def _items(self, cell: str) -> list[str]:
        """The texts, or the digits, in a cell: of null none, of a list any number."""
        if not cell.startswith(NUL) or cell == NULL_CELL:
            return [] if cell == NULL_CELL else [cell]
        if not self.is_list:
            value = value_of(cell)
            return [value if isinstance(value, str) else cell[1:]]
        found = json.loads(cell[1:], parse_float=str, parse_int=str)
        return [item if isinstance(item, str) else json.dumps(item) for item in found]


def _put_parquet(
    blocks: Iterator[Mapping[str, Cells]], columns: Mapping[str, TypedColumn], output: Output, name: str
) -> None:
    """Types are those of all rows, which wait in a scratch file until all are made."""
    folder = resources().new_folder()
    waiting = pa.schema([(title, pa.large_string()) for title in columns])
    with pa.OSFile(str(folder / "cells"), "wb") as file, pa.ipc.new_stream(file, waiting) as out:
        for block in blocks:
            for title, cells in block.items():
                columns[title].note(cells.to_pylist())
            out.write_batch(pa.record_batch(list(block.values()), schema=waiting))
    schema = pa.schema([(title, column.dtype()) for title, column in columns.items()])
    with (
        pa.OSFile(str(folder / "cells")) as file,
        pa.ipc.open_stream(file) as batches,
        pq.ParquetWriter(folder / "rows.parquet", schema, compression="zstd") as writer,
    ):
        for batch in batches:
            arrays = [columns[each].array(batch.column(each).to_pylist()) for each in schema.names]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
    output.put_file(folder / "rows.parquet", name)
