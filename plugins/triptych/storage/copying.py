"""Moving bytes between stores and local files: in blocks, counted, hashed, and checked where the truth is known."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import monotonic

from triptych.errors import IntegrityError
from triptych.harmless import harmless_logger
from triptych.storage.base import BLOCK_BYTES, FileEntry, Store, Writer
from triptych.storage.digests import Sha256

_log = harmless_logger(__name__)

MIB = 1 << 20
TOLD_EACH_S = 30.0


class Progress:
    """A line in the log, every half minute, on a transfer that takes so long: who waits for it sees it move."""

    def __init__(self, label: str, size: int | None = None) -> None:
        """`size` is that of all, where it is known."""
        self._label = label
        self._of = "" if size is None else f" of {size / MIB:,.0f}"
        self._seen = self._seen_then = 0
        self._then = monotonic()

    def count(self, length: int) -> None:
        """So many more bytes were moved."""
        self._seen += length
        passed_s = monotonic() - self._then
        if passed_s >= TOLD_EACH_S:
            speed = (self._seen - self._seen_then) / MIB / passed_s
            _log.info("%s: %s%s MiB so far, %.1f MiB/s.", self._label, f"{self._seen / MIB:,.0f}", self._of, speed)
            self._seen_then, self._then = self._seen, monotonic()


class HashingWriter:
    """Passes blocks on and keeps count: `size` in bytes and `sha256` in hex are those of all that was written."""

    def __init__(self, out: Writer, label: str = "") -> None:
        """`label` is what the log calls it when it takes long; empty: nothing is said."""
        self._out = out
        self._progress = Progress(label) if label else None
        self._digest = Sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, data: bytes, /) -> int:
        self.count(data)
        self._out.write(data)
        return len(data)

    def count(self, data: bytes) -> None:
        """These bytes go on by another way."""
        self._digest.update(data)
        self.size += len(data)
        if self._progress is not None:
            self._progress.count(len(data))


def checked(blocks: Iterable[bytes], size: int | None, sha256: str | None, label: str) -> Iterator[bytes]:
    """Pass the blocks on; IntegrityError after the last unless all have this size and digest, where these are given.

    What goes on beyond its size is not read to its end. The log tells how far a long one is.
    """
    digest, seen, progress = Sha256(), 0, Progress(label, size)
    for block in blocks:
        progress.count(len(block))
        seen += len(block)
        if size is not None and seen > size:
            break
        if sha256 is not None:
            digest.update(block)
        yield block
    if size not in (None, seen) or (sha256 is not None and digest.hexdigest() != sha256):
        expected = "" if size is None else f" ({size} bytes)"
        msg = f"{label}: {seen} bytes with another SHA-256 or size than committed{expected}."
        raise IntegrityError(msg)


def behind(blocks: Iterable[bytes], first: int, least: int = 0) -> Iterator[bytes]:
    """The bytes from `first` on; `least` of them, or all that there are, come as one block in the beginning."""
    found, held = iter(blocks), b""
    for block in found:
        held += block[first:]
        first = max(0, first - len(block))
        if not first and len(held) >= least:
            break
    if held:
        yield held
    yield from found


def save(blocks: Iterable[bytes], path: Path) -> None:
    """Write the blocks to a local file, which is replaced when it exists, and partial when the blocks raise."""
    with path.open("wb") as out:
        for block in blocks:
            out.write(block)


def copy_stream(blocks: Iterable[bytes], store: Store, uri: str) -> FileEntry:
    """Write the blocks to `uri`, which becomes visible whole or not at all; the entry's name is the URI."""
    with store.writer(uri) as out:
        hashing = HashingWriter(out, uri)
        for block in blocks:
            hashing.write(block)
    return FileEntry(uri, hashing.size, hashing.sha256)


def file_blocks(path: Path) -> Iterator[bytes]:
    """A local file's bytes, in blocks of BLOCK_BYTES; OSError where the name itself is a link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as source:
        while block := source.read(BLOCK_BYTES):
            yield block


def file_range(path: Path, offset: int, length: int) -> Iterator[bytes]:
    """`length` bytes of a local file from `offset`, fewer where it ends, in blocks of BLOCK_BYTES."""
    with path.open("rb") as source:
        source.seek(offset)
        while length > 0 and (block := source.read(min(BLOCK_BYTES, length))):
            length -= len(block)
            yield block


def sha256_of(blocks: Iterable[bytes]) -> str:
    """The digest of all the blocks, in hex."""
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()
