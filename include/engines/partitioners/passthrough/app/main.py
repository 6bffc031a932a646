"""One chunk per source, as it is; nothing is copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.contracts import Place


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    for source in sources:
        place = Place(source_index=source.index, source=source.path)
        yield Chunk.of_sources([source], name=source.name, metadata=place.to_metadata())
