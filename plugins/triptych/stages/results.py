"""What an assembler sees of the committed results: each under a name that no other file of the job has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from triptych.errors import EngineError
from triptych.jobs.workspace import ChunkEntry, Commit, Workspace
from triptych.storage import FileEntry, ObjectInfo, Store
from triptych.storage.copying import checked, save

OUTPUT_LIST = "output.json"
"""Ends the output: a destination without it is not whole."""


class ResultObject:
    """One file of one chunk's result (`triptych.engines.Result`); `uri` in `store` is where it lies."""

    def __init__(
        self, store: Store, uri: str, chunk: ChunkEntry, file: FileEntry, flat_name: str, scratch: Path
    ) -> None:
        """`scratch` is the folder for a local copy, under `flat_name`."""
        self.store = store
        self.uri = uri
        self.chunk = chunk.number
        self.chunk_name = chunk.name
        self.metadata: Mapping[str, Any] = chunk.metadata
        self.name = file.name
        self.label = f"chunk {chunk.number}, {file.name!r}"
        self.flat_name = flat_name
        self.size = file.size
        self.sha256 = file.sha256
        self._scratch = scratch

    def error(self, text: str) -> EngineError:
        """As `Input.error`."""
        return EngineError(f"{self.label}: {text}")

    def open(self) -> BinaryIO:
        """As `Input.open`."""
        return self.store.open(ObjectInfo(self.uri, self.size, self.store.stat(self.uri).etag))

    def stream(self) -> Iterator[bytes]:
        """As `Input.stream`, checked against what was committed."""
        blocks = self.store.stream(self.uri) if self.size else iter(())
        return checked(blocks, self.size, self.sha256, f"result {self.name!r} of chunk {self.chunk}")

    def local_path(self) -> Path:
        """As `Input.local_path`."""
        path = self._scratch / self.flat_name
        if not path.exists():
            save(self.stream(), path)
        return path


def read_results(
    workspace: Workspace, chunks: Iterable[ChunkEntry], commits: Mapping[int, Commit], scratch: Path
) -> list[ResultObject]:
    """Every committed file of these chunks as the assembler sees it, by chunk number, then name."""
    rows = [
        (chunk, commits[chunk.number], file)
        for chunk in chunks
        if chunk.number in commits
        for file in commits[chunk.number].files
    ]
    flat = flat_names([(chunk.number, file.name) for chunk, _, file in rows])
    return [
        ResultObject(
            workspace.store,
            workspace.result_uri(chunk.number, commit.attempt, file.name),
            chunk,
            file,
            name,
            scratch,
        )
        for (chunk, commit, file), name in zip(rows, flat, strict=True)
    ]


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
