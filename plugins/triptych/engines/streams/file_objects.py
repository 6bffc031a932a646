"""Blocks of bytes and outputs as file objects, for libraries that know only these."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from triptych.storage import Writer


class BlockReader(io.RawIOBase):
    """Reads an iterable of blocks once, in order; no seeking."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # typeshed: Buffer
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class OutputFile(io.RawIOBase):
    """Writes to an output; no seeking. Closing it does not end the output."""

    def __init__(self, out: Writer) -> None:
        self._out = out

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        block = bytes(data)
        self._out.write(block)
        return len(block)
