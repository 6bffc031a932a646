"""Statistics over the numbers in all results; one record in memory at a time."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.json_records import json_records, pick
from triptych.engines.statistics import Statistics
from triptych.engines.streams import BlockReader
from triptych.errors import EngineError, JobSpecError

DELIMITERS = {".csv": ",", ".tsv": "\t"}


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """An object with one object per field: `{"score": {"count": 3, "sum": 6.0}}`."""
    edges = _edges(params)
    fields: list[str] | None = params["fields"]
    weight = params["weight"] if "weighted_mean" in params["operations"] else None
    found: dict[str, Statistics] = {}
    for result in results:
        for record, place in _records(result, params["format"]):
            where = f"chunk {result.chunk}, {result.name!r}, {place}"
            if fields is None:
                fields = [name for name in _numeric(record) if name != weight]
            weighs = None if weight is None else _number(_value(record, weight, where), weight, where)
            for name in fields:
                statistics = found.setdefault(name, Statistics(params["operations"], edges))
                statistics.add(_reducible(_value(record, name, where), statistics, name, where), weighs)
    with output.open(params["name"]) as out:
        reduced = {name: statistics.read() for name, statistics in found.items()}
        out.write(json.dumps(reduced, ensure_ascii=False, indent=1).encode() + b"\n")


def _edges(params: Mapping[str, Any]) -> tuple[float, float, int] | None:
    if "histogram" not in params["operations"]:
        return None
    if params["low"] >= params["high"]:
        msg = f"params.assembler.high: must be above low, which is {params['low']}."
        raise JobSpecError(msg)
    return params["low"], params["high"], params["bins"]


def _records(result: Result, form: str) -> Iterator[tuple[Any, str]]:
    suffix = PurePosixPath(result.name).suffix.lower()
    if form == "csv" or (form == "auto" and suffix in DELIMITERS):
        yield from _rows(result, DELIMITERS.get(suffix, ","))
        return
    for record in json_records(result):
        if record.fault:
            msg = f"chunk {result.chunk}, {result.name!r}, {record.place}: {record.fault}. Correct what the app writes."
            raise EngineError(msg)
        yield record.value, record.place


def _rows(result: Result, delimiter: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Each row by column; what reads as a number is one."""
    raw = io.BufferedReader(BlockReader(result.stream()))
    with io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
        table = csv.DictReader(text, delimiter=delimiter)
        try:
            for row in table:
                yield {name: _parsed(value) for name, value in row.items()}, f"line {table.line_num}"
        except (csv.Error, UnicodeDecodeError) as error:
            msg = f"chunk {result.chunk}, {result.name!r}, after line {table.line_num}: {error}."
            raise EngineError(msg) from error


def _parsed(text: Any) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except (TypeError, ValueError):
            continue
    return text


def _numeric(record: Any, prefix: str = "") -> Iterator[str]:
    """The dotted names of all numbers and lists in a record; nothing when it is no object."""
    for name, value in record.items() if isinstance(record, dict) else ():
        if isinstance(value, dict):
            yield from _numeric(value, f"{prefix}{name}.")
        elif isinstance(value, int | float | list) and not isinstance(value, bool):
            yield prefix + name


def _value(record: Any, name: str, where: str) -> Any:
    try:
        return pick(record, name)
    except KeyError:
        msg = f"{where}: there is no field {name!r}. Name the fields that every record has."
        raise EngineError(msg) from None


def _number(value: Any, name: str, where: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        msg = f"{where}: {name!r} is {str(value)[:40]!r}, which is no finite number."
        raise EngineError(msg)
    return value


def _reducible(value: Any, statistics: Statistics, name: str, where: str) -> Any:
    """A number, or a float64 array of the shape that the first record had."""
    shape: tuple[int, ...] = ()
    if isinstance(value, list):
        import numpy as np

        try:
            value = np.array(value, np.float64)
        except (TypeError, ValueError) as error:
            msg = f"{where}: {name!r} is no array of numbers with rows of one length ({error})."
            raise EngineError(msg) from error
        shape = value.shape
    else:
        value = _number(value, name, where)
    if statistics.shape not in (None, shape):
        msg = f"{where}: {name!r} has the shape {list(shape)}, and had {list(statistics.shape or ())} before."
        raise EngineError(msg)
    statistics.shape = shape
    return value
