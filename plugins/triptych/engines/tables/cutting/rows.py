"""Records into range chunks: only the source's line ends are looked at, nothing is copied; Parquet by row groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from triptych.engines.api import Chunk, Input, Source
from triptych.engines.dialects.opening import Opened, opened
from triptych.engines.dialects.record_ends import Limit, RecordRun, first_record, record_runs
from triptych.engines.documents.contained import Contained, tables_in
from triptych.engines.runtime.loading import naming_missing_library
from triptych.engines.streams.runs import Runs
from triptych.engines.tables.places import RowPlace
from triptych.errors import JobSpecError

DEFAULT_ITEMS = 1000


def row_chunks(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """A source's records in its order, each in one chunk; a header without records is a chunk of its own.

    By the parameters of the partitioner `rows`.
    """
    target_bytes = _target_bytes(sources, params)
    items: int | None = params["items_per_chunk"]
    for source in filter(_has_bytes, sources):
        for item in filter(_has_bytes, tables_in(source, arrow=True)):
            table = opened(item, params, otherwise="lines", binaries=("parquet",), in_utf8=False)
            if table.format == "parquet":
                chunks = _of_parquet(source, table.item, Limit(items, target_bytes))
            else:
                limit = Limit(items or (None if target_bytes else DEFAULT_ITEMS), target_bytes)
                chunks = _of_text(source, _with_header(table, params["header"]), limit)
            yield from _of_contained(chunks, item) if isinstance(item, Contained) else chunks


def _has_bytes(item: Input) -> bool:
    return item.size > 0


def _of_contained(chunks: Iterator[Chunk], item: Contained) -> Iterator[Chunk]:
    """Of a table in its source: rows count in the table, and the chunk tells which one that is."""
    for chunk in chunks:
        yield replace(chunk, name=f"{item.table}:{chunk.name}", metadata={**chunk.metadata, "table": item.table})


def _target_bytes(sources: Sequence[Source], params: Mapping[str, Any]) -> int | None:
    if not params["chunks"]:
        return params["target_mib"] and int(params["target_mib"] * 1024 * 1024)
    if params["items_per_chunk"] or params["target_mib"]:
        msg = "params.partitioner.chunks: goes with neither items_per_chunk nor target_mib. Leave those empty."
        raise JobSpecError(msg)
    return -(-sum(source.size for source in sources) // params["chunks"]) or 1


def _of_parquet(source: Source, item: Input, limit: Limit) -> Iterator[Chunk]:
    with naming_missing_library("rows of Parquet"):
        # Here, since rows of text need no more than NumPy.
        from triptych.engines.tables.parquet import parquet_chunks
    yield from parquet_chunks(source, item, limit)


def _with_header(table: Opened, wanted: bool | None) -> Opened:
    """With or without its first record as header, where that is declared."""
    if wanted is None or wanted == bool(table.header):
        return table
    header = first_record(table.item, table.dialect, table.start) if wanted else b""
    return replace(table, header=header, names=() if not wanted else table.names)


def _of_text(source: Source, table: Opened, limit: Limit) -> Iterator[Chunk]:
    chunks = Runs(source, table.item)
    header = [(table.start, len(table.header))] if table.header else []
    first_row = 0
    runs = record_runs(table.item, limit, table.dialect, first=table.body)
    for run in _with_one_at_least(runs, table):
        place = RowPlace(source_index=source.index, source=source.path, first_row=first_row, rows=run.records)
        name = f"{source.name}:{first_row}"
        body = [(run.offset, run.length)] if run.length else []
        metadata = {**place.to_metadata(), **table.to_metadata()}
        yield chunks.chunk([*header, *body], name=name, items=run.records, metadata=metadata)
        first_row += run.records


def _with_one_at_least(runs: Iterator[RecordRun], table: Opened) -> Iterator[RecordRun]:
    """A table that has a header and no record is one run of none."""
    first = next(runs, RecordRun(table.body, 0, 0) if table.header else None)
    if first:
        yield first
        yield from runs
