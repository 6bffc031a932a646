"""Statistics over the numbers in all results; a batch of records in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from triptych.engines import Output, Result
from triptych.engines.arrays.aliases import Floats
from triptych.engines.dialects.formats import DELIMITERS
from triptych.engines.dialects.opening import opened
from triptych.engines.jsontext.paths import Json
from triptych.engines.reduction.running_statistics import Statistics, all_finite, as_json
from triptych.engines.tables.csv_batches import CsvTable
from triptych.engines.tables.fields import FieldBatch, csv_fields, json_fields
from triptych.errors import JobSpecError

FORMATS = {"auto": "auto", "csv": "csv", "json": "jsonl"}
"""Of the parameter, as `opened` calls them."""


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """An object with one object per field: `{"score": {"count": 3, "sum": 6.0}}`."""
    reduction = Reduction(params)
    for result in results:
        for columns in reduction.columns(result):
            reduction.add(columns, result)
    with output.open(params["name"]) as out:
        out.write(json.dumps(reduction.read(), ensure_ascii=False, indent=1).encode() + b"\n")


class Reduction:
    """The statistics of each field; the first record names the fields when the parameters do not."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._edges = _edges(params)
        self._weight: str | None = params["weight"] if "weighted_mean" in params["operations"] else None
        self._fields: Sequence[str] | None = params["fields"]
        self._statistics: dict[str, Statistics] = {}

    def columns(self, result: Result) -> Iterator[FieldBatch]:
        """Those of its records, a batch at a time."""
        table = opened(result, self._params, format=FORMATS[self._params["format"]], otherwise="jsonl")
        if table.format in DELIMITERS:
            return csv_fields(CsvTable(table), self._names)
        return json_fields(table.item, self._names)

    def _names(self, first: Json) -> Sequence[str]:
        if self._fields is None:
            self._fields = [name for name in _numeric(first) if name != self._weight]
        return [*self._fields, *([self._weight] if self._weight else [])]

    def add(self, columns: FieldBatch, result: Result) -> None:
        """A batch of the result's records; its error names the record whose value is no number or has another shape."""
        weights = columns.values[self._weight] if self._weight else None
        if weights is not None and not all_finite(weights):
            for index, value in enumerate(weights):
                _check_number(value, str(self._weight), result, columns.location(index))
        for name in self._fields or ():
            statistics = self._statistics.setdefault(name, Statistics(self._params["operations"], self._edges))
            values = columns.values[name]
            if statistics.shape in (None, ()) and all_finite(values):
                statistics.add_numbers(values, weights)
                continue
            for index, value in enumerate(values):
                array = _array(value, statistics, name, result, columns.location(index))
                statistics.add_array(array, None if weights is None else as_json(weights[index]))

    def read(self) -> dict[str, Any]:
        """The statistics of each field, by its name."""
        return {name: statistics.read() for name, statistics in self._statistics.items()}


def _edges(params: Mapping[str, Any]) -> tuple[float, float, int] | None:
    if "histogram" not in params["operations"]:
        return None
    if params["low"] >= params["high"]:
        msg = f"params.assembler.high: must be above low, which is {params['low']}."
        raise JobSpecError(msg)
    return params["low"], params["high"], params["bins"]


def _numeric(record: Json, prefix: str = "") -> Iterator[str]:
    """The dotted names of all numbers and lists in a record; nothing when it is no object."""
    for name, value in record.items() if isinstance(record, dict) else ():
        if isinstance(value, dict):
            yield from _numeric(value, f"{prefix}{name}.")
        elif isinstance(value, int | float | list) and not isinstance(value, bool):
            yield prefix + name


def _check_number(value: Json, name: str, result: Result, location: str) -> None:
    if not all_finite([value]):
        text = f"{location}: {name!r} is {str(value)[:40]!r}, which is no finite number."
        raise result.error(text)


def _array(value: Json, statistics: Statistics, name: str, result: Result, location: str) -> Floats:
    """A float64 array of the shape that the first record had; the result's error for what is none, and for a number."""
    if not isinstance(value, list):
        _check_number(value, name, result, location)
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        text = f"{location}: {name!r} is no array of numbers with rows of one length ({error})."
        raise result.error(text) from error
    if statistics.shape not in (None, array.shape):
        shapes = f"the shape {list(array.shape)}, and had {list(statistics.shape or ())} before"
        text = f"{location}: {name!r} has {shapes}."
        raise result.error(text)
    statistics.shape = array.shape
    return array
