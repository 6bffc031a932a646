"""Inputs of engines in memory, in blocks of any size."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from triptych.errors import EngineError, SourceError, TriptychError


@dataclass(frozen=True)
class MemoryInput:
    """What a source is to an engine, or, with `chunk`, a result; `block_bytes` is what `stream` gives at once."""

    data: bytes
    block_bytes: int = 1 << 20
    name: str = "memory.bin"
    chunk: int | None = None

    @property
    def label(self) -> str:
        return f"memory:{self.name}" if self.chunk is None else f"chunk {self.chunk}, {self.name!r}"

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)

    def stream(self) -> Iterator[bytes]:
        for begin in range(0, len(self.data), self.block_bytes):
            yield self.data[begin : begin + self.block_bytes]

    def local_path(self) -> Path:
        raise NotImplementedError

    def error(self, text: str) -> TriptychError:
        return (SourceError if self.chunk is None else EngineError)(f"{self.label}: {text}")
