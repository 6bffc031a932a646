"""The cells of named columns of a result, whatever its format: numbers in their own digits, which no float rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.api import Input
from triptych.engines.arrays.text_columns import scalar
from triptych.engines.dialects.formats import DELIMITERS
from triptych.engines.dialects.opening import Opened
from triptych.engines.jsontext.paths import pick
from triptych.engines.jsontext.records import Digits, JsonBatch, exact_lines, json_batches
from triptych.engines.tables.cells import NUL, NULL_CELL, Cells, json_of, text_cells
from triptych.engines.tables.csv_batches import CsvTable
from triptych.engines.tables.parquet import open_parquet

_MISSING = object()
"""Of a field that a record of JSON has not."""


@dataclass(frozen=True)
class CellBatch:
    """Records in order: `columns` has the cells of each name, none of them null; `location` says where one stands."""

    columns: Mapping[str, Cells]
    location: Callable[[int], str]


def named_cells(table: Opened, names: Sequence[str]) -> Iterator[CellBatch]:
    """Of CSV and its kin, JSON (dotted names) or Parquet; a value that is not there is JSON's null.

    Raises the item's error for a name that is no column, or that no record of JSON has, be it null.
    """
    if table.format in DELIMITERS:
        return _csv_cells(CsvTable(table), names)
    return (_parquet_cells if table.format == "parquet" else _json_cells)(table.item, names)


def _csv_cells(table: CsvTable, names: Sequence[str]) -> Iterator[CellBatch]:
    for batch, texts in table.texts(names, exact=True) if table.names else ():
        columns = {name: text_cells(column) for name, column in zip(names, texts, strict=True)}
        yield CellBatch(columns, batch.location)


def _json_cells(item: Input, names: Sequence[str]) -> Iterator[CellBatch]:
    lacking, has_records = dict.fromkeys(names), False
    for batch in json_batches(item):
        records = _exact_records(batch, item)
        found = {name: [_picked(record, name) for record in records] for name in names}
        lacking = {name: None for name in lacking if all(value is _MISSING for value in found[name])}
        has_records = has_records or bool(records)
        columns = {name: pa.array(map(_json_cell, values), pa.large_string()) for name, values in found.items()}
        yield CellBatch(columns, batch.location)
    if has_records and lacking:
        text = f"no record has a field {next(iter(lacking))!r}. Name the fields that the app writes."
        raise item.error(text)


def _exact_records(batch: JsonBatch, item: Input) -> list[Any]:
    if (other := batch.other_than_object()) is not None:
        text = f"{other}. Correct what the app writes."
        raise item.error(text)
    try:
        return exact_lines(batch.lines())
    except (ValueError, RecursionError) as error:
        what = "half a surrogate pair" if isinstance(error, ValueError) else "too many levels"
        text = f"{batch.location(0)}, or one behind it, has {what}. Write flat records of text and numbers."
        raise item.error(text) from error


def _picked(record: Any, name: str) -> Any:
    try:
        return pick(record, name)
    except KeyError:
        return _MISSING


def _json_cell(value: Any) -> str:
    if value is _MISSING:
        value = None
    if type(value) is Digits:
        return NUL + value
    return value if type(value) is str and not value.startswith(NUL) else NUL + json_of(value)


def _parquet_cells(item: Input, names: Sequence[str]) -> Iterator[CellBatch]:
    with item.open() as data:
        file = open_parquet(data, item)
        for name in names:
            _refuse_unfit(file.schema, name, item)
        first = 0
        for batch in file.batches():
            columns = {name: _arrow_cells(batch.column(name)) for name in names}
            yield CellBatch(columns, partial(_row, first))
            first += batch.num_rows


def _refuse_unfit(schema: pa.Schema, name: str, item: Input) -> None:
    if schema.names.count(name) != 1:
        text = f"there is no column {name!r}, or it is there twice; it has {', '.join(schema.names)}."
        raise item.error(text)
    dtype = schema.field(name).type
    if pa.types.is_nested(dtype) or pa.types.is_binary(dtype) or pa.types.is_large_binary(dtype):
        text = f"the column {name!r} is {dtype}. Name columns of numbers, text or times."
        raise item.error(text)


def _row(before: int, index: int) -> str:
    return f"row {before + index + 1}"


def _arrow_cells(values: pa.Array) -> Cells:
    """A float as the shortest number that stands for it: 0.1 of 64 bits, and of 32, is 0.1."""
    dtype = values.type
    texts = values.cast(pa.large_string())
    if pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype):
        cells = pc.binary_join_element_wise(scalar(NUL), texts, scalar(""))
    else:
        cells = text_cells(texts)
    return cells.fill_null(NULL_CELL)
