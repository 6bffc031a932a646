"""The values of named fields in many records at once, from JSON or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from triptych.engines.api import Result
from triptych.engines.json_records import Batch, json_batches, pick
from triptych.engines.records import split_fields
from triptych.errors import EngineError

Choose = Callable[[Any], Sequence[str]]
"""The fields that are wanted, as the first record of a batch shows."""


@dataclass(frozen=True)
class Columns:
    """`values` has a list per field, all of one length; `place` says where in its result a record stands."""

    values: dict[str, list[Any]]
    place: Callable[[int], str]


def json_columns(result: Result, choose: Choose) -> Iterator[Columns]:
    for batch in json_batches(result):
        for index, fault in batch.faults.items():
            msg = f"chunk {result.chunk}, {result.name!r}, {batch.place(index)}: {fault}. Correct what the app writes."
            raise EngineError(msg)
        values = {name: _column(batch, name, result) for name in choose(batch.values[0])}
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
    first, blocks = _first_row(blocks, delimiter, what, keep=True)
    if not first:
        return
    columns = {name: place for place, name in enumerate(header)}
    names = choose({name: _parsed(value.encode()) for name, value in zip(header, first, strict=False)})
    for name in names:
        if name not in columns:
            msg = f"{what}: there is no column {name!r}; it has {', '.join(header)}."
            raise EngineError(msg)
    if not names:
        return
    count = 0
    for records, fields in split_fields(blocks, what, delimiter.encode(), [columns[name] for name in names]):
        values = {name: _numbers(texts) for name, texts in zip(names, fields, strict=True)}
        yield Columns(values, lambda index, before=count: f"row {before + index + 1}")  # type: ignore[misc]
        count += len(records)


def _first_row(
    blocks: Iterator[bytes], delimiter: str, what: str, *, keep: bool = False
) -> tuple[list[str], Iterator[bytes]]:
    """The first record's fields, none at the end, and the blocks behind it; or with it, to `keep` it."""
    blocks, head, end = iter(blocks), b"", 0
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
    return row, chain([head if keep else head[end:]], blocks)


def _record_end(data: bytes) -> int:
    """Behind the first newline outside quotes; 0 when there is none."""
    end = data.find(b"\n") + 1
    while end and data.count(b'"', 0, end) % 2:
        end = data.find(b"\n", end) + 1
    return end


def _numbers(texts: list[bytes]) -> list[Any]:
    try:
        return list(map(int, texts))
    except ValueError:
        return [_parsed(text) for text in texts]


def _parsed(text: bytes) -> Any:
    """An int, a float, or text."""
    for kind in (float,) if b"." in text else (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if text.startswith(b'"') and len(text) > 1:
        return _parsed(text[1:-1].replace(b'""', b'"'))
    return text.decode(errors="replace")
