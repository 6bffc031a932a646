"""The job's sources as a `python` partitioner sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from triptych.errors import SourceError
from triptych.jobs.sources import SourceEntry
from triptych.storage import Store, Stores
from triptych.storage.copying import checked, save


class SourceObject:
    """One object (`triptych.engines.Source`); a version other than the pinned one is SourceError."""

    def __init__(
        self, entry: SourceEntry, store: Store, index: int, path: str, relative_path: str, scratch: Path
    ) -> None:
        """`scratch` is the folder for local copies."""
        self._store = store
        self._entry = entry
        self._scratch = scratch
        self.index = index
        self.path = path
        self.relative_path = relative_path
        self.uri = self.label = entry.uri
        self.size = entry.size
        self.name = plain_name(entry.uri)

    def open(self) -> BinaryIO:
        """As `Input.open`."""
        info = self._store.stat(self.uri)
        if info.etag != self._entry.etag:
            text = "the source changed after the job started. Launch the job again."
            raise self.error(text)
        return self._store.open(info)

    def stream(self) -> Iterator[bytes]:
        """As `Input.stream`."""
        if self.size == 0:
            return iter(())
        return self._store.stream(self.uri, etag=self._entry.etag)

    def local_path(self) -> Path:
        """As `Input.local_path`."""
        path = self._scratch / f"{self.index}_{self.name}"
        if not path.exists():
            save(checked(self.stream(), self.size, None, self.uri), path)
        return path

    def error(self, text: str) -> SourceError:
        """As `Input.error`."""
        return SourceError(f"{self.label}: {text}")


class NoInput:
    """The one empty source of a job without input, so that a replicating partitioner yields its chunks."""

    index = 0
    name = path = relative_path = "data.bin"
    uri = label = "none:"
    size = 0

    def __init__(self, scratch: Path) -> None:
        self._path = scratch / "no-input"
        self._path.touch()

    def open(self) -> BinaryIO:
        """An empty stream."""
        return self._path.open("rb")

    def stream(self) -> Iterator[bytes]:
        """No block at all."""
        return iter(())

    def local_path(self) -> Path:
        """An empty file."""
        return self._path

    def error(self, text: str) -> SourceError:
        """As `Input.error`; there is no label that a user would know."""
        return SourceError(f"The job has no source: {text}")


def engine_sources(entries: Sequence[SourceEntry], stores: Stores, scratch: Path) -> list[SourceObject | NoInput]:
    """The sources as engines see them; one empty one when the job has none. Their copies lie below `scratch`."""
    folder = scratch / "sources"
    folder.mkdir()
    if not entries:
        return [NoInput(scratch)]
    paths = distinct_paths([entry.uri for entry in entries])
    relative = relative_paths([entry.below for entry in entries], paths)
    return [
        SourceObject(entry, stores.open(entry.uri, entry.conn_id, entry.service), index, path, below, folder)
        for index, (entry, path, below) in enumerate(zip(entries, paths, relative, strict=True))
    ]


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
    return _numbered(paths)


def relative_paths(below: Sequence[str], paths: Sequence[str]) -> list[str]:
    """The ends of URIs, decoded, each part safe as a file's name, and the path where there is none.

    `2024/a%20b.png`, `` and `b.png`, `b.png` -> `2024/a b.png`, `b.png`. What is there twice gets its number in front.
    """
    return _numbered([_decoded(end) or path for end, path in zip(below, paths, strict=True)])


def _decoded(end: str) -> str:
    parts = [unquote(part).replace("/", "_").replace("\0", "_") for part in end.split("/") if part]
    return "/".join("_" if part in (".", "..") else part for part in parts)


def _numbered(paths: Sequence[str]) -> list[str]:
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
