"""What an assembler sees of the results that count: each under a name that no other file of the job has."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from triptych.errors import EngineError
from triptych.jobs.pack_log import Attempted, ResultFile
from triptych.jobs.workspace import ChunkEntry, Workspace
from triptych.running.names import shortened
from triptych.stages.packed import PackedResults
from triptych.storage import ObjectInfo
from triptych.storage.copying import checked, file_range, save


class ResultObject:
    """One file of one chunk's result (`triptych.engines.Result`)."""

    def __init__(
        self,
        workspace: Workspace,
        packed: PackedResults,
        chunk: ChunkEntry,
        file: ResultFile,
        flat_name: str,
        scratch: Path,
    ) -> None:
        """`scratch` is the folder for a local copy, under `flat_name`."""
        self.store = workspace.store
        self.uri = workspace.uri(file.object)
        self.is_object = file.offset is None
        """Whether the object at `uri` is this file and no more, so that a store can copy it by itself."""
        self.chunk = chunk.number
        self.chunk_name = chunk.name
        self.metadata: Mapping[str, Any] = chunk.metadata
        self.name = file.name
        self.label = f"chunk {chunk.number}, {file.name!r}"
        self.flat_name = flat_name
        self.size = file.size
        self.on_read: Callable[[int], None] = lambda chunk: None
        """Hears the chunk's number whenever the result is about to be read."""
        self.sha256 = file.sha256
        self._file = file
        self._packed = packed
        self._scratch = scratch

    def error(self, text: str) -> EngineError:
        """As `Input.error`."""
        return EngineError(f"{self.label}: {text}")

    def open(self) -> BinaryIO:
        """As `Input.open`."""
        self.on_read(self.chunk)
        if self.is_object or not self.size:
            return self.store.open(ObjectInfo(self.uri, self.size, self.store.stat(self.uri).etag))
        return FileSlice(*self._packed.locate(self._file), self.size).buffered()

    def stream(self) -> Iterator[bytes]:
        """As `Input.stream`, checked against what its log says."""
        self.on_read(self.chunk)
        if not self.size:
            return iter(())
        if self.is_object:
            label = f"result {self.name!r} of chunk {self.chunk}"
            return checked(self.store.stream(self.uri), self.size, self.sha256, label)
        return file_range(*self._packed.locate(self._file), self.size)

    def local_path(self) -> Path:
        """As `Input.local_path`."""
        self.on_read(self.chunk)
        path = self._scratch / self.flat_name
        if not path.exists():
            save(self.stream(), path)
        return path


class FileSlice(io.RawIOBase):
    """`size` bytes of a local file from `offset`, as a file of their own."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self._source = path.open("rb", buffering=0)
        self._offset, self._size, self._position = offset, size, 0

    def buffered(self) -> io.BufferedReader:
        """With a buffer before it, which closes it when it is closed."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # typeshed: Buffer
        wanted = min(len(buffer), self._size - self._position)
        if wanted <= 0:
            return 0
        count = os.preadv(self._source.fileno(), [memoryview(buffer)[:wanted]], self._offset + self._position)
        self._position += count
        return count

    def close(self) -> None:
        self._source.close()
        super().close()


@contextmanager
def read_results(
    workspace: Workspace, chunks: Iterable[ChunkEntry], done: Mapping[int, Attempted], scratch: Path
) -> Iterator[list[ResultObject]]:
    """Every file of these chunks' results as the assembler sees it, by chunk number, then name, while it lasts."""
    rows = [(chunk, file) for chunk in chunks if chunk.number in done for file in done[chunk.number].files]
    flat = flat_names([(chunk.number, file.name) for chunk, file in rows])
    with closing(PackedResults(workspace, [file for _, file in rows], scratch)) as packed:
        yield [
            ResultObject(workspace, packed, chunk, file, name, scratch)
            for (chunk, file), name in zip(rows, flat, strict=True)
        ]


def flat_names(names: Sequence[tuple[int, str]]) -> list[str]:
    """A unique plain file name for each (chunk, relative name), in order; `names` is ordered by chunk.

    Names that do not collide stay. The others get their chunk's number in front, in six digits, and what still
    collides (`a/x` and `b/x` of one chunk) its folders too. A name that has become too long for a file has a hash.
    """
    plain = [PurePosixPath(name).name for _, name in names]
    counts = Counter(plain)
    numbered = [
        base if counts[base] == 1 else f"{chunk:06d}_{base}" for base, (chunk, _) in zip(plain, names, strict=True)
    ]
    taken: set[str] = set()
    twice = {name for name, count in Counter(numbered).items() if count > 1}
    unique = []
    for flat, (chunk, name) in zip(numbered, names, strict=True):
        longer = f"{chunk:06d}_{name.replace('/', '_')}" if flat in twice else flat
        candidate = shortened(longer)
        while candidate in taken:
            longer = f"_{longer}"
            candidate = shortened(longer)
        taken.add(candidate)
        unique.append(candidate)
    return unique
