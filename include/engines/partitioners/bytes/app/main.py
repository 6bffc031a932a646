"""Each source in range chunks of equal size, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.contracts import Place


@dataclass(frozen=True, kw_only=True)
class BytesPlace(Place):
    """The byte of its source that a chunk begins with."""

    offset: int


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    chunk_bytes = params["chunk_bytes"] or max(1, int(params["chunk_mib"] * 1024 * 1024))
    for source in sources:
        for offset in range(0, source.size, chunk_bytes):
            length = min(chunk_bytes, source.size - offset)
            place = BytesPlace(source_index=source.index, source=source.path, offset=offset)
            name = f"{source.name}:{offset}"
            yield Chunk.of_ranges(source, [(offset, length)], name=name, metadata=place.to_metadata())
