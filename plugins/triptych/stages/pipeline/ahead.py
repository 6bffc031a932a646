"""The bytes of the next chunks, fetched while others run."""

from __future__ import annotations

import threading
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
    """Has the bytes of a few chunks in files of ours, until they are asked for, by any thread; its own reads them."""

    def __init__(self, save: Save, folder: Path, most: int = 1) -> None:
        """`folder` is one that no script sees; so many chunks lie there at most."""
        self._save = save
        self._folder = folder
        self._most = most
        self._serial = 0
        self._lock = threading.Lock()
        self._begun: dict[int, tuple[Path, Future[str]]] = {}
        self._beside = Beside[str]("triptych-ahead")
        folder.mkdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Wait for nothing: what it writes goes with the attempt's folder, and nobody reads it."""
        self._beside.end(0)

    def begin(self, entry: ChunkEntry) -> None:
        """Fetch this chunk beside what runs; where too many are there that nobody asked for, the first is forgotten."""
        with self._lock:
            self._begin(entry)

    def bring(self, entry: ChunkEntry, path: Path) -> str:
        """Have the chunk's bytes at `path`; their SHA-256. Raises what fetching them raised."""
        with self._lock:
            self._begin(entry)
            own, future = self._begun.pop(entry.number)
        sha256 = future.result()
        own.rename(path)
        return sha256

    def _begin(self, entry: ChunkEntry) -> None:
        if entry.number in self._begun:
            return
        while len(self._begun) >= self._most:
            _forget(*self._begun.pop(next(iter(self._begun))))
        path = self._folder / str(self._serial)
        self._serial += 1
        self._begun[entry.number] = path, self._beside.begin(lambda: self._save(entry, path))


def _forget(path: Path, future: Future[str]) -> None:
    if not future.cancel():
        future.add_done_callback(lambda _: path.unlink(missing_ok=True))
