"""Many sources in batches, in the order given: back to back, with their sizes in the metadata; or in a tar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source, resources
from triptych.engines.archives.members import tar_of

DEFAULT_COUNT = 10


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """A chunk is closed before the source that would bring it beyond a limit; a larger source is a chunk alone."""
    max_bytes = params["target_mib"] and params["target_mib"] * 1024 * 1024
    max_count = params["items_per_chunk"] or (None if max_bytes else DEFAULT_COUNT)
    make = _tar if params["layout"] == "tar" else _back_to_back
    batch: list[Source] = []
    size = 0
    for source in sources:
        full = max_count is not None and len(batch) >= max_count
        large = max_bytes and size + source.size > max_bytes
        if batch and (full or large):
            yield from make(batch)
            batch, size = [], 0
        batch.append(source)
        size += source.size
    if batch:
        yield from make(batch)


def _back_to_back(batch: Sequence[Source]) -> Iterator[Chunk]:
    files = [{"name": source.name, "size": source.size} for source in batch]
    yield Chunk.of_sources(batch, items=len(batch), metadata={"files": files})


def _tar(batch: Sequence[Source]) -> Iterator[Chunk]:
    """Names are with the folders below what the job named. Its scratch file goes when the next chunk is asked for."""
    path = resources().new_folder() / "files.tar"
    with path.open("wb") as out:
        out.writelines(tar_of((source.relative_path, source.size, source.stream()) for source in batch))
    files = [{"name": source.relative_path, "size": source.size} for source in batch]
    yield Chunk.of_file(path, items=len(batch), metadata={"files": files})
    path.unlink()
    path.parent.rmdir()
