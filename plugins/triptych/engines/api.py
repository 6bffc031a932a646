"""What a `python` engine sees: sources and chunks to partition, results and an output to assemble."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypedDict, Unpack

from triptych.errors import TriptychError
from triptych.storage.base import Writer


class Input(Protocol):
    """What a source and a result share: bytes under a name, and how messages speak of them."""

    @property
    def name(self) -> str:
        """A source's is the last part of its URI, decoded; a result's the path that the app wrote, with `/`."""

    @property
    def label(self) -> str:
        """How messages call it: a source's URI, a result's chunk and name."""

    @property
    def size(self) -> int:
        """In bytes, as it was when the job pinned or committed it."""

    def open(self) -> BinaryIO:
        """A new seekable stream that reads ranges; close it when done."""

    def stream(self) -> Iterator[bytes]:
        """All bytes once, in order, in blocks; faster than `open` for a full scan.

        A result's are checked against size and SHA-256 at the end (IntegrityError).
        """

    def local_path(self) -> Path:
        """The object as a local file of the job's own: copied once, only when asked."""

    def error(self, text: str) -> TriptychError:
        """`label: text` as the error to raise: SourceError of a source, EngineError of a result.

        `text` says what is wrong and what to do next.
        """


class Source(Input, Protocol):
    """One object of the job's data source."""

    @property
    def index(self) -> int:
        """Its number among the job's sources, from 0."""

    @property
    def path(self) -> str:
        """Unique among the job's sources: the name, with folders as far as sources of one name differ in them."""

    @property
    def relative_path(self) -> str:
        """Unique, too: its path below the folder or glob that the job named, where it named one; else `path`."""

    @property
    def uri(self) -> str:
        """Where the object lies, as the job names it; its connection is not in it."""


@dataclass(frozen=True)
class SourceRange:
    """`length` bytes from `offset` of the source with this index."""

    source: int
    offset: int
    length: int


class Description(TypedDict, total=False):
    """What a chunk may be told besides its content; see `Chunk`."""

    name: str | None
    items: int | None
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Chunk:
    """One unit of fan-out; exactly one of `data`, `path`, `ranges` holds its content.

    `name` is what the app sees as CHUNK_NAME; `items` counts records, rows or files where that makes sense;
    `metadata` is small JSON (position, time span, key) for the app's and the assembler's use.
    """

    name: str | None = None
    data: bytes | None = None
    path: Path | None = None
    ranges: tuple[SourceRange, ...] | None = None
    prefix: bytes = b""
    items: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_bytes(cls, data: bytes, **described: Unpack[Description]) -> Chunk:
        """Bytes that are in memory; they are stored in the workspace."""
        return cls(data=data, **described)

    @classmethod
    def of_file(cls, path: Path, **described: Unpack[Description]) -> Chunk:
        """`path`, in the scratch folder, may be removed, but not written to, once the generator is resumed."""
        return cls(path=path, **described)

    @classmethod
    def of_ranges(
        cls, source: Source, ranges: Iterable[tuple[int, int]], prefix: bytes = b"", **described: Unpack[Description]
    ) -> Chunk:
        """`prefix`, then (offset, length) runs of one source, back to back. Nothing is copied."""
        runs = tuple(SourceRange(source.index, offset, length) for offset, length in ranges)
        return cls(ranges=runs, prefix=prefix, **described)

    @classmethod
    def of_sources(cls, sources: Iterable[Source], **described: Unpack[Description]) -> Chunk:
        """Several whole sources back to back."""
        return cls(ranges=tuple(SourceRange(s.index, 0, s.size) for s in sources), **described)


class Result(Input, Protocol):
    """One file that one chunk produced. Results come ordered by chunk number, then by name.

    `name` is unique only within its chunk.
    """

    @property
    def chunk(self) -> int:
        """The number of the chunk that left it, from 0."""

    @property
    def chunk_name(self) -> str:
        """The name that the partitioner gave that chunk, as its app saw it."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The chunk's metadata, from the partitioner."""

    @property
    def flat_name(self) -> str:
        """Unique in the whole job and without `/`: the plain file name unless two collide (`000003_output.png`)."""

    @property
    def sha256(self) -> str:
        """In hex, as it was when the chunk was committed."""


class OutputWriter(Writer, Protocol):
    """One file of the output, as it is written."""

    def append(self, item: Input, first: int = 0, prefix: bytes = b"") -> bytes:
        """The bytes of a result from `first` on, without `prefix` where they begin with it; the last one.

        As if each block of `stream` were written, of which all are read: a large one the store copies by itself where
        it can, so that it is not sent.
        """


class Output(Protocol):
    """The destination. Files become part of the output when their context ends; the whole when `assemble` returns."""

    def open(self, name: str) -> AbstractContextManager[OutputWriter]:
        """Stream one file; `name` is relative, with `/`. Two files of one name: EngineError.

        An error inside the context leaves no file, and the name free.
        """

    def put_file(self, path: Path, name: str) -> None:
        """A local file as one output file; for libraries that cannot write a stream."""

    def copy(self, result: Result, name: str) -> None:
        """One result as one output file; on the server's side where the store can."""
