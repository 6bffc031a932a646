"""Statistics over the numbers in all results; a batch of records in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from triptych.engines import Output, Result
from triptych.engines.api import Input
from triptych.engines.arrays.aliases import Floats
from triptych.engines.arrays.numbers import Numbers, as_vector
from triptych.engines.dialects.formats import DELIMITERS
from triptych.engines.dialects.opening import opened
from triptych.engines.documents.contained import tables_of
from triptych.engines.jsontext.paths import Json
from triptych.engines.reduction.running_statistics import Statistics, all_finite, as_json
from triptych.engines.sorting.ranks import Ranked
from triptych.engines.tables.csv_batches import CsvTable
from triptych.engines.tables.fields import FieldBatch, csv_fields, json_fields
from triptych.errors import EngineError, JobSpecError

FORMATS = {"auto": "auto", "csv": "csv", "json": "jsonl"}
"""Of the parameter, as `opened` calls them."""


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """An object with one object per field: `{"score": {"count": 3, "sum": 6.0}}`."""
    reduction = Reduction(params)
    for _, item in tables_of(results):
        for columns in reduction.columns(item):
            reduction.add(columns, item)
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
        self._ranked: dict[str, Ranked] = {}
        self._skips_empty = params["on_empty"] == "skip"

    def columns(self, result: Input) -> Iterator[FieldBatch]:
        """Those of its records, a batch at a time."""
        table = opened(result, self._params, format=FORMATS[self._params["format"]], otherwise="jsonl")
        if table.format in DELIMITERS:
            return csv_fields(CsvTable(table), self._names)
        return json_fields(table.item, self._names, may_lack=self._skips_empty)

    def _names(self, first: Json) -> Sequence[str]:
        if self._fields is None:
            self._fields = [name for name in _numeric(first, self._skips_empty) if name != self._weight]
        return [*self._fields, *([self._weight] if self._weight else [])]

    def add(self, columns: FieldBatch, result: Input) -> None:
        """A batch of the result's records; its error names the record whose value is no number or has another shape."""
        for name in self._fields or ():
            statistics = self._statistics.setdefault(name, Statistics(self._params["operations"], self._edges))
            batch = self._filled(columns, name)
            if len(batch.values[name]):
                self._add(batch, name, statistics, result)

    def _add(self, columns: FieldBatch, name: str, statistics: Statistics, result: Input) -> None:
        values, weights = columns.values[name], columns.values[self._weight] if self._weight else None
        if weights is not None and not all_finite(weights):
            for index, value in enumerate(weights):
                _check_number(value, str(self._weight), result, columns.location(index))
        if statistics.shape in (None, ()) and all_finite(values):
            statistics.add_numbers(values, weights)
            self._rank(name, values)
            return
        for index, value in enumerate(values):
            array = _array(value, statistics, name, result, columns.location(index))
            if "quantiles" in self._params["operations"] and array.shape:
                text = f"{columns.location(index)}: {name!r} is an array, and quantiles are of numbers. Leave them out."
                raise result.error(text)
            statistics.add_array(array, None if weights is None else as_json(weights[index]))

    def _rank(self, name: str, values: Numbers) -> None:
        if "quantiles" in self._params["operations"]:
            if name not in self._ranked:
                self._ranked[name] = Ranked()
            self._ranked[name].add(values)

    def _filled(self, columns: FieldBatch, name: str) -> FieldBatch:
        """The batch without the records in which the field, or the weight, is empty or null, if these are skipped."""
        used = [name, *([self._weight] if self._weight else [])]
        lists = [found for each in used if isinstance(found := columns.values[each], list)]
        if not self._skips_empty or not any(map(_has_empty, lists)):
            return columns
        kept = [index for index, found in enumerate(zip(*lists, strict=True)) if not _has_empty(found)]
        values = {each: as_vector([as_json(columns.values[each][index]) for index in kept]) for each in used}
        return FieldBatch(values, lambda index: columns.location(kept[index]))

    def read(self) -> dict[str, Any]:
        """The statistics of each field, by its name; EngineError for one that is beyond the range of floats."""
        return {name: self._read(name, statistics) for name, statistics in self._statistics.items()}

    def _read(self, name: str, statistics: Statistics) -> dict[str, Any]:
        try:
            found = statistics.read()
            if "quantiles" in self._params["operations"]:
                asked = self._params["quantiles"]
                ranked = self._ranked.get(name)
                values = ranked.quantiles(asked) if ranked else [None] * len(asked)
                found["quantiles"] = dict(zip(map(str, asked), values, strict=True))
        except OverflowError as error:
            msg = f"{name!r}: a statistic is beyond the range of floats, 1.8e308. Scale the values, or ask for fewer."
            raise EngineError(msg) from error
        return {operation: found[operation] for operation in self._params["operations"]}


def _has_empty(values: Iterable[Any]) -> bool:
    return any(value is None or (isinstance(value, str) and not value) for value in values)


def _edges(params: Mapping[str, Any]) -> tuple[float, float, int] | None:
    if "histogram" not in params["operations"]:
        return None
    if params["low"] >= params["high"]:
        msg = f"params.assembler.high: must be above low, which is {params['low']}."
        raise JobSpecError(msg)
    return params["low"], params["high"], params["bins"]


def _numeric(record: Json, may_be_empty: bool, prefix: str = "") -> Iterator[str]:
    """The dotted names of all numbers and lists, or empty values, in a record; nothing when it is no object."""
    for name, value in record.items() if isinstance(record, dict) else ():
        if isinstance(value, dict):
            yield from _numeric(value, may_be_empty, f"{prefix}{name}.")
        elif (isinstance(value, int | float | list) and not isinstance(value, bool)) or (
            may_be_empty and value in (None, "")
        ):
            yield prefix + name


def _check_number(value: Json, name: str, result: Input, location: str) -> None:
    if not all_finite([value]):
        text = f"{location}: {name!r} is {str(value)[:40]!r}, which is no finite number."
        raise result.error(text)


def _array(value: Json, statistics: Statistics, name: str, result: Input, location: str) -> Floats:
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
