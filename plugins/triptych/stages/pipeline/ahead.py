"""The bytes of the next chunk, fetched while another runs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self

from triptych.jobs.workspace import ChunkEntry
from triptych.stages.pipeline.beside import Beside

Save = Callable[[ChunkEntry, Path], str]
"""Writes a chunk's bytes to a new file, and gives their SHA-256."""


class Ahead:
    """Has the bytes of one chunk in a file of ours, until they are asked for; all are read by its thread alone."""

    def __init__(self, save: Save, folder: Path) -> None:
        """`folder` is one that no script sees."""
        self._save = save
        self._folder = folder
        self._serial = 0
        self._begun: tuple[int, Path, Future[str]] | None = None
        self._beside = Beside[str]("triptych-ahead")
        folder.mkdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Wait for nothing: what it writes goes with the attempt's folder, and nobody reads it."""
        self._beside.end(0)

    def begin(self, entry: ChunkEntry) -> None:
        """Fetch this chunk beside what runs; one that is there already, and was not asked for, is forgotten."""
        if self._begun is not None and self._begun[0] == entry.number:
            return
        self._forget()
        path = self._folder / str(self._serial)
        self._serial += 1
        self._begun = entry.number, path, self._beside.begin(lambda: self._save(entry, path))

    def bring(self, entry: ChunkEntry, path: Path) -> str:
        """Have the chunk's bytes at `path`; their SHA-256. Raises what fetching them raised."""
        self.begin(entry)
        assert self._begun is not None  # Begun.
        _, own, future = self._begun
        try:
            sha256 = future.result()
        finally:
            self._begun = None
        own.rename(path)
        return sha256

    def _forget(self) -> None:
        if self._begun is None:
            return
        _, path, future = self._begun
        self._begun = None
        if not future.cancel():
            future.add_done_callback(lambda _: path.unlink(missing_ok=True))
