"""Chunks of runs of a source, or of what stands in for it where it was unpacked or decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Unpack

from triptych.engines.api import Chunk, Description, Input, Source
from triptych.engines.runtime.resources import resources

KEPT_BYTES = 1 << 20
"""A chunk that is no range of its source is handed on in memory up to this size."""


class Runs:
    """Makes chunks of (offset, length) runs of `item`: without a copy where that is the source itself."""

    def __init__(self, source: Source, item: Input) -> None:
        self._source, self._item = source, item

    def chunk(self, runs: Sequence[tuple[int, int]], prefix: bytes = b"", **described: Unpack[Description]) -> Chunk:
        """`prefix`, then the runs back to back; a large chunk's file is used again for the next."""
        if self._item is self._source:
            return Chunk.of_ranges(self._source, runs, prefix, **described)
        blocks = self._blocks(runs)
        if sum(length for _, length in runs) <= KEPT_BYTES:
            return Chunk.of_bytes(prefix + b"".join(blocks), **described)
        self._path.unlink(missing_ok=True)  # The chunk before may still be linked to it.
        with self._path.open("wb") as out:
            out.write(prefix)
            out.writelines(blocks)
        return Chunk.of_file(self._path, **described)

    @cached_property
    def _path(self) -> Path:
        return resources().new_folder() / "piece"

    def _blocks(self, runs: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        with self._item.open() as data:
            for offset, length in runs:
                data.seek(offset)
                left = length
                while left and (block := data.read(min(left, KEPT_BYTES))):
                    left -= len(block)
                    yield block
