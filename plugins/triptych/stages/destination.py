"""The output: files written one by one, which count when their list is there, or are taken back together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from triptych.engines import Result
from triptych.errors import EngineError, IntegrityError
from triptych.stages.results import OUTPUT_LIST, ResultObject
from triptych.storage import FileEntry, Store, Writer
from triptych.storage.copying import HashingWriter, file_blocks


class Destination:
    """The output's files (`triptych.engines.Output`), in one store below one URI."""

    def __init__(self, uri: str, store: Store) -> None:
        """`uri` ends in `/`."""
        self.uri = uri
        self.files: list[FileEntry] = []
        self._store = store
        self._begun: set[str] = set()
        self._taken: set[str] = set()

    def begin(self) -> None:
        """Until the new list is written, no older one must make the folder look whole."""
        self._store.delete(self.uri + OUTPUT_LIST)

    def commit(self, listing: bytes) -> None:
        """Write the list, which makes the output whole."""
        self._store.put(self.uri + OUTPUT_LIST, listing)

    def rollback(self) -> None:
        """Remove what was written: a failed job leaves no output."""
        for name in self._begun:
            self._store.delete(self.uri + quote(name))

    @contextmanager
    def open(self, name: str) -> Iterator[Writer]:
        """As `Output.open`."""
        with self._claimed(name) as target:
            with self._store.writer(target) as out:
                hashing = HashingWriter(out)
                yield hashing
            self.files.append(FileEntry(name, hashing.size, hashing.sha256))

    def put_file(self, path: Path, name: str) -> None:
        """As `Output.put_file`; OSError where `path` is a link."""
        with self.open(name) as out:
            for block in file_blocks(path):
                out.write(block)

    def copy(self, result: Result, name: str) -> None:
        """As `Output.copy`: the store copies by itself when the result lies in it, too."""
        if not isinstance(result, ResultObject) or not result.is_object or result.store is not self._store:
            with self.open(name) as out:
                for block in result.stream():
                    out.write(block)
            return
        with self._claimed(name) as target:
            self._store.copy(result.uri, target, result.size)
            size = self._store.stat(target).size
            if size != result.size:
                self._store.delete(target)
                msg = f"{target}: the store's copy of {result.label} has {size} bytes and not {result.size}."
                raise IntegrityError(msg)
            self.files.append(FileEntry(name, result.size, result.sha256))

    @contextmanager
    def _claimed(self, name: str) -> Iterator[str]:
        """The URI of a name that is free, and is free again when the context ends with an error."""
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts or name == OUTPUT_LIST:
            msg = f"Output name {name!r} is not allowed: relative, without '..', and not {OUTPUT_LIST!r}."
            raise EngineError(msg)
        if name in self._taken:
            msg = f"Output name {name!r} is written twice. Give each file its own name."
            raise EngineError(msg)
        self._begun.add(name)
        self._taken.add(name)
        try:
            yield self.uri + quote(name)
        except BaseException:
            self._taken.remove(name)
            raise
