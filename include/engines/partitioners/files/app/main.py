"""Many sources in batches, in the order given; the chunk's metadata says where each file begins and ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source

DEFAULT_COUNT = 10


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """A chunk is closed before the source that would bring it beyond a limit; a larger source is a chunk alone."""
    max_bytes = params["target_mib"] and params["target_mib"] * 1024 * 1024
    max_count = params["items_per_chunk"] or (None if max_bytes else DEFAULT_COUNT)
    batch: list[Source] = []
    size = 0
    for source in sources:
        full = max_count is not None and len(batch) >= max_count
        large = max_bytes and size + source.size > max_bytes
        if batch and (full or large):
            yield _chunk(batch)
            batch, size = [], 0
        batch.append(source)
        size += source.size
    if batch:
        yield _chunk(batch)


def _chunk(batch: Sequence[Source]) -> Chunk:
    files = [{"name": source.name, "size": source.size} for source in batch]
    return Chunk.of_sources(batch, items=len(batch), metadata={"files": files})
