"""What one unit prints, in a local file of its own until it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from triptych.storage.copying import file_blocks


class UnitLog:
    """A file that is there from the first byte on: most scripts print nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def write(self, data: bytes, /) -> int:
        """Append to it."""
        if self._file is None:
            self._file = self._path.open("xb")
        return self._file.write(data)

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.close()

    def blocks(self) -> Iterator[bytes]:
        """All that was written, once it is closed."""
        if self._file is not None:
            yield from file_blocks(self._path)

    def remove(self) -> None:
        """With what it holds."""
        self.close()
        if self._file is not None:
            self._path.unlink(missing_ok=True)
