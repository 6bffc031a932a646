"""Blocks of bytes and outputs as file objects, for libraries that know only these."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

from triptych.storage import Writer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class BlockReader(io.RawIOBase):
    """A readable file over an iterable of blocks, which is gone through once, in order; no seeking.

    A read gives what is left of one block at most: wrap it in `io.BufferedReader` for reads of exact length.
    """

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill `buffer` from the block at hand; the number of bytes, 0 only at the end (empty blocks are skipped)."""
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class OutputFile(io.RawIOBase):
    """A writable file over an output's writer; no seeking. Closing it does not end the output."""

    def __init__(self, out: Writer) -> None:
        self._out = out

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """All of `data`, always; copied, as the caller may write over it while the output still holds it."""
        block = bytes(data)
        self._out.write(block)
        return len(block)
