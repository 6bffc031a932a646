"""The results of cacheable apps, kept in the workspace for later jobs of the same DAG.

    _cache/<dag>/contexts/<written>_<context>.json                  what the context is, for people
    _cache/<dag>/entries/<context>/<written>-<token>/<n>            results: small ones together, large ones alone
    _cache/<dag>/entries/<context>/<written>-<token>/<digits>.json  an index: which of them are those of which bytes

The name of an index is made of the first digits of each digest in it. So one listing tells which index to read, and
many results take one request. Nothing here is ever replaced: all is written under names of chance, and an index after
what it names.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from triptych.errors import IntegrityError, ObjectConflictError, ObjectNotFoundError, StorageError
from triptych.harmless import harmless_logger
from triptych.jobs.cache_key import CacheContext
from triptych.jobs.pack_log import ResultFile
from triptych.jobs.records import read_record
from triptych.jobs.workspace import Workspace
from triptych.storage import Store
from triptych.storage.copying import checked

DIGITS = 6
"""Of each chunk's SHA-256 in the name of its index: of 100,000 kept chunks, one in 170 lookups reads one in vain."""
MOST_ENTRIES = 40
"""Of an index: its name is a file's, of at most 255 letters."""
WINDOW_BYTES = 8 << 20
SMALL_BYTES = 1 << 20
"""Files up to this size are read with those that lie behind them, so many bytes at once."""
_WRITTEN = re.compile(r"(\d{8}T\d{6}\.\d{3})Z[-_]")
_INDEX = re.compile(rf"((?:[0-9a-f]{{{DIGITS}}})+)\.json")
_log = harmless_logger(__name__)
_OBJECT = re.compile(r"\d{1,9}")


@dataclass(frozen=True)
class CachedResult:
    """The files that an app made of the bytes with this SHA-256; their objects lie in the folder of the index."""

    sha256: str
    files: tuple[ResultFile, ...]


@dataclass(frozen=True)
class Index:
    """What one attempt of `run` kept together."""

    run: str
    entries: tuple[CachedResult, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Index:
        """As its object holds it; ValueError for files that lie anywhere else."""
        entries = [
            CachedResult(entry["sha256"], tuple(ResultFile(**file) for file in entry["files"]))
            for entry in data["entries"]
        ]
        for file in (file for entry in entries for file in entry.files):
            if not _OBJECT.fullmatch(file.object):
                msg = f"{file.object!r} is no object of a cache"
                raise ValueError(msg)
        return cls(data["run"], tuple(entries))


@dataclass(frozen=True)
class CachedFile:
    """One file of a kept result, in the shape of what a script left."""

    cache: ResultCache
    folder: str
    file: ResultFile

    @property
    def name(self) -> str:
        return self.file.name

    @property
    def size(self) -> int:
        return self.file.size

    def blocks(self) -> Iterator[bytes]:
        """Its bytes; IntegrityError after the last where they are not those that were kept."""
        return self.cache.blocks(self.folder, self.file)


@dataclass(frozen=True)
class Found:
    """A kept result of a chunk's bytes: whose it was, and its files."""

    run: str
    files: Sequence[CachedFile]


class ResultCache:
    """What is kept of one DAG's results, as one attempt sees it: by a listing made once, and indices read once."""

    def __init__(self, store: Store, root: str, context: CacheContext) -> None:
        """`root` is the DAG's part of the cache."""
        self.store = store
        self.place = Workspace(store, root)
        self._context = context
        self.name = context.name
        self._listed: list[str] | None = None
        self._indices: dict[str, Index] = {}
        self._window: tuple[str, int, bytes] = "", 0, b""
        self._is_described = False
        self._broken: list[str] = []

    def indices(self, context: str) -> list[str]:
        """The indices of a context, the newest first: one listing."""
        names = self.place.names(f"entries/{context}/")
        return [name for name in reversed(names) if _INDEX.fullmatch(name.rpartition("/")[2])]

    def contexts(self) -> list[str]:
        """The names of all contexts that something was kept of, the newest first: one listing."""
        names = [name.rpartition("/")[2].removesuffix(".json") for name in self.place.names("contexts/")]
        return list(dict.fromkeys(name.partition("_")[2] for name in sorted(names, reverse=True)))

    def look(self) -> list[str]:
        """The indices of our context, as they were when this was first called."""
        if self._listed is None:
            self._listed = self.indices(self.name)
        return self._listed

    def find(self, sha256: str) -> Iterator[Found]:
        """What was kept of these bytes, the newest first."""
        for name in self.look():
            if sha256[:DIGITS] in digits_of(name):
                index = self._index(name)
                folder = name.rpartition("/")[0]
                for entry in index.entries:
                    if entry.sha256 == sha256:
                        yield Found(index.run, [CachedFile(self, folder, file) for file in entry.files])

    def is_broken(self, sha256: str) -> bool:
        """Whether an index that could not be read may have told of these bytes."""
        return any(sha256[:DIGITS] in digits_of(name) for name in self._broken)

    def _index(self, name: str) -> Index:
        """The index, with nothing in it where its object is none, or gone."""
        if name not in self._indices:
            uri = self.place.uri(name)
            try:
                self._indices[name] = read_record(self.store.read(uri), uri, Index.from_json)
            except (IntegrityError, ObjectNotFoundError) as error:
                _log.warning("What it tells of is run again: %s", error)
                self._indices[name] = Index("", ())
                self._broken.append(name)
        return self._indices[name]

    def blocks(self, folder: str, file: ResultFile) -> Iterator[bytes]:
        """The bytes of a kept file; IntegrityError where they cannot be had, after the last where they are others."""
        uri = self.place.uri(f"{folder}/{file.object}")
        try:
            yield from checked(self._raw(uri, file), file.size, file.sha256, f"{uri}: {file.name!r}")
        except StorageError as error:
            raise IntegrityError(str(error)) from error

    def _raw(self, uri: str, file: ResultFile) -> Iterator[bytes]:
        if not file.size:
            return
        if file.offset is None or file.size > SMALL_BYTES:
            yield from self.store.stream(uri, file.offset or 0, file.size)
            return
        held, start, data = self._window
        if held != uri or file.offset < start or file.offset + file.size > start + len(data):
            start, data = file.offset, self.store.read_range(uri, file.offset, WINDOW_BYTES)
            self._window = uri, start, data
        yield data[file.offset - start :][: file.size]

    def new_folder(self) -> str:
        """A place for results that one attempt keeps together; its context is described where it is new, too."""
        if not self.look() and not self._is_described:
            self.place.store.put(self.place.uri(f"contexts/{_now()}_{self.name}.json"), self._context.to_json())
            self._is_described = True
        return f"entries/{self.name}/{_now()}-{secrets.token_hex(8)}"

    def copy(self, source: str, size: int, name: str) -> None:
        """Keep an object of the workspace under this name; where the store can, its bytes do not pass through here."""
        uri = self.place.uri(name)
        staged = self.store.stage_copy(source, size, uri, f"{uri}.part")
        with suppress(ObjectConflictError):  # By our own release, whose answer was lost: the name is of chance.
            self.store.release(staged, None)

    def tell(self, folder: str, run: str, results: Sequence[CachedResult]) -> None:
        """Write the indices of a folder, when all that they name is there: from now on the results can be found."""
        for start in range(0, len(results), MOST_ENTRIES):
            part = results[start : start + MOST_ENTRIES]
            name = "".join(result.sha256[:DIGITS] for result in part)
            self.place.put_json(f"{folder}/{name}.json", {"run": run, "entries": [asdict(each) for each in part]})


def digits_of(name: str) -> set[str]:
    """`.../aaaaaabbbbbb.json` -> {"aaaaaa", "bbbbbb"}."""
    match = _INDEX.fullmatch(name.rpartition("/")[2])
    text = match[1] if match else ""
    return {text[start : start + DIGITS] for start in range(0, len(text), DIGITS)}


def written(name: str) -> float | None:
    """When a folder of results, or what describes a context, was made by its name: seconds since the epoch, or None."""
    match = _WRITTEN.match(name)
    if match:
        with suppress(ValueError):
            return datetime.strptime(f"{match[1]}+0000", "%Y%m%dT%H%M%S.%f%z").timestamp()
    return None


def _now() -> str:
    """As names begin, so that they sort by time: `20261126T090000.123Z`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"[:-3] + "Z"
