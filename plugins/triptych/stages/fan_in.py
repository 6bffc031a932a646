"""What an assembler sees: results under collision-free names, and an output that becomes visible whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import quote

from triptych.engines import Result
from triptych.errors import EngineError
from triptych.jobs.job import Job
from triptych.jobs.workspace import ChunkEntry, Commit
from triptych.storage import FileEntry, ObjectInfo, Writer
from triptych.storage.copying import HashingWriter, checked, file_blocks, save

OUTPUT_LIST = "output.json"
"""Ends the output: a destination without it is not whole."""


class ResultObject:
    """One file of one chunk's result (`triptych.engines.Result`)."""

    def __init__(
        self, job: Job, chunk: ChunkEntry, attempt: str, file: FileEntry, flat_name: str, scratch: Path
    ) -> None:
        self.chunk = chunk.number
        self.chunk_name = chunk.name
        self.metadata: Mapping[str, Any] = chunk.metadata
        self.name = file.name
        self.label = f"chunk {chunk.number}, {file.name!r}"
        self.flat_name = flat_name
        self.size = file.size
        self.sha256 = file.sha256
        self.uri = job.workspace.result_uri(chunk.number, attempt, file.name)
        self._store = job.workspace.store
        self._scratch = scratch

    def error(self, text: str) -> EngineError:
        return EngineError(f"{self.label}: {text}")

    def open(self) -> BinaryIO:
        return self._store.open(ObjectInfo(self.uri, self.size, self._store.stat(self.uri).etag))

    def stream(self) -> Iterator[bytes]:
        blocks = self._store.stream(self.uri) if self.size else iter(())
        return checked(blocks, self.size, self.sha256, f"result {self.name!r} of chunk {self.chunk}")

    def local_path(self) -> Path:
        path = self._scratch / self.flat_name
        if not path.exists():
            save(self.stream(), path)
        return path


def flat_names(names: Sequence[tuple[int, str]]) -> list[str]:
    """A unique plain file name for each (chunk, relative name), in order; `names` is ordered by chunk.

    Names that do not collide stay. The others get their chunk's number in front, in six digits, and what still
    collides (`a/x` and `b/x` of one chunk) its folders too.
    """
    plain = [PurePosixPath(name).name for _, name in names]
    counts = Counter(plain)
    numbered = [
        base if counts[base] == 1 and base != OUTPUT_LIST else f"{chunk:06d}_{base}"
        for base, (chunk, _) in zip(plain, names, strict=True)
    ]
    taken: set[str] = set()
    twice = {name for name, count in Counter(numbered).items() if count > 1}
    unique = []
    for flat, (chunk, name) in zip(numbered, names, strict=True):
        candidate = f"{chunk:06d}_{name.replace('/', '_')}" if flat in twice else flat
        while candidate in taken:
            candidate = f"_{candidate}"
        taken.add(candidate)
        unique.append(candidate)
    return unique


def read_results(job: Job, commits: Mapping[int, Commit], scratch: Path) -> list[Result]:
    """Every committed file as the assembler sees it, by chunk number, then name."""
    rows = [
        (chunk, commits[chunk.number], file)
        for chunk in job.workspace.chunks()
        if chunk.number in commits
        for file in commits[chunk.number].files
    ]
    flat = flat_names([(chunk.number, file.name) for chunk, _, file in rows])
    return [
        ResultObject(job, chunk, commit.attempt, file, name, scratch)
        for (chunk, commit, file), name in zip(rows, flat, strict=True)
    ]


class Destination:
    """The output's files (`triptych.engines.Output`): written one by one, taken back on failure."""

    def __init__(self, job: Job) -> None:
        self.uri = job.destination.uri
        self.files: list[FileEntry] = []
        self._store = job.store(job.destination)
        self._workspace_store = job.workspace.store
        self._names: set[str] = set()
        self._taken: set[str] = set()

    @contextmanager
    def open(self, name: str) -> Iterator[Writer]:
        target = self._claim(name)
        try:
            with self._store.writer(target) as out:
                counted = HashingWriter(out)
                yield counted
        except BaseException:
            self._taken.remove(name)
            raise
        self.files.append(FileEntry(name, counted.size, counted.sha256))

    def put_file(self, path: Path, name: str) -> None:
        with self.open(name) as out:
            for block in file_blocks(path):
                out.write(block)

    def copy(self, result: Result, name: str) -> None:
        with self.open(name) as out:
            for block in result.stream():
                out.write(block)

    def take_back(self) -> None:
        """Remove what was written: a failed job leaves no output."""
        for name in self._names:
            self._store.delete(self.uri + quote(name))

    def begin(self) -> None:
        """Until the new list is written, no older one must make the folder look whole."""
        self._store.delete(self.uri + OUTPUT_LIST)

    def finish(self, listing: bytes) -> None:
        self._store.put(self.uri + OUTPUT_LIST, listing)

    def _claim(self, name: str) -> str:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts or name == OUTPUT_LIST:
            msg = f"Output name {name!r} is not allowed: relative, without '..', and not {OUTPUT_LIST!r}."
            raise EngineError(msg)
        if name in self._taken:
            msg = f"Output name {name!r} is written twice. Give each file its own name."
            raise EngineError(msg)
        self._names.add(name)
        self._taken.add(name)
        return self.uri + quote(name)
