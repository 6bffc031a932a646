"""Results as one table in order; sorted results are merged, others are sorted first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines import Output, Result
from triptych.engines.arrays.text_columns import TextColumn, scalar
from triptych.engines.jsontext.records import json_lines
from triptych.engines.sorting.external_merge import NotInOrderError, keyed, merged, record_bytes, write_merged
from triptych.engines.sorting.order import Order
from triptych.engines.sorting.sort_keys import SortColumn, directions
from triptych.engines.tables.csv_batches import Batch, CsvTable, csv_table, line_batches
from triptych.engines.tables.formats import DELIMITERS, format_of
from triptych.engines.tables.json_lines import json_columns
from triptych.engines.tables.text_codec import json_text

NULLS: Mapping[str, Literal["at_start", "at_end"]] = {"first": "at_start", "last": "at_end", "fail": "at_end"}


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    results = [result for result in results if result.size]
    format = format_of(results[0], params["format"]) if results else "csv"
    columns = [SortColumn.of(text) for text in params["by"]]
    if format not in DELIMITERS:
        columns = [column.of_json() for column in columns]
    parts = [_Part(result, format, columns, params["nulls"]) for result in results]
    header = _header(parts) if format in DELIMITERS else b""
    order = Order(directions(columns), NULLS[params["nulls"]])
    sources = [part.batches for part in parts]

    def write(batches: Iterator[pa.RecordBatch]) -> None:
        with output.open(params["name"] or f"sorted.{format}") as out:
            out.write(header if header.endswith(b"\n") or not header else header + b"\n")
            for batch in batches:
                out.write(record_bytes(batch))

    if params["sorted"] is None:
        write_merged(write, sources, order)
        return
    try:
        write(merged(sources, order, in_order=params["sorted"]))
    except NotInOrderError as error:
        text = f"is not in order at {error.record[:60]!r}. Let the engine find out which results are."
        raise results[error.source].error(text) from error


@dataclass(frozen=True)
class _Part:
    """One result, as batches of records with their keys."""

    result: Result
    format: str
    columns: Sequence[SortColumn]
    nulls: str

    @cached_property
    def table(self) -> CsvTable:
        return csv_table(self.result, DELIMITERS[self.format])

    def batches(self) -> Iterator[pa.RecordBatch]:
        for batch, texts in self._texts():
            keys = [
                key
                for column, text in zip(self.columns, texts, strict=True)
                for key in column.keys(text, self.result, self.nulls)
            ]
            yield keyed(keys, batch.records())

    def _texts(self) -> Iterator[tuple[Batch, list[TextColumn]]]:
        names = [column.name for column in self.columns]
        if self.format in DELIMITERS:
            yield from self.table.texts(names)
            return
        for batch in line_batches(json_lines(self.result), self.result, blank=False):
            raws = json_columns(batch, names, self.result)
            yield batch, [_json_texts(raw, column) for raw, column in zip(raws, self.columns, strict=True)]


def _json_texts(raw: TextColumn, column: SortColumn) -> TextColumn:
    """Where nothing is declared, texts behind a quote, which tells them from numbers."""
    texts = json_text(raw)
    if not column.is_json:
        return texts
    quoted = pc.binary_join_element_wise(scalar('"'), pc.if_else(pc.equal(texts, ""), None, texts), scalar(""))
    return pc.if_else(pc.match_substring_regex(raw, r"^-?[0-9]"), raw, quoted)


def _header(parts: Sequence[_Part]) -> bytes:
    """Of the first result; every one must have the same columns."""
    for part in parts[1:]:
        if part.table.names != parts[0].table.names:
            header, first = part.table.header, parts[0].table.header
            text = f"its header {header[:200]!r} is not that of the others, {first[:200]!r}."
            raise part.result.error(text)
    return parts[0].table.header if parts else b""
