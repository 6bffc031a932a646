"""Entries of all files in order of time, cut where a window ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from triptych.engines import Chunk, Source, resources
from triptych.engines.arrays.runs import run_lengths, run_starts
from triptych.engines.logs.entries import BY_TIME, log_runs
from triptych.engines.sorting.external_merge import merged, record_bytes
from triptych.engines.times.zones import SECOND_US

if TYPE_CHECKING:
    import pyarrow as pa


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """A chunk per window that has entries; entries of one moment stay in order of file and place."""
    path, window_s = resources().new_folder() / "window.log", params["window_s"]
    entries = merged(log_runs(sources, params), BY_TIME)
    for window, pieces in groupby(_pieces(entries, window_s * SECOND_US), key=lambda piece: piece[0]):
        count = 0
        with path.open("wb") as out:
            for _, piece in pieces:
                out.write(record_bytes(piece))
                count += len(piece)
        start, end = (datetime.fromtimestamp(number * window_s, UTC) for number in (window, window + 1))
        metadata = {"start": start.isoformat(), "end": end.isoformat(), "entries": count}
        yield Chunk.of_file(path, name=f"{start:%Y-%m-%dT%H%M%SZ}.log", items=count, metadata=metadata)
        path.unlink()


def _pieces(batches: Iterator[pa.RecordBatch], window_us: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Entries of one window each, in order, with the window's number since 1970 (before it, below 0)."""
    for batch in filter(len, batches):
        windows = batch.column(0).to_numpy() // window_us
        starts = run_starts(windows - windows[0])
        for start, length in zip(starts, run_lengths(starts, len(batch)), strict=True):
            yield int(windows[start]), batch[start : start + length]
