"""Results as one table in order; sorted results are merged, others are sorted first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from triptych.engines import Output, Result
from triptych.engines.sorting.external_merge import Run, keyed, merged, record_bytes, write_merged
from triptych.engines.sorting.order import Order
from triptych.engines.sorting.sort_keys import Column, directions
from triptych.engines.tables.csv_batches import Batch, Table, csv_table
from triptych.engines.tables.formats import DELIMITERS, table_format
from triptych.engines.tables.json_lines import json_batches, json_columns
from triptych.engines.tables.text_codec import NoTextError, json_text, unquoted
from triptych.errors import EngineError, SourceError

NULLS: Mapping[str, Literal["at_start", "at_end"]] = {"first": "at_start", "last": "at_end", "fail": "at_end"}


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    try:
        _assemble([result for result in results if result.size], output, params)
    except SourceError as error:
        # What reads tables does not know that this one is a result.
        raise EngineError(str(error)) from error


def _assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    kind = table_format(results[0], params["format"]) if results else "csv"
    columns = [Column.of(text) for text in params["by"]]
    parts = [_Part(result, kind, columns, params["missing"]) for result in results]
    header = _header(parts) if kind in DELIMITERS else b""
    order = Order(directions(columns), NULLS[params["missing"]])
    runs = [Run(part.batches, part.what) for part in parts]

    def write(batches: Iterator[Any]) -> None:
        with output.open(params["name"] or f"sorted.{kind}") as out:
            out.write(header if header.endswith(b"\n") or not header else header + b"\n")
            for batch in batches:
                out.write(record_bytes(batch))

    if params["sorted"] is None:
        write_merged(write, runs, order)
    else:
        write(merged(runs, order, in_order=params["sorted"]))


@dataclass(frozen=True)
class _Part:
    """One result, as a run of records with their keys."""

    result: Result
    kind: str
    columns: Sequence[Column]
    missing: str

    @property
    def what(self) -> str:
        return f"chunk {self.result.chunk}, {self.result.name!r}"

    @cached_property
    def table(self) -> Table:
        return csv_table(self.result.stream, self.what, DELIMITERS[self.kind])

    def batches(self) -> Iterator[Any]:
        for batch, texts in self._csv() if self.kind in DELIMITERS else self._json():
            keys = [
                key
                for column, text in zip(self.columns, texts, strict=True)
                for key in column.keys(text, self.what, self.missing)
            ]
            yield keyed(keys, batch.records())

    def _csv(self) -> Iterator[tuple[Batch, list[Any]]]:
        for batch, raws in self.table.batches([column.name for column in self.columns]):
            try:
                yield batch, [unquoted(raw, DELIMITERS[self.kind]) for raw in raws]
            except NoTextError as error:
                msg = f"{self.what}: {batch.place(error.index)}: {error}"
                raise EngineError(msg) from error

    def _json(self) -> Iterator[tuple[Batch, list[Any]]]:
        for batch in json_batches(self.result.stream(), self.what):
            raws = json_columns(batch, [column.name for column in self.columns], self.what)
            yield batch, [json_text(raw) for raw in raws]


def _header(parts: Sequence[_Part]) -> bytes:
    """Of the first result; every one must have the same columns."""
    for part in parts[1:]:
        if part.table.names != parts[0].table.names:
            header, first = part.table.header, parts[0].table.header
            msg = f"{part.what}: its header {header[:200]!r} is not that of the others, {first[:200]!r}."
            raise EngineError(msg)
    return parts[0].table.header if parts else b""
