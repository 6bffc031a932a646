"""The bytes of chunks: from the workspace, or as ranges of the sources."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

from triptych.jobs.sources import SourceEntry
from triptych.jobs.workspace import ChunkEntry, Workspace
from triptych.storage import Stores
from triptych.storage.copying import checked


class ChunkReader:
    """Reads the chunks of one job; `sources` are numbered as its chunk list numbers them."""

    def __init__(self, workspace: Workspace, sources: Sequence[SourceEntry], stores: Stores) -> None:
        self._workspace = workspace
        self._sources = sources
        self._stores = stores

    def blocks(self, chunk: ChunkEntry) -> Iterator[bytes]:
        """The chunk as a stream; IntegrityError, SourceError where it is not what `partition` saw."""
        return checked(self._raw(chunk), chunk.size, chunk.sha256, f"chunk {chunk.number}")

    def _raw(self, chunk: ChunkEntry) -> Iterator[bytes]:
        if chunk.ranges is None:
            yield from self._workspace.store.stream(self._workspace.chunk_uri(chunk.number))
            return
        if chunk.prefix:
            yield base64.b64decode(chunk.prefix)
        for run in chunk.ranges:
            if run.length:
                source = self._sources[run.source]
                store = self._stores.open(source.uri, source.conn_id)
                yield from store.stream(source.uri, run.offset, run.length, source.etag)
