"""The values of named fields in many records at once, from JSON or CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.api import Input
from triptych.engines.arrays.numbers import Numbers, as_vector
from triptych.engines.arrays.text_columns import TextColumn, any_true
from triptych.engines.dialects.dialect import Dialect
from triptych.engines.jsontext.paths import Json, pick
from triptych.engines.jsontext.records import JsonBatch, json_batches
from triptych.engines.tables.csv_batches import CsvTable

Choose: TypeAlias = Callable[[Json], Sequence[str]]
"""The fields that are wanted, as the first record of a batch shows."""


@dataclass(frozen=True)
class FieldBatch:
    """`values` has a list or a vector per field, of one length; `location` says where in its result a record stands."""

    values: Mapping[str, Numbers]
    location: Callable[[int], str]


def json_fields(result: Input, choose: Choose, *, may_lack: bool = False) -> Iterator[FieldBatch]:
    """Of records in JSON; raises the result's error for one that is no JSON, or lacks a field unless it `may_lack`."""
    for batch in json_batches(result):
        for index, error in batch.errors.items():
            msg = f"{batch.location(index)}: {error}. Correct what the app writes."
            raise result.error(msg)
        values = {name: as_vector(_values(batch, name, result, may_lack=may_lack)) for name in choose(batch.values[0])}
        yield FieldBatch(values, batch.location)


def _values(batch: JsonBatch, name: str, result: Input, *, may_lack: bool) -> list[Any]:
    if "." not in name:
        try:
            return [record[name] for record in batch.values]
        except (KeyError, TypeError, IndexError):
            pass  # An index of a list, or none: which record that is, the other way tells.
    if may_lack:
        return [_picked_or_none(record, name) for record in batch.values]
    found: list[Any] = []
    try:
        found.extend(pick(record, name) for record in batch.values)
    except KeyError:
        text = f"{batch.location(len(found))}: there is no field {name!r}. Name the fields that every record has."
        raise result.error(text) from None
    return found


def _picked_or_none(record: Json, name: str) -> Any:
    try:
        return pick(record, name)
    except KeyError:
        return None


def csv_fields(table: CsvTable, choose: Choose) -> Iterator[FieldBatch]:
    """What reads as a number is one. A record's location is its row, from 1, the header and empty lines not counted.

    Raises the result's error for a field that is no column, and for a record that has not one value per column.
    """
    names = _chosen(table, choose)
    rows = 0
    for batch, texts in table.texts(names, exact=True) if names else ():
        values = {
            name: _numbers(_with_points(column, table.dialect)) for name, column in zip(names, texts, strict=True)
        }
        yield FieldBatch(values, partial(_row, rows))
        rows += len(batch)


def _chosen(table: CsvTable, choose: Choose) -> Sequence[str]:
    """By the first record, of which every value is shown."""
    distinct = list(dict.fromkeys(table.names))
    for batch, texts in table.texts(distinct):
        if len(batch):
            first = zip(distinct, (column[0].as_py() for column in texts), strict=True)
            return choose({name: _parsed(_with_point(value, table.dialect)) for name, value in first})
    return ()


def _with_points(texts: TextColumn, dialect: Dialect) -> TextColumn:
    """Decimal commas as points, where the dialect has commas."""
    return pc.replace_substring(texts, ",", ".") if dialect.decimal == "," else texts


def _with_point(text: str, dialect: Dialect) -> str:
    return text.replace(",", ".") if dialect.decimal == "," else text


def _row(before: int, index: int) -> str:
    return f"row {before + index + 1}"


def _numbers(texts: TextColumn) -> Numbers:
    """As vectors where all are whole, or all have a decimal point; else each by itself."""
    try:
        if not any_true(pc.match_substring(texts, ".")):
            whole: Numbers = texts.cast(pa.int64()).to_numpy(zero_copy_only=False)
            return whole
        if pc.all(pc.match_substring(texts, ".")).as_py():
            floats: Numbers = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
            return floats
    except pa.ArrowInvalid:
        pass  # Arrow knows fewer forms, and no whole numbers beyond 64 bits.
    return as_vector([_parsed(text) for text in texts.to_pylist()])


def _parsed(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
