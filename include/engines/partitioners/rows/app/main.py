"""Records into range chunks: only the source's line ends are looked at, nothing is copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.records import Limit, record_runs

DEFAULT_ROWS = 1000
BY_EXTENSION = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
QUOTED = ("csv", "tsv")


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    target = params["target_mib"] and int(params["target_mib"] * 1024 * 1024)
    rows = params["rows"] or (None if target else DEFAULT_ROWS)
    for source in sources:
        yield from _of_source(source, params, Limit(rows, target))


def _of_source(source: Source, params: Mapping[str, Any], limit: Limit) -> Iterator[Chunk]:
    kind = params["format"]
    if kind == "auto":
        kind = BY_EXTENSION.get(PurePosixPath(source.name).suffix.lower(), "lines")
    header = kind in QUOTED if params["header"] is None else params["header"]
    first_row = 0
    for run in record_runs(source.stream(), source.uri, limit, quoted=kind in QUOTED, header=header):
        ranges = [(0, run.header_bytes), (run.offset, run.length)] if run.header_bytes else [(run.offset, run.length)]
        about = {"source": source.name, "first_row": first_row, "rows": run.records}
        yield Chunk.of_ranges(source, ranges, name=f"{source.name}:{first_row}", items=run.records, metadata=about)
        first_row += run.records
