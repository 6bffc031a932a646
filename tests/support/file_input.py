"""A local file as the input of a reader, without a job around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from triptych.errors import SourceError


@dataclass(frozen=True)
class FileInput:
    """See `triptych.engines.api.Input`."""

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
