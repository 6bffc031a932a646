"""Results of one name as one table in order; sorted results are merged, others are sorted first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines import Output, Result
from triptych.engines.api import Input
from triptych.engines.arrays.text_columns import TextColumn, scalar
from triptych.engines.contracts import output_names
from triptych.engines.dialects.formats import DELIMITERS
from triptych.engines.dialects.opening import Opened, opened, refuse_other_table
from triptych.engines.documents.contained import tables_of
from triptych.engines.jsontext.records import json_lines
from triptych.engines.sorting.external_merge import NotInOrderError, keyed, merged, record_bytes, write_merged
from triptych.engines.sorting.order import Order
from triptych.engines.sorting.sort_keys import SortColumn, directions
from triptych.engines.streams.contents import in_quotes
from triptych.engines.tables.csv_batches import Batch, CsvTable, line_batches
from triptych.engines.tables.datasets import WHOLE, datasets
from triptych.engines.tables.json_lines import json_columns
from triptych.engines.tables.text_codec import json_text

NULLS: Mapping[str, Literal["at_start", "at_end"]] = {"first": "at_start", "last": "at_end", "fail": "at_end"}


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """One table, or one of each data set, which then has its results' name."""
    filled = [result for result in results if result.size]
    named = datasets(filled, params["datasets"])
    tables = {name: [opened(item, params) for _, item in tables_of(chosen)] for name, chosen in named.items()}
    formats = [each[0].format if each else "csv" for each in tables.values()]
    names = output_names(list(named), [f".{format}" for format in formats]) if WHOLE not in named else [params["name"]]
    for name, format, each in zip(names, formats, tables.values(), strict=True):
        _put(each, output, name or f"sorted.{format}", params)


def _put(tables: Sequence[Opened], output: Output, name: str, params: Mapping[str, Any]) -> None:
    columns = [SortColumn.of(text) for text in params["by"]]
    if tables and tables[0].format not in DELIMITERS:
        columns = [column.of_json() for column in columns]
    parts = [_Part(table, columns, params["nulls"]) for table in tables]
    header = _header(parts)
    order = Order(directions(columns), NULLS[params["nulls"]])
    sources = [part.batches for part in parts]

    def write(batches: Iterator[pa.RecordBatch]) -> None:
        with output.open(name) as out:
            out.write(header if header.endswith(b"\n") or not header else header + b"\n")
            for batch in batches:
                out.write(record_bytes(batch))

    if params["sorted"] is None:
        write_merged(write, sources, order)
        return
    try:
        write(merged(sources, order, in_order=params["sorted"]))
    except NotInOrderError as error:
        text = f"is not in order at {in_quotes(error.record[:60])}. Let the engine find out which results are."
        raise parts[error.source].result.error(text) from error


@dataclass(frozen=True)
class _Part:
    """One result, as batches of records with their keys."""

    opened: Opened
    columns: Sequence[SortColumn]
    nulls: str

    @property
    def format(self) -> str:
        return self.opened.format

    @property
    def result(self) -> Input:
        return self.opened.item

    def batches(self) -> Iterator[pa.RecordBatch]:
        for batch, texts in self._texts():
            keys = [
                key
                for column, text in zip(self.columns, texts, strict=True)
                for key in column.keys(_with_points(text, column, self.opened), self.result, self.nulls)
            ]
            yield keyed(keys, batch.records())

    def _texts(self) -> Iterator[tuple[Batch, list[TextColumn]]]:
        names = [column.name for column in self.columns]
        if self.format in DELIMITERS:
            yield from CsvTable(self.opened).texts(names)
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


def _with_points(texts: TextColumn, column: SortColumn, table: Opened) -> TextColumn:
    """Decimal commas of numbers as points, where the dialect has commas."""
    is_decimal = column.values == "number" and table.dialect.decimal == ","
    return pc.replace_substring(texts, ",", ".") if is_decimal else texts


def _header(parts: Sequence[_Part]) -> bytes:
    """Of the first result; every one must have the same columns, and be written in one way."""
    for part in parts[1:]:
        if part.format != parts[0].format:
            text = f"is {part.format}, and {parts[0].result.label} is {parts[0].format}. Let the app write one format."
            raise part.result.error(text)
        if part.format in DELIMITERS:
            refuse_other_table(part.opened, parts[0].opened)
    return parts[0].opened.header if parts else b""
