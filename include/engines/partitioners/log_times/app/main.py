"""Entries of all files in order of time, cut where a window ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from triptych.engines import Chunk, Source, resources
from triptych.engines.logs.entries import BY_TIME, log_runs
from triptych.engines.sorting.external_merge import merged, record_bytes
from triptych.engines.times.parsing import SECOND
from triptych.errors import EngineError, SourceError


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """A chunk per window that has entries; entries of one moment stay in order of file and place."""
    try:
        yield from _windows(sources, params)
    except EngineError as error:
        raise SourceError(str(error)) from error


def _windows(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    path, length = resources().new_folder() / "window.log", params["window_s"]
    entries = merged(log_runs(sources, [source.uri for source in sources], params), BY_TIME)
    for number, pieces in groupby(_pieces(entries, length * SECOND), key=lambda piece: piece[0]):
        count = 0
        with path.open("wb") as out:
            for _, piece in pieces:
                out.write(record_bytes(piece))
                count += len(piece)
        start, end = (datetime.fromtimestamp(each * length, UTC) for each in (number, number + 1))
        about = {"start": start.isoformat(), "end": end.isoformat(), "entries": count}
        yield Chunk.of_file(path, name=f"{start:%Y-%m-%dT%H%M%SZ}.log", items=count, metadata=about)
        path.unlink()


def _pieces(batches: Iterator[Any], length: int) -> Iterator[tuple[int, Any]]:
    """Batches of entries of one window each, with its number."""
    import numpy as np

    for batch in batches:
        windows = batch.column(0).to_numpy() // length
        begins = [0, *(np.flatnonzero(np.diff(windows)) + 1).tolist()]
        for begin, end in zip(begins, [*begins[1:], len(batch)], strict=True):
            yield int(windows[begin]), batch[begin:end]
