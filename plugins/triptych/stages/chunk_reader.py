"""The bytes of chunks: from the workspace, or as ranges of the sources."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from triptych.errors import IntegrityError
from triptych.jobs.sources import SourceEntry
from triptych.jobs.workspace import ByteRange, ChunkEntry, Workspace
from triptych.storage import Stores
from triptych.storage.copying import HashingWriter, checked

WINDOW_BYTES = 8 << 20
"""Ranges of a pack that lie side by side in a source are read together, so many bytes of them at once."""


@dataclass(frozen=True)
class _Window:
    """Bytes of one source that are in memory, from `offset` on."""

    source: int
    offset: int
    data: bytes

    def holds(self, run: ByteRange) -> bool:
        start = run.offset - self.offset
        return run.source == self.source and start >= 0 and start + run.length <= len(self.data)

    def cut(self, run: ByteRange) -> bytes:
        start = run.offset - self.offset
        return self.data[start : start + run.length]


class ChunkReader:
    """Reads the chunks of one job; `sources` are numbered as its chunk list numbers them."""

    def __init__(
        self,
        workspace: Workspace,
        sources: Sequence[SourceEntry],
        stores: Stores,
        ahead: Sequence[ChunkEntry] = (),
        window_bytes: int = WINDOW_BYTES,
    ) -> None:
        """`ahead` are chunks that will be read, in this order: what of them lies side by side takes one request."""
        self._workspace = workspace
        self._sources = sources
        self._stores = stores
        self._window_bytes = window_bytes
        self._window = _Window(-1, 0, b"")
        self._extents = dict(_extents(ahead, window_bytes))

    def blocks(self, chunk: ChunkEntry) -> Iterator[bytes]:
        """The chunk as a stream; IntegrityError, SourceError where it is not what `partition` saw."""
        return checked(self._raw(chunk), chunk.size, chunk.sha256, f"chunk {chunk.number}")

    def save(self, chunk: ChunkEntry, path: Path) -> str:
        """Write the chunk to a new file; the SHA-256 of its bytes. Raises as `blocks` does."""
        with path.open("xb") as out:
            hashing = HashingWriter(out)
            for block in self.blocks(chunk):
                hashing.write(block)
        return hashing.sha256

    def _raw(self, chunk: ChunkEntry) -> Iterator[bytes]:
        if chunk.ranges is None:
            if chunk.object is None:
                msg = f"chunk {chunk.number}: the chunk list names neither ranges nor an object."
                raise IntegrityError(msg)
            yield from self._workspace.store.stream(self._workspace.uri(chunk.object))
            return
        if chunk.prefix:
            yield base64.b64decode(chunk.prefix)
        for run in chunk.ranges:
            if run.length:
                yield from self._run(run)

    def _run(self, run: ByteRange) -> Iterator[bytes]:
        source = self._sources[run.source]
        store = self._stores.open(source.uri, source.conn_id, source.service)
        length = self._extents.get(run, run.length)
        if not self._window.holds(run) and length > run.length:
            data = store.read_range(source.uri, run.offset, length, source.etag)
            self._window = _Window(run.source, run.offset, data)
        if self._window.holds(run):
            yield self._window.cut(run)
        else:
            yield from store.stream(source.uri, run.offset, run.length, source.etag)


def _extents(chunks: Sequence[ChunkEntry], most_bytes: int) -> Iterator[tuple[ByteRange, int]]:
    """Each run at which a window may begin, and how many bytes it and what follows it without a gap have.

    Runs of 3, 3, 3 bytes from 0 with at most 6: (0, 6), (3, 6), (6, 3).
    """
    runs = [run for chunk in chunks for run in chunk.ranges or () if run.length]
    # From the end: what follows a run without a gap, and fits, is known before the run itself.
    end, last = 0, len(runs) - 1
    for index in range(len(runs) - 1, -1, -1):
        run = runs[index]
        after = runs[index + 1] if index < len(runs) - 1 else None
        if after is None or (after.source, after.offset) != (run.source, run.offset + run.length):
            last = index
        last = min(last, _fitting(runs, index, last, most_bytes))
        end = runs[last].offset + runs[last].length
        yield run, end - run.offset


def _fitting(runs: Sequence[ByteRange], first: int, last: int, most_bytes: int) -> int:
    """The last of the runs from `first` to `last` so that together they have no more bytes; `first` at least."""
    while last > first and runs[last].offset + runs[last].length - runs[first].offset > most_bytes:
        last -= 1
    return last
