"""Inputs of engines without a job around them: bytes in memory, in blocks of any size, or a local file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from triptych.engines.runtime.resources import resources
from triptych.errors import EngineError, SourceError, TriptychError


@dataclass(frozen=True)
class MemoryInput:
    """What a source is to an engine, or, with `chunk`, a result; `block_bytes` is what `stream` gives at once."""

    data: bytes = b""
    block_bytes: int = 1 << 20
    name: str = "memory.bin"
    chunk: int | None = None
    index: int = 0

    @property
    def path(self) -> str:
        return self.name

    @property
    def relative_path(self) -> str:
        return self.name

    @property
    def uri(self) -> str:
        return f"memory:{self.name}"

    @property
    def label(self) -> str:
        return self.uri if self.chunk is None else f"chunk {self.chunk}, {self.name!r}"

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)

    def stream(self) -> Iterator[bytes]:
        for begin in range(0, len(self.data), self.block_bytes):
            yield self.data[begin : begin + self.block_bytes]

    def local_path(self) -> Path:
        """A copy in the scratch folder, as the stages make one."""
        path = resources().new_folder() / "copy"
        path.write_bytes(self.data)
        return path

    def error(self, text: str) -> TriptychError:
        return (SourceError if self.chunk is None else EngineError)(f"{self.label}: {text}")


@dataclass(frozen=True)
class FileInput:
    """A local file as what readers take; see `triptych.engines.api.Input`."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def label(self) -> str:
        return self.path.as_uri()

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def open(self) -> BinaryIO:
        return self.path.open("rb")

    def stream(self) -> Iterator[bytes]:
        with self.path.open("rb") as data:
            while block := data.read(1 << 20):
                yield block

    def local_path(self) -> Path:
        return self.path

    def error(self, text: str) -> SourceError:
        return SourceError(f"{self.label}: {text}")
