"""Cuts each source into chunks of equal size."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """Range chunks: they say which bytes of a source they are, and nothing is copied."""
    for source in sources:
        for offset in range(0, source.size, params["bytes"]):
            length = min(params["bytes"], source.size - offset)
            yield Chunk.of_ranges(source, [(offset, length)], name=f"{source.name}:{offset}")
