"""Entries of all files in order of time, cut where a window ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from triptych.engines import Chunk, Source, resources
from triptych.engines.merging import merged
from triptych.engines.timestamps import log_runs
from triptych.errors import EngineError, SourceError


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """A chunk per window that has entries; entries of one moment stay in order of file and place."""
    try:
        yield from _windows(sources, params)
    except EngineError as error:
        raise SourceError(str(error)) from error


def _windows(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    runs, order = log_runs(sources, [source.uri for source in sources], params)
    path, length = resources().new_folder() / "window.log", params["window_s"]
    for number, entries in groupby(merged(runs, order), key=lambda pair: int(pair[0] // length)):
        count = 0
        with path.open("wb") as out:
            for _, entry in entries:
                out.write(entry)
                count += 1
        start, end = (datetime.fromtimestamp(each * length, UTC) for each in (number, number + 1))
        about = {"start": start.isoformat(), "end": end.isoformat(), "entries": count}
        yield Chunk.of_file(path, name=f"{start:%Y-%m-%dT%H%M%SZ}.log", items=count, metadata=about)
        path.unlink()
