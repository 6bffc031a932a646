"""Results joined on keys: all rows are sorted by key beyond memory, and the rows of one key put together."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.formats import DELIMITERS, table_format
from triptych.engines.json_records import json_records
from triptych.engines.merging import Order, Run, merged
from triptych.engines.records import split_records
from triptych.engines.streams import BlockReader, OutputFile
from triptych.errors import EngineError, JobSpecError

WRITTEN = (".csv", ".tsv", ".jsonl")


@dataclass(frozen=True)
class Table:
    """One result, number `index` of those that are not empty."""

    index: int
    result: Result
    form: str

    @property
    def what(self) -> str:
        return f"chunk {self.result.chunk}, {self.result.name!r}"


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """One row per key, with the columns of all results in the order in which they first occur."""
    extension = PurePosixPath(params["name"]).suffix.lower()
    if extension not in WRITTEN:
        msg = f"params.assembler.name: {params['name']!r} must end in one of {', '.join(WRITTEN)}."
        raise JobSpecError(msg)
    filled = [result for result in results if result.size]
    tables = [Table(index, result, table_format(result, params["format"])) for index, result in enumerate(filled)]
    columns = list(dict.fromkeys(column for table in tables for column in _columns(table, params["keys"])))
    runs = [Run(partial(_lines, table, params["keys"]), table.what) for table in tables]
    ordered = merged(runs, Order(_split, _key))
    with output.open(params["name"]) as out:
        write = _writer(OutputFile(out), extension.removeprefix("."), columns)
        for _, lines in groupby(ordered, key=lambda pair: pair[0]):
            for row in _joined([json.loads(line) for _, line in lines], tables, params):
                write(row)


def _columns(table: Table, keys: Sequence[str]) -> Iterator[str]:
    """The columns; EngineError when one of the keys is not among them."""
    names: dict[str, None] = {}
    for row in _rows(table):
        names.update(dict.fromkeys(row))
        if table.form != "jsonl":
            break
    missing = [key for key in keys if key not in names]
    if names and missing:
        msg = f"{table.what}: there is no key column {missing[0]!r}; it has {', '.join(names)}."
        raise EngineError(msg)
    yield from names


def _rows(table: Table) -> Iterator[dict[str, Any]]:
    """Each row by column; a CSV's values are text."""
    if table.form == "jsonl":
        for record in json_records(table.result):
            if record.fault or not isinstance(record.value, dict):
                msg = f"{table.what}, {record.place}: {record.fault or 'is no JSON object'}."
                raise EngineError(msg)
            yield record.value
        return
    raw = io.BufferedReader(BlockReader(table.result.stream()))
    with io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=DELIMITERS[table.form], strict=True)
        try:
            header = next(reader, [])
            for row in reader:
                if len(row) != len(header):
                    msg = f"{table.what}, line {reader.line_num}: has {len(row)} values, and its header {len(header)}."
                    raise EngineError(msg)
                yield dict(zip(header, row, strict=True))
        except (csv.Error, UnicodeDecodeError) as error:
            msg = f"{table.what}, after line {reader.line_num}: {error}."
            raise EngineError(msg) from error


def _lines(table: Table, keys: Sequence[str]) -> Iterator[bytes]:
    """Each row as a line of JSON: [values of the keys as text, the table's index, the row]."""
    for row in _rows(table):
        try:
            key = [value if isinstance(value := row[name], str) else json.dumps(value) for name in keys]
        except KeyError as error:
            msg = f"{table.what}: a row has no key {error.args[0]!r}: {str(row)[:100]}."
            raise EngineError(msg) from error
        yield json.dumps([key, table.index, row]).encode() + b"\n"


def _split(run: Run) -> Iterator[bytes]:
    return split_records(run.blocks(), run.what, quoted=False)


def _key(line: bytes, _: str) -> list[str]:
    key: list[str] = json.loads(line)[0]
    return key


def _joined(entries: Sequence[Any], tables: Sequence[Table], params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows that the rows of one key make, or none where the join leaves the key out."""
    found = {index for _, index, _ in entries}
    if (params["join"] == "left" and 0 not in found) or (params["join"] == "inner" and len(found) < len(tables)):
        return
    if params["conflicts"] == "all":
        yield from (row for _, _, row in entries)
        return
    values: dict[str, tuple[Any, int]] = {}
    for _, index, row in entries:
        for column, value in row.items():
            if value is None or value == "":
                continue
            before, where = values.get(column, (value, index))
            if before != value and params["conflicts"] == "fail":
                raise EngineError(
                    _conflict(params["keys"], row, column, (tables[where], before), (tables[index], value))
                )
            if column not in values or params["conflicts"] == "last":
                values[column] = value, index
    yield {column: value for column, (value, _) in values.items()}


def _conflict(
    keys: Sequence[str], row: Mapping[str, Any], column: str, one: tuple[Table, Any], other: tuple[Table, Any]
) -> str:
    key = ", ".join(f"{name}={row[name]}" for name in keys)
    return (
        f"{key}: {column!r} is {one[1]!r} in {one[0].what} and {other[1]!r} in {other[0].what}. "
        "Correct the app, or set conflicts to first, last or all."
    )


def _writer(out: OutputFile, form: str, columns: Sequence[str]) -> Callable[[Mapping[str, Any]], object]:
    if form == "jsonl":
        return lambda row: out.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    table = csv.writer(_Text(out), delimiter=DELIMITERS[form], lineterminator="\n")
    if columns:
        table.writerow(columns)
    return lambda row: table.writerow([row.get(column, "") for column in columns])


class _Text:
    """Takes each row from the csv module as it is made."""

    def __init__(self, out: OutputFile) -> None:
        self._out = out

    def write(self, text: str) -> None:
        self._out.write(text.encode())
