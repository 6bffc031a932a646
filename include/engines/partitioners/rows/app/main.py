"""Records into range chunks: only the source's line ends are looked at, nothing is copied; Parquet by row groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.tables.formats import DELIMITERS, EXTENSIONS
from triptych.engines.tables.parquet import parquet_chunks
from triptych.engines.tables.record_ends import Limit, record_runs
from triptych.errors import JobSpecError

DEFAULT_ROWS = 1000


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    target = _target_bytes(sources, params)
    for source in sources:
        kind = params["format"]
        if kind == "auto":
            kind = EXTENSIONS.get(PurePosixPath(source.name).suffix.lower(), "lines")
        if kind == "parquet":
            yield from parquet_chunks(source, Limit(params["rows"], target))
        else:
            yield from _of_text(
                source, kind, params["header"], Limit(params["rows"] or (None if target else DEFAULT_ROWS), target)
            )


def _target_bytes(sources: Sequence[Source], params: Mapping[str, Any]) -> int | None:
    if not params["chunks"]:
        return params["target_mib"] and int(params["target_mib"] * 1024 * 1024)
    if params["rows"] or params["target_mib"]:
        msg = "params.partitioner.chunks: goes with neither rows nor target_mib. Leave those empty."
        raise JobSpecError(msg)
    return -(-sum(source.size for source in sources) // params["chunks"]) or 1


def _of_text(source: Source, kind: str, with_header: bool | None, limit: Limit) -> Iterator[Chunk]:
    header = kind in DELIMITERS if with_header is None else with_header
    first_row = 0
    for run in record_runs(source.stream(), source.uri, limit, quoted=kind in DELIMITERS, header=header):
        ranges = [(0, run.header_bytes), (run.offset, run.length)] if run.header_bytes else [(run.offset, run.length)]
        about = {"source": source.name, "first_row": first_row, "rows": run.records}
        yield Chunk.of_ranges(source, ranges, name=f"{source.name}:{first_row}", items=run.records, metadata=about)
        first_row += run.records
