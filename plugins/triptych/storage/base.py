"""What every store can do, in terms of whole URIs; a store per scheme implements it."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

from triptych.errors import IntegrityError, ObjectConflictError, UnsupportedError

BLOCK_BYTES = 1024 * 1024
"""What is read and written at once."""
SMALL_BYTES = 64 << 20
"""Most of an object that is read whole: the log of a pack of 300,000 files. Who can write to a store may put anything
where one of ours belongs."""
LinkMethod = Literal["GET", "PUT"]
"""What a link is for: to read an object, or to write it."""


@dataclass(frozen=True)
class TransferLimits:
    """How stores move large objects: in parts of so many bytes, several at once within so much memory.

    That memory is one for all transfers of a process that name the same amount.
    """

    part_bytes: int
    memory_bytes: int


@dataclass(frozen=True)
class FileEntry:
    """One file of a result or an output: `name` is relative, with `/`; `size` in bytes; `sha256` in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class ObjectInfo:
    """One object: `size` in bytes; `etag` changes whenever the content does.

    `modified` is when that was last, in seconds since the epoch by the store's clock; None where nobody asked.
    """

    uri: str
    size: int
    etag: str
    modified: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class StagedObject:
    """A whole object that waits, and is not at `uri` until it is released there; any process can release it.

    `handle` is the id of an upload that was not completed, whose `parts` have these etags, or the URI where the bytes
    lie aside. `etag` is what the object will have at `uri`; None where only the store can tell.
    """

    uri: str
    size: int
    handle: str
    etag: str | None = None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class WaitingUpload(StagedObject):
    """An upload that was not completed, and when it was begun, by the store's clock; None where the store forgets."""

    begun: float | None = None


class Writer(Protocol):
    """A stream into one object that becomes visible, whole, when its context ends without an error."""

    def write(self, data: bytes, /) -> int: ...


class Stage(Writer, Protocol):
    """A stream into an object that is to wait; when its context has ended without an error, `staged` is the object."""

    def copy(self, source: str, begin: int, end: int, blocks: Iterable[bytes]) -> None:
        """As if `blocks` were written, which are the bytes [begin, end) of an object of a store that it `copies_from`.

        All of them are asked for, whatever becomes of them: the store copies what it can by itself, and the others are
        sent.
        """

    @property
    def staged(self) -> StagedObject: ...


class Store(ABC):
    """One scheme with one connection. URIs are absolute; `/` at the end marks a prefix.

    All raise ObjectNotFoundError for a missing object, StorageAccessError when refused, StorageError otherwise.
    """

    uploads_wait: ClassVar[bool]
    """Whether what is staged waits as an upload to its final URI; else it lies aside, where the caller says."""
    discards: ClassVar[bool] = True
    """Whether `discard` takes room back at once; else the store does it by itself, in time."""
    lists: ClassVar[bool] = True
    """Whether it knows prefixes and globs; else each URI is one object, whatever characters it holds."""

    @property
    @abstractmethod
    def one_put_bytes(self) -> int:
        """Objects up to this size are better kept in memory and put at once than staged; 0: none."""

    @abstractmethod
    def stat(self, uri: str) -> ObjectInfo:
        """Size and version of one object; a folder is none (ObjectNotFoundError)."""

    @abstractmethod
    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object whose URI starts with `prefix` (recursive), and when it was written; nothing when there is none.

        In the store's order: not every S3 server lists by key.
        """

    @abstractmethod
    def stream(self, uri: str, offset: int = 0, length: int | None = None, etag: str | None = None) -> Iterator[bytes]:
        """The bytes from `offset`, `length` of them or to the end, in blocks of about BLOCK_BYTES.

        With `etag`, SourceError when the object is not that version any more.
        """

    @abstractmethod
    def writer(self, uri: str) -> AbstractContextManager[Writer]:
        """Write (or replace) one object as a stream, in bounded memory; an exception leaves nothing visible."""

    @abstractmethod
    def delete(self, uri: str) -> None:
        """Remove one object; no error when it is not there."""

    @abstractmethod
    def stage(self, uri: str, aside: str) -> AbstractContextManager[Stage]:
        """Write an object that waits for its release at `uri`; an exception leaves nothing of it.

        `aside` is a free URI of this store for bytes that cannot wait as an upload.
        """

    @abstractmethod
    def stage_copy(self, source: str, size: int, uri: str, aside: str) -> StagedObject:
        """As `stage`, with the `size` bytes of an object of a store that this one `copies_from`.

        They do not pass through this process.
        """

    def copies_from(self, other: Store) -> bool:
        """Whether `stage_copy` takes objects of this store: its own."""
        return other is self

    @abstractmethod
    def release(self, staged: StagedObject, replaces: str | None) -> str:
        """Make it the object at its URI, where the one of etag `replaces` is, or none (None); its etag there.

        ObjectConflictError, and nothing changed, when another is there: atomically so where the store has such a
        condition. ObjectNotFoundError when nothing waits under this handle any more.
        """

    @abstractmethod
    def discard(self, staged: StagedObject) -> None:
        """Drop what waits and take its room back, if the store can (`discards`); no error when it is gone."""

    @abstractmethod
    def waiting(self, uri: str) -> Sequence[WaitingUpload]:
        """Uploads to exactly this URI that were not completed, whoever began them; sizes are 0, parts unknown.

        Of a URI that ends in `/`: uploads to all that lies below it.
        """

    @abstractmethod
    def put_replacing(self, uri: str, data: bytes, replaces: str | None) -> str:
        """Write a small object where the one of etag `replaces` is, or none (None); its etag there, or conflicts."""

    @abstractmethod
    def delete_version(self, uri: str, etag: str) -> None:
        """Remove the object if it is still this version; nothing happens to another one, or when it is gone."""

    @abstractmethod
    def check_writable(self, prefix: str) -> None:
        """Raise what a write below this prefix, which ends in `/`, would raise; nothing is there afterwards.

        No right is wanted but that to write, and no more than one request is made.
        """

    def signed_url(self, uri: str, method: LinkMethod, expires_s: int) -> str:
        """A URL by which anybody reads (`GET`) or writes (`PUT`) this one object, without a header, for `expires_s`.

        Nobody looks whether the object is there. Who writes on Azure sends `x-ms-blob-type: BlockBlob`. Whoever has
        the URL has the right: it belongs into no log. UnsupportedError where nothing signs it, or not for so long.
        """
        msg = f"{uri}: no link can be made to it, for {method} or else: only s3://, gs:// and abfs:// have such."
        raise UnsupportedError(msg)

    def prune(self, prefix: str) -> None:
        """Remove folders below the prefix, which ends in `/`, in which nothing lies: most stores have none."""
        return

    def put_if_absent(self, uri: str, data: bytes) -> bool:
        """Create the object atomically; False when it exists already. Of many racers exactly one gets True.

        By `put_replacing`: a store overrides this where that writes without a condition, or has a better one.
        """
        try:
            self.put_replacing(uri, data, None)
        except ObjectConflictError:
            return False
        return True

    def read_range(self, uri: str, offset: int, length: int, etag: str | None = None) -> bytes:
        """`length` bytes from `offset` in memory, fewer where the object ends; else as `stream`."""
        return b"".join(self.stream(uri, offset, length, etag))

    def read(self, uri: str, most_bytes: int = SMALL_BYTES) -> bytes:
        """A small object whole, in memory; IntegrityError, with no more in memory, when it has more bytes than that."""
        return b"".join(bounded(self.stream(uri), most_bytes, uri))

    def put(self, uri: str, data: bytes) -> None:
        """Write (or replace) a small object that is in memory."""
        with self.writer(uri) as out:
            out.write(data)

    def open(self, info: ObjectInfo) -> io.BufferedReader:
        """A seekable reader that asks the store for ranges only."""
        return io.BufferedReader(RangeReader(self, info), BLOCK_BYTES)


def bounded(blocks: Iterable[bytes], most_bytes: int, label: str) -> Iterator[bytes]:
    """Pass the blocks on as long as they are no more than so many bytes together; IntegrityError beyond."""
    seen = 0
    for block in blocks:
        seen += len(block)
        if seen > most_bytes:
            msg = f"{label}: has more than {most_bytes >> 20} MiB, which nothing has that Triptych writes there."
            raise IntegrityError(msg)
        yield block


class RangeReader(io.RawIOBase):
    """Seekable raw stream over one version of one object."""

    def __init__(self, store: Store, info: ObjectInfo) -> None:
        self._store, self._info, self._position = store, info, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._info.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # typeshed: Buffer
        wanted = min(len(buffer), self._info.size - self._position)
        if wanted <= 0:
            return 0
        data = self._store.read_range(self._info.uri, self._position, wanted, self._info.etag)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
