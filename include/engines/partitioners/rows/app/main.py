"""Records into range chunks: only the source's line ends are looked at, nothing is copied; Parquet by row groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.tables.cutting.rows import row_chunks


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """A source's records in its order, each in one chunk; a header without records is a chunk of its own."""
    return row_chunks(sources, params)
