"""Records into range chunks: only the source's line ends are looked at, nothing is copied; Parquet by row groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.runtime.loading import naming_missing_library
from triptych.engines.tables.formats import DELIMITERS, format_of
from triptych.engines.tables.places import RowPlace
from triptych.engines.tables.record_ends import Limit, record_runs
from triptych.errors import JobSpecError

DEFAULT_ITEMS = 1000


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """A source's records in its order, each in one chunk; chunks of Parquet are files of their own."""
    target_bytes = _target_bytes(sources, params)
    items: int | None = params["items_per_chunk"]
    for source in sources:
        format = format_of(source, params["format"], otherwise="lines") if source.size else "lines"
        if format == "parquet":
            yield from _of_parquet(source, Limit(items, target_bytes))
        else:
            limit = Limit(items or (None if target_bytes else DEFAULT_ITEMS), target_bytes)
            yield from _of_text(source, format, params["header"], limit)


def _target_bytes(sources: Sequence[Source], params: Mapping[str, Any]) -> int | None:
    if not params["chunks"]:
        return params["target_mib"] and int(params["target_mib"] * 1024 * 1024)
    if params["items_per_chunk"] or params["target_mib"]:
        msg = "params.partitioner.chunks: goes with neither items_per_chunk nor target_mib. Leave those empty."
        raise JobSpecError(msg)
    return -(-sum(source.size for source in sources) // params["chunks"]) or 1


def _of_parquet(source: Source, limit: Limit) -> Iterator[Chunk]:
    with naming_missing_library("rows of Parquet"):
        # Here, since rows of text need no more than NumPy.
        from triptych.engines.tables.parquet import parquet_chunks
    yield from parquet_chunks(source, limit)


def _of_text(source: Source, format: str, with_header: bool | None, limit: Limit) -> Iterator[Chunk]:
    quoted = format in DELIMITERS
    header = quoted if with_header is None else with_header
    first_row = 0
    for run in record_runs(source, limit, quoted=quoted, header=header):
        ranges = [(0, run.header_bytes), (run.offset, run.length)] if run.header_bytes else [(run.offset, run.length)]
        place = RowPlace(source_index=source.index, source=source.path, first_row=first_row, rows=run.records)
        name = f"{source.name}:{first_row}"
        yield Chunk.of_ranges(source, ranges, name=name, items=run.records, metadata=place.to_metadata())
        first_row += run.records
