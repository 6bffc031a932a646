"""Results as one table in order; sorted results are merged, others are sorted first."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, total_ordering
from itertools import islice
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.formats import DELIMITERS, table_format
from triptych.engines.json_records import pick
from triptych.engines.merging import Order, Run, merged
from triptych.engines.records import split_records
from triptych.errors import EngineError

MISSING = {"first": -1, "last": 1}


@total_ordering
class Descending:
    """Turns the order of what it holds around."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Descending) and bool(self.value == other.value)

    def __lt__(self, other: Descending) -> bool:
        return bool(other.value < self.value)

    __hash__ = None  # type: ignore[assignment]  # Never a key of a dict.


@dataclass(frozen=True)
class Column:
    """One of the columns that order."""

    name: str
    kind: str
    descending: bool

    @classmethod
    def of(cls, text: str) -> Column:
        name, *rest = text.split(":")
        kinds = [word for word in rest if word in PARSERS]
        return cls(name, kinds[0] if kinds else "text", "desc" in rest)


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    filled = [result for result in results if result.size]
    kind = table_format(filled[0], params["format"]) if filled else "csv"
    header = _header(filled, DELIMITERS[kind]) if kind in DELIMITERS else b""
    order = _order(kind, header, [Column.of(text) for text in params["by"]], params["missing"])
    runs = [Run(result.stream, f"chunk {result.chunk}, {result.name!r}") for result in filled]
    runs = [Run(_without_header(run), run.what) for run in runs] if header else runs
    with output.open(params["name"] or f"sorted.{kind}") as out:
        out.write(header if header.endswith(b"\n") or not header else header + b"\n")
        for _, record in merged(runs, order, in_order=params["sorted"]):
            out.write(record if record.endswith(b"\n") else record + b"\n")


def _header(results: Sequence[Result], delimiter: str) -> bytes:
    """The first record of every result, which must be the same columns."""
    first = b""
    for result in results:
        here = next(split_records(result.stream(), result.name, quoted=True))
        if first and _fields(here, delimiter) != _fields(first, delimiter):
            what = f"chunk {result.chunk}, {result.name!r}"
            msg = f"{what}: its header {here[:200]!r} is not that of the others, {first[:200]!r}."
            raise EngineError(msg)
        first = first or here
    return first


def _without_header(run: Run) -> Callable[[], Iterator[bytes]]:
    return lambda: islice(split_records(run.blocks(), run.what, quoted=True), 1, None)


def _fields(record: bytes, delimiter: str) -> list[str]:
    return next(csv.reader([record.decode("utf-8-sig")], delimiter=delimiter, strict=True), [])


def _order(kind: str, header: bytes, columns: Sequence[Column], missing: str) -> Order:
    if kind == "jsonl":
        return Order(
            lambda run: _filled(run, quoted=False), lambda record, what: _json_key(record, what, columns, missing)
        )
    names = _fields(header, DELIMITERS[kind]) if header else []
    unknown = [column.name for column in columns if header and column.name not in names]
    if unknown:
        msg = f"There is no column {unknown[0]!r} to order by; the header has {', '.join(names)}."
        raise EngineError(msg)
    places = [names.index(column.name) for column in columns] if header else []

    def key(record: bytes, what: str) -> Any:
        try:
            row = _fields(record, DELIMITERS[kind])
            return tuple(_part(column, row[at], what, missing) for column, at in zip(columns, places, strict=True))
        except (csv.Error, IndexError, UnicodeDecodeError) as error:
            msg = f"{what}: the record {record[:80]!r} has not the columns of its header ({error})."
            raise EngineError(msg) from error

    return Order(partial(_filled, quoted=True), key)


def _filled(run: Run, *, quoted: bool) -> Iterator[bytes]:
    return (record for record in split_records(run.blocks(), run.what, quoted=quoted) if record.strip())


def _json_key(record: bytes, what: str, columns: Sequence[Column], missing: str) -> Any:
    try:
        value = json.loads(record)
    except ValueError as error:
        msg = f"{what}: {record[:80]!r} is no JSON: {error}."
        raise EngineError(msg) from error
    return tuple(_part(column, _json_value(value, column.name), what, missing) for column in columns)


def _json_value(value: Any, name: str) -> Any:
    try:
        return pick(value, name)
    except KeyError:
        return None


def _part(column: Column, value: Any, what: str, missing: str) -> Any:
    """A tuple that compares as the column says; missing values are apart, whatever the direction."""
    if value is None or value == "":
        if missing == "fail":
            msg = f"{what}: a record has no value in {column.name!r}. Say where those go: missing first or last."
            raise EngineError(msg)
        return (MISSING[missing],)
    try:
        parsed = PARSERS[column.kind](value)
    except (TypeError, ValueError) as error:
        msg = (
            f"{what}: {str(value)[:60]!r} in {column.name!r} is no {column.kind}. Order it as text, or correct the app."
        )
        raise EngineError(msg) from error
    return (0, Descending(parsed) if column.descending else parsed)


def _number(value: Any) -> int | float:
    try:
        return int(value) if isinstance(value, str) else value + 0
    except ValueError:
        number = float(value)
    if math.isnan(number):
        raise ValueError(value)
    return number


def _date(value: Any) -> datetime:
    """ISO 8601; a time without a zone is taken as UTC."""
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


PARSERS: Mapping[str, Callable[[Any], Any]] = {"text": str, "number": _number, "date": _date}
