"""Moving bytes between stores and local files, each checked against size and SHA-256."""

from __future__ import annotations

import base64
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from triptych.errors import ChunkError, SourceError
from triptych.jobs.job import Job, SourceEntry
from triptych.jobs.spec import Location
from triptych.jobs.workspace import ChunkEntry
from triptych.storage import FileEntry
from triptych.storage.copying import checked, copy_stream, file_blocks, save


class ChunkReader:
    """Reads chunks of one job: from the workspace, or as ranges of the sources."""

    def __init__(self, job: Job, sources: Sequence[SourceEntry]) -> None:
        self._job = job
        self._sources = sources

    def blocks(self, chunk: ChunkEntry) -> Iterator[bytes]:
        return checked(self._raw(chunk), chunk.size, chunk.sha256, f"chunk {chunk.number}")

    def _raw(self, chunk: ChunkEntry) -> Iterator[bytes]:
        if chunk.ranges is None:
            yield from self._job.workspace.store.stream(self._job.workspace.chunk_uri(chunk.number))
            return
        if chunk.prefix:
            yield base64.b64decode(chunk.prefix)
        for run in chunk.ranges:
            if run.length:
                source = self._sources[run.source]
                store = self._job.store(Location(source.uri, source.conn_id))
                yield from store.stream(source.uri, run.offset, run.length, source.etag)


class SourceObject:
    """A source for a `python` engine (`triptych.engines.Source`)."""

    def __init__(self, job: Job, entry: SourceEntry, index: int, path: str, scratch: Path) -> None:
        self._store = job.store(Location(entry.uri, entry.conn_id))
        self._entry = entry
        self._scratch = scratch
        self.index = index
        self.path = path
        self.uri = self.label = entry.uri
        self.size = entry.size
        self.name = plain_name(entry.uri)

    def open(self) -> BinaryIO:
        self._check()
        return self._store.open(self._store.stat(self.uri))

    def stream(self) -> Iterator[bytes]:
        if self.size == 0:
            return iter(())
        return self._store.stream(self.uri, etag=self._entry.etag)

    def local_path(self) -> Path:
        path = self._scratch / f"{self.index}_{self.name}"
        if not path.exists():
            save(checked(self.stream(), self.size, None, self.uri), path)
        return path

    def error(self, text: str) -> SourceError:
        return SourceError(f"{self.label}: {text}")

    def _check(self) -> None:
        if self._store.stat(self.uri).etag != self._entry.etag:
            text = "the source changed after the job started. Launch the job again."
            raise self.error(text)


def distinct_paths(uris: Sequence[str]) -> list[str]:
    """For each URI its last part, with the folders before it as far as URIs of one last part differ in them.

    `s3://b/in/a/t.wav`, `s3://b/in/b/t.wav`, `s3://b/in/c/u.wav` -> `a/t.wav`, `b/t.wav`, `u.wav`. A URI that is
    given twice gets its number in front.
    """
    groups: dict[str, list[int]] = {}
    for index, uri in enumerate(uris):
        groups.setdefault(plain_name(uri), []).append(index)
    paths = [plain_name(uri) for uri in uris]
    for name, indices in groups.items():
        folders = [_folders(uris[index]) for index in indices]
        shared = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, zip(*folders, strict=False)))
        for index, above in zip(indices, folders, strict=True):
            paths[index] = "/".join([*above[shared:], name])
    twice = {path for path, count in Counter(paths).items() if count > 1}
    return [f"{index:06d}_{path}" if path in twice else path for index, path in enumerate(paths)]


def _folders(uri: str) -> list[str]:
    """The host or bucket, and the folders, decoded, that lead to an object."""
    parts = urlsplit(uri.replace("#", "%23"))
    return [parts.netloc, *(plain_name(part) for part in parts.path.strip("/").split("/")[:-1])]


def plain_name(uri: str) -> str:
    """The last part of a URI, decoded, safe as a file name."""
    name = unquote(urlsplit(uri.replace("#", "%23")).path.rstrip("/").rsplit("/", 1)[-1])
    return name.replace("/", "_").replace("\0", "_") or "data.bin"


@dataclass(frozen=True)
class FoundFile:
    """A regular file that a container left: its path here and its name relative to the folder."""

    path: Path
    name: str
    size: int


def result_files(folder: Path, max_files: int, max_bytes: int, what: str) -> list[FoundFile]:
    """What a container wrote, by name. Links and special files are refused, counts and bytes are capped.

    Nothing here follows a link: the folder's content is untrusted.
    """
    found: list[FoundFile] = []
    total = 0
    for path in _below(folder):
        about = path.lstat()
        name = path.relative_to(folder).as_posix()
        if not stat.S_ISREG(about.st_mode):
            kind = "a link" if stat.S_ISLNK(about.st_mode) else "no regular file"
            msg = f"{what}: the result {name!r} is {kind}, which is refused. Write a copy of the file instead."
            raise ChunkError(msg)
        found.append(FoundFile(path, name, about.st_size))
        total += about.st_size
        if len(found) > max_files or total > max_bytes:
            msg = (
                f"{what}: more than {max_files} files or {max_bytes >> 30} GiB of results. Write fewer, or raise "
                "[triptych] max_result_files or max_result_gib."
            )
            raise ChunkError(msg)
    return sorted(found, key=lambda file: file.name)


def _below(folder: Path) -> Iterator[Path]:
    """Everything but folders; os.walk lists a link to a folder among the folders, and does not enter it."""
    for parent, folders, files in os.walk(folder):
        for name in [*files, *(name for name in folders if Path(parent, name).is_symlink())]:
            yield Path(parent, name)


def upload(files: Sequence[FoundFile], job: Job, number: int, attempt: str) -> tuple[FileEntry, ...]:
    """Store a chunk's result files under its attempt, several at once."""
    from concurrent.futures import ThreadPoolExecutor

    def send(file: FoundFile) -> FileEntry:
        uri = job.workspace.result_uri(number, attempt, file.name)
        sent = copy_stream(file_blocks(file.path), job.workspace.store, uri)
        return FileEntry(file.name, sent.size, sent.sha256)

    if len(files) < 2:
        return tuple(send(file) for file in files)
    with ThreadPoolExecutor(job.settings.transfer_parallelism) as pool:
        return tuple(pool.map(send, files))
