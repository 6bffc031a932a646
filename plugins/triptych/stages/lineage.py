"""Which chunks a file of the output came from, as far as it can be told without trust in the engine."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from triptych.engines import Output, OutputWriter, Result
from triptych.jobs.workspace import ChunkEntry

Span = tuple[int, int, int]
Spans = list[Span]
"""Of bytes of a source: its number, where they begin, and where they end."""
Runs = tuple[range, ...]
"""Numbers of chunks in order, neighbours as one: of results that are read in order there is one run."""


class TracedOutput:
    """An output (`triptych.engines.Output`) that keeps, for each file, the chunks whose results were read until then.

    Every byte of a file is from these. A file that is a copy of one result is of its chunk alone.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._read: list[range] = []
        self._told: Runs | None = None
        self._lock = threading.Lock()
        self.chunks: dict[str, Runs] = {}

    def on_read(self, chunk: int) -> None:
        """A result of this chunk is being read."""
        with self._lock:
            if _added(self._read, chunk):
                self._told = None

    @contextmanager
    def open(self, name: str) -> Iterator[OutputWriter]:
        """As `Output.open`."""
        with self._output.open(name) as out:
            yield out
        self._whole(name)

    def put_file(self, path: Path, name: str) -> None:
        """As `Output.put_file`."""
        self._output.put_file(path, name)
        self._whole(name)

    def copy(self, result: Result, name: str) -> None:
        """As `Output.copy`."""
        self._output.copy(result, name)
        self.chunks[name] = (range(result.chunk, result.chunk + 1),)

    def _whole(self, name: str) -> None:
        with self._lock:
            self._told = self._told or tuple(self._read)  # Shared by files between which nothing was read.
            self.chunks[name] = self._told


def provenance(
    chunks_of: Mapping[str, Runs], chunks: Sequence[ChunkEntry], *, has_sources: bool = True
) -> Mapping[str, Mapping[str, Sequence[Sequence[int]]]]:
    """By name of a file its `chunks`, `[first, last]`, and `ranges` of sources, `[source, offset, length]`, merged.

    `chunks` are all of the job's, by number. Of chunks that are no ranges of a source there is none, nor of
    a job without sources, whose chunks are ranges of an empty one that is nobody's.
    """
    # Files of one origin, as an assembler's usually are, are told once.
    told: dict[Runs, Mapping[str, Any]] = {}
    grown: dict[int, tuple[int, Spans]] = {}
    for runs in chunks_of.values():
        if runs not in told:
            spans = _merged(sorted(span for run in runs for span in _spans(run, chunks, grown) if has_sources))
            ranges = [[source, start, end - start] for source, start, end in spans]
            told[runs] = {"chunks": [[run.start, run.stop - 1] for run in runs], "ranges": ranges}
    return {name: told[runs] for name, runs in chunks_of.items()}


def _spans(run: range, chunks: Sequence[ChunkEntry], grown: dict[int, tuple[int, Spans]]) -> Spans:
    """Those of all chunks of the run; of one that has grown since it was asked for, only the new ones are looked at."""
    end, known = grown.get(run.start, (run.start, []))
    if end > run.stop:
        end, known = run.start, []
    new = [(r.source, r.offset, r.offset + r.length) for n in range(end, run.stop) for r in chunks[n].ranges or ()]
    spans = _merged(sorted([*known, *new]))
    grown[run.start] = run.stop, spans
    return spans


def _added(runs: list[range], number: int) -> bool:
    """Whether the number was in none of the runs, which are in order, disjoint and apart; now it is in one."""
    at = bisect_right(runs, number, key=lambda run: run.start)
    before = runs[at - 1] if at else range(0)
    if number in before:
        return False
    start, stop, first, last = number, number + 1, at, at
    if before.stop == number and at:
        start, first = before.start, at - 1
    if at < len(runs) and runs[at].start == stop:
        stop, last = runs[at].stop, at + 1
    runs[first:last] = [range(start, stop)]
    return True


def _merged(spans: Iterable[Span]) -> Spans:
    """Sorted (group, start, end), those that touch or overlap as one."""
    merged: Spans = []
    for group, start, end in spans:
        if merged and merged[-1][0] == group and start <= merged[-1][2]:
            merged[-1] = group, merged[-1][1], max(end, merged[-1][2])
        else:
            merged.append((group, start, end))
    return merged
