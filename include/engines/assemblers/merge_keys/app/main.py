"""Results joined on keys: all rows are sorted by key beyond memory, and the rows of one key put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from triptych.engines import Output, Result
from triptych.engines.arrays.text_columns import joined_bytes
from triptych.engines.dialects.formats import DELIMITERS
from triptych.engines.dialects.opening import opened
from triptych.engines.documents.contained import tables_of
from triptych.engines.sorting.external_merge import write_merged
from triptych.engines.sorting.order import Order
from triptych.engines.tables.cells import csv_header, rows_writer
from triptych.engines.tables.join import Join
from triptych.engines.tables.keyed import keyed_table
from triptych.errors import JobSpecError

if TYPE_CHECKING:
    import pyarrow as pa

WRITTEN = (".csv", ".tsv", ".jsonl")


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """One row per key, with the columns of all results in the order in which they first occur."""
    extension = PurePosixPath(params["name"]).suffix.lower()
    if extension not in WRITTEN:
        msg = f"params.assembler.name: {params['name']!r} must end in one of {', '.join(WRITTEN)}."
        raise JobSpecError(msg)
    written = extension.removeprefix(".")
    filled = [opened(item, params) for _, item in tables_of(results) if item.size]
    tables = [keyed_table(index, each, params["on"]) for index, each in enumerate(filled)]
    join = Join(tables, params["on"], params["how"], params["on_conflict"])
    names = join.names
    order = Order(["ascending"] * len(params["on"]))
    rows = rows_writer(written, names)

    def write(ordered: Iterator[pa.RecordBatch]) -> None:
        with output.open(params["name"]) as out:
            if written in DELIMITERS and names:
                out.write(csv_header(names, written))
            for columns in join.columns(ordered, order):
                out.write(joined_bytes(rows(columns)))

    write_merged(write, [table.batches for table in tables], order)
