"""Which chunks a file of the output came from, as far as it can be told without trust in the engine."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from triptych.engines import Output, Result
from triptych.jobs.workspace import ChunkEntry
from triptych.storage import Writer


class TracedOutput:
    """An output (`triptych.engines.Output`) that keeps, for each file, the chunks whose results were read until then.

    Every byte of a file is from these. A file that is a copy of one result is of its chunk alone.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._read: set[int] = set()
        self._lock = threading.Lock()
        self.chunks: dict[str, Sequence[int]] = {}

    def on_read(self, chunk: int) -> None:
        """A result of this chunk is being read."""
        with self._lock:
            self._read.add(chunk)

    @contextmanager
    def open(self, name: str) -> Iterator[Writer]:
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
        self.chunks[name] = [result.chunk]

    def _whole(self, name: str) -> None:
        with self._lock:
            self.chunks[name] = sorted(self._read)


def provenance(
    chunks_of: Mapping[str, Sequence[int]], chunks: Sequence[ChunkEntry]
) -> Mapping[str, Mapping[str, Sequence[Sequence[int]]]]:
    """By name of a file its `chunks`, `[first, last]`, and `ranges` of sources, `[source, offset, length]`, merged.

    `chunks` are all of the job's, by number. Of chunks that are no ranges of a source there is none.
    """
    # Files of one origin, as an assembler's usually are, are told once.
    told: dict[tuple[int, ...], Mapping[str, Any]] = {}
    made = {}
    for name, numbers in chunks_of.items():
        key = tuple(numbers)
        if key not in told:
            ranges = [r for n in key for r in chunks[n].ranges or ()]
            spans = sorted((r.source, r.offset, r.offset + r.length) for r in ranges)
            merged = [[source, start, end - start] for source, start, end in _merged(spans)]
            told[key] = {"chunks": [[first, end - 1] for _, first, end in _runs(key)], "ranges": merged}
        made[name] = told[key]
    return made


def _runs(numbers: Iterable[int]) -> list[list[int]]:
    return _merged((0, number, number + 1) for number in numbers)


def _merged(spans: Iterable[tuple[int, int, int]]) -> list[list[int]]:
    """Sorted (group, start, end), those that touch or overlap as one."""
    merged: list[list[int]] = []
    for group, start, end in spans:
        if merged and merged[-1][0] == group and start <= merged[-1][2]:
            merged[-1][2] = max(end, merged[-1][2])
        else:
            merged.append([group, start, end])
    return merged
