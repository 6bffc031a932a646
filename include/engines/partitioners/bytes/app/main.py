"""Each source in range chunks of equal size, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    size = params["size"] or max(1, int(params["size_mib"] * 1024 * 1024))
    for source in sources:
        for offset in range(0, source.size, size):
            length = min(size, source.size - offset)
            about = {"source": source.name, "offset": offset}
            yield Chunk.of_ranges(source, [(offset, length)], name=f"{source.name}:{offset}", metadata=about)
