"""A source whose bytes are in memory, for tests of what reads one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from triptych.errors import SourceError


@dataclass(frozen=True)
class MemorySource:
    """`triptych.engines.Source`; its stream comes in blocks of `block_bytes`."""

    name: str
    data: bytes = b""
    index: int = 0
    block_bytes: int = 1 << 20

    @property
    def path(self) -> str:
        return self.name

    @property
    def uri(self) -> str:
        return f"memory:{self.name}"

    @property
    def label(self) -> str:
        return self.uri

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

    def error(self, text: str) -> SourceError:
        return SourceError(f"{self.label}: {text}")
