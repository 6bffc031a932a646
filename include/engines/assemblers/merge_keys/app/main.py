"""Results joined on keys: all rows are sorted by key beyond memory, and the rows of one key put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.arrays.text_columns import joined_bytes
from triptych.engines.sorting.external_merge import write_merged
from triptych.engines.sorting.order import Order
from triptych.engines.tables.cells import csv_header, rows_writer
from triptych.engines.tables.formats import DELIMITERS, table_format
from triptych.engines.tables.join import Join
from triptych.engines.tables.keyed import keyed_table
from triptych.errors import EngineError, JobSpecError, SourceError

WRITTEN = (".csv", ".tsv", ".jsonl")


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """One row per key, with the columns of all results in the order in which they first occur."""
    extension = PurePosixPath(params["name"]).suffix.lower()
    if extension not in WRITTEN:
        msg = f"params.assembler.name: {params['name']!r} must end in one of {', '.join(WRITTEN)}."
        raise JobSpecError(msg)
    try:
        _assemble(results, output, params, extension.removeprefix("."))
    except SourceError as error:
        # What reads tables does not know that this one is a result.
        raise EngineError(str(error)) from error


def _assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any], form: str) -> None:
    filled = [(result, table_format(result, params["format"])) for result in results if result.size]
    tables = [keyed_table(index, *each, params["keys"]) for index, each in enumerate(filled)]
    join = Join(tables, params["keys"], params["join"], params["conflicts"])
    names = join.names
    order = Order(["ascending"] * len(params["keys"]))
    rows = rows_writer(form, names)

    def write(ordered: Iterator[Any]) -> None:
        with output.open(params["name"]) as out:
            if form in DELIMITERS and names:
                out.write(csv_header(names, form))
            for columns in join.columns(ordered, order):
                out.write(joined_bytes(rows(columns)))

    write_merged(write, [table.batches for table in tables], order)
