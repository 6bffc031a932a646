"""Whole objects on local disk, for servers that know no ranges, or not how long what they send is."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock

from triptych.errors import SourceError, StorageError
from triptych.storage.base import BLOCK_BYTES
from triptych.storage.http.answers import Version


class Spool:
    """One object's bytes in a file without a name, which is gone when nobody holds this any more."""

    def __init__(self, size: int, sha256: str, descriptor: int) -> None:
        """`descriptor` is this one's to close."""
        self.size = size
        self.sha256 = sha256
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)

    def blocks(self, offset: int, length: int | None) -> Iterator[bytes]:
        """`length` bytes from `offset`, or to the end; for any thread."""
        end = self.size if length is None else min(self.size, offset + length)
        while offset < end:
            block = os.pread(self._descriptor, min(BLOCK_BYTES, end - offset), offset)
            offset += len(block)
            yield block


class Spools:
    """The objects that one process has on disk, by URI and version; the oldest go where there would be too much."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """`folder` is that of temporary files; where there is none yet, it is the system's."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._kept: dict[tuple[str, Version], Spool] = {}
        self._lock = Lock()
        self._turns: dict[str, Lock] = {}

    def one_at_a_time(self, uri: str) -> AbstractContextManager[bool]:
        """The turn of one thread with this object."""
        with self._lock:
            return self._turns.setdefault(uri, Lock())

    def find(self, uri: str, version: Version | None) -> Spool | None:
        """The object, if it was kept; none where the version is not known."""
        with self._lock:
            return None if version is None else self._kept.get((uri, version))

    def keep(self, uri: str, version: Version, spool: Spool) -> None:
        """Have it for who asks next."""
        with self._lock:
            self._kept[uri, version] = spool
            while sum(each.size for each in self._kept.values()) > self._most_bytes:
                del self._kept[next(iter(self._kept))]

    def write(self, uri: str, blocks: Iterable[bytes]) -> Spool:
        """Bytes onto the disk; SourceError where they are more than one worker keeps, StorageError where it is full."""
        with tempfile.TemporaryFile(dir=self._folder if self._folder.is_dir() else None, buffering=0) as file:
            digest, size = hashlib.sha256(), 0
            for block in blocks:
                size += len(block)
                if size > self._most_bytes:
                    msg = (
                        f"{uri}: has more than {self._most_bytes >> 30} GiB, and its server sends it only as a whole. "
                        "An operator can allow more by [triptych] http_spool_gib; else copy it to a store first."
                    )
                    raise SourceError(msg)
                digest.update(block)
                _write(file, block, uri)
            return Spool(size, digest.hexdigest(), os.dup(file.fileno()))


def _write(file: io.FileIO, block: bytes, uri: str) -> None:
    try:
        while block:
            block = block[file.write(block) :]
    except OSError as error:
        msg = f"{uri}: cannot be kept in the folder for temporary files: {error.strerror}."
        raise StorageError(msg) from error
