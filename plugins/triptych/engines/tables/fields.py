"""The values of named fields in many records at once, from JSON or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from triptych.engines.api import Result
from triptych.engines.jsontext.records import Batch, json_batches, pick
from triptych.engines.reduction.running_statistics import vector
from triptych.engines.runtime.resources import need
from triptych.engines.streams.file_objects import BlockReader
from triptych.errors import EngineError

CSV_BLOCK_BYTES = 1024 * 1024
Choose = Callable[[Any], Sequence[str]]
"""The fields that are wanted, as the first record of a batch shows."""


@dataclass(frozen=True)
class Columns:
    """`values` has a list or a vector per field, of one length; `place` says where in its result a record stands."""

    values: dict[str, Any]
    place: Callable[[int], str]


def json_columns(result: Result, choose: Choose) -> Iterator[Columns]:
    for batch in json_batches(result):
        for index, fault in batch.faults.items():
            msg = f"chunk {result.chunk}, {result.name!r}, {batch.place(index)}: {fault}. Correct what the app writes."
            raise EngineError(msg)
        values = {name: vector(_column(batch, name, result)) for name in choose(batch.values[0])}
        yield Columns(values, batch.place)


def _column(batch: Batch, name: str, result: Result) -> list[Any]:
    if "." not in name:
        try:
            return [record[name] for record in batch.values]
        except (KeyError, TypeError, IndexError):
            pass  # An index of a list, or none: which record that is, the other way tells.
    found: list[Any] = []
    try:
        found.extend(pick(record, name) for record in batch.values)
    except KeyError:
        msg = (
            f"chunk {result.chunk}, {result.name!r}, {batch.place(len(found))}: there is no field {name!r}. "
            "Name the fields that every record has."
        )
        raise EngineError(msg) from None
    return found


def csv_columns(result: Result, choose: Choose, delimiter: str) -> Iterator[Columns]:
    """What reads as a number is one. A record's place is its row, from 1, the header and empty lines not counted."""
    what = f"chunk {result.chunk}, {result.name!r}"
    header, blocks = _first_row(result.stream(), delimiter, what)
    first, blocks = _first_row(blocks, delimiter, what)
    if not first:
        return
    names = choose({name: _parsed(value) for name, value in zip(header, first, strict=False)})
    for name in names:
        if name not in header:
            msg = f"{what}: there is no column {name!r}; it has {', '.join(header)}."
            raise EngineError(msg)
    count = 0
    for batch in _arrow_batches(result.stream(), what, delimiter, names):
        values = {name: _numbers(batch.column(name)) for name in names}
        yield Columns(values, partial(_row, count))
        count += batch.num_rows


def _row(before: int, index: int) -> str:
    return f"row {before + index + 1}"


def _arrow_batches(blocks: Iterator[bytes], what: str, delimiter: str, names: Sequence[str]) -> Iterator[Any]:
    """Batches with the named columns as text."""
    if not names:
        return
    arrow, reader = need("pyarrow", "tables"), need("pyarrow.csv", "tables")
    source = arrow.PythonFile(BlockReader(blocks), mode="r")
    try:
        yield from reader.open_csv(
            source,
            reader.ReadOptions(use_threads=False, block_size=CSV_BLOCK_BYTES),
            reader.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            reader.ConvertOptions(include_columns=names, column_types=dict.fromkeys(names, arrow.string())),
        )
    except arrow.ArrowInvalid as error:
        msg = f"{what}: {error}. Correct what the app writes."
        raise EngineError(msg) from error


def _numbers(texts: Any) -> Any:
    """As vectors where all are whole, or all have a decimal point; else each by itself."""
    pa, pc = need("pyarrow", "tables"), need("pyarrow.compute", "tables")
    try:
        if not pc.any(pc.match_substring(texts, ".")).as_py():
            return texts.cast(pa.int64()).to_numpy(zero_copy_only=False)
        if pc.all(pc.match_substring(texts, ".")).as_py():
            return texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        pass  # Arrow knows fewer forms, and no whole numbers beyond 64 bits.
    return vector([_parsed(text) for text in texts.to_pylist()])


def _first_row(blocks: Iterator[bytes], delimiter: str, what: str) -> tuple[list[str], Iterator[bytes]]:
    """The first record's fields, none at the end, and the blocks behind it."""
    head, end = b"", 0
    for block in blocks:
        head = (head + block).lstrip(b"\r\n")
        if end := _record_end(head):
            break
    end = end or len(head)
    try:
        text = io.StringIO(head[:end].decode("utf-8-sig"), newline="")
        row = next(csv.reader(text, delimiter=delimiter), [])
    except (csv.Error, UnicodeDecodeError) as error:
        msg = f"{what}, row 1: {error}."
        raise EngineError(msg) from error
    return row, chain([head[end:]], blocks)


def _record_end(data: bytes) -> int:
    """Behind the first newline outside quotes; 0 when there is none."""
    end = data.find(b"\n") + 1
    while end and data.count(b'"', 0, end) % 2:
        end = data.find(b"\n", end) + 1
    return end


def _parsed(text: str) -> Any:
    """An int, a float, or the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
