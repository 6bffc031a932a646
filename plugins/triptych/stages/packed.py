"""Small results, of which many lie in one object: each object is fetched once, and the next ones meanwhile."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from triptych.jobs.pack_log import ResultFile
from triptych.jobs.workspace import Workspace
from triptych.storage.copying import checked, file_range, save

AHEAD = 16
"""So many objects are fetched at once, before they are asked for."""
KEPT_BYTES = 512 << 20
"""Of local copies, on the scratch disk; those that were used longest ago go first, and are fetched again when asked."""


@dataclass(frozen=True)
class _Extent:
    """What of an object is wanted: `length` bytes from `offset`, in which these files lie."""

    offset: int
    length: int
    files: tuple[ResultFile, ...]


class PackedResults:
    """Local copies of objects that hold many files, in the order in which they are likely to be read."""

    def __init__(
        self,
        workspace: Workspace,
        files: Sequence[ResultFile],
        folder: Path,
        ahead: int = AHEAD,
        kept: int = KEPT_BYTES,
    ) -> None:
        """`files` in the order of their chunks; those that are objects of their own are left out."""
        self._workspace = workspace
        self._folder = folder
        self._ahead = ahead
        self._kept = kept
        self._extents = _extents([file for file in files if file.offset is not None])
        self._order = {name: index for index, name in enumerate(self._extents)}
        self._copies: OrderedDict[str, Future[Path]] = OrderedDict()
        self._lock = threading.Lock()
        self._serial = count()
        self._pool = ThreadPoolExecutor(ahead)

    def close(self) -> None:
        """Fetch no more; the copies go with their folder."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def locate(self, file: ResultFile) -> tuple[Path, int]:
        """A local copy, and the offset of the file in it; IntegrityError when a byte of it is another.

        The copy stays until much else was asked for: open it at once.
        """
        extent = self._extents[file.object]
        with self._lock:
            future = self._wanted(file.object)
            position = self._order[file.object]
            for name in islice(self._extents, position + 1, position + 1 + self._ahead):
                if self._size() < self._kept:
                    self._wanted(name)
            self._copies.move_to_end(file.object)
            self._evict()
        return future.result(), (file.offset or 0) - extent.offset

    def _wanted(self, name: str) -> Future[Path]:
        if name not in self._copies:
            self._copies[name] = self._pool.submit(self._fetched, name)
        return self._copies[name]

    def _size(self) -> int:
        return sum(self._extents[name].length for name in self._copies)

    def _evict(self) -> None:
        while len(self._copies) > 1 and self._size() > 2 * self._kept:
            _, oldest = self._copies.popitem(last=False)
            oldest.add_done_callback(_removed)

    def _fetched(self, name: str) -> Path:
        extent = self._extents[name]
        # A name of its own: an earlier copy of the object may be waiting to be removed.
        path = self._folder / f"packed-{next(self._serial)}"
        save(self._workspace.store.stream(self._workspace.uri(name), extent.offset, extent.length), path)
        for file in extent.files:
            data = file_range(path, (file.offset or 0) - extent.offset, file.size)
            for _ in checked(data, file.size, file.sha256, f"{self._workspace.uri(name)}: {file.name!r}"):
                pass
        return path


def _extents(files: Sequence[ResultFile]) -> dict[str, _Extent]:
    """By object, in the order of their first files."""
    grouped: dict[str, list[ResultFile]] = {}
    for file in files:
        grouped.setdefault(file.object, []).append(file)
    return {name: _extent(held) for name, held in grouped.items()}


def _extent(files: Sequence[ResultFile]) -> _Extent:
    start = min(file.offset or 0 for file in files)
    end = max((file.offset or 0) + file.size for file in files)
    return _Extent(start, end - start, tuple(files))


def _removed(copy: Future[Path]) -> None:
    if not copy.cancelled() and copy.exception() is None:
        copy.result().unlink(missing_ok=True)
