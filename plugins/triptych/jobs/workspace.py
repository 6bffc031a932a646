"""The job's staging area: what lies where, and the commits that decide which result counts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from triptych.errors import IntegrityError, ObjectNotFoundError
from triptych.storage import FileEntry, Store


@dataclass(frozen=True)
class ByteRange:
    """`length` bytes from `offset` of one version (`etag`) of the job's source number `source`."""

    source: int
    offset: int
    length: int


@dataclass(frozen=True)
class ChunkEntry:
    """One line of the chunk list. `size` counts all bytes of the chunk; `sha256` is None for range chunks."""

    number: int
    name: str
    size: int
    sha256: str | None = None
    ranges: tuple[ByteRange, ...] | None = None
    prefix: str = ""
    """Bytes before the ranges, in base64."""
    items: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_line(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> ChunkEntry:
        data = json.loads(line)
        ranges = data.pop("ranges")
        return cls(**data, ranges=None if ranges is None else tuple(ByteRange(**r) for r in ranges))


@dataclass(frozen=True)
class Commit:
    """Says which attempt's files are the result of a chunk."""

    chunk: int
    attempt: str
    files: tuple[FileEntry, ...]
    seconds: float
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Commit:
        return cls(**{**data, "files": tuple(FileEntry(**item) for item in data["files"])})


class Workspace:
    """The objects of one job below `root`, in the layout of docs/explanation/workspace.md."""

    def __init__(self, store: Store, root: str) -> None:
        self.store = store
        self.root = root

    @property
    def job_uri(self) -> str:
        return f"{self.root}/job.json"

    @property
    def chunk_list_uri(self) -> str:
        return f"{self.root}/chunks.jsonl"

    @property
    def output_uri(self) -> str:
        return f"{self.root}/output.json"

    def chunk_uri(self, number: int) -> str:
        return f"{self.root}/chunks/{number}"

    def result_uri(self, number: int, attempt: str, name: str) -> str:
        return f"{self.root}/results/{number}/{quote(attempt)}/{quote(name)}"

    def commit_uri(self, number: int) -> str:
        return f"{self.root}/results/{number}.json"

    def error_uri(self, number: int) -> str:
        return f"{self.root}/errors/{number}.json"

    def read_json(self, uri: str) -> dict[str, Any] | None:
        """The object's JSON, or None when it is not there."""
        try:
            data: dict[str, Any] = json.loads(self.store.read(uri))
        except ObjectNotFoundError:
            return None
        return data

    def put_json(self, uri: str, data: Mapping[str, Any]) -> None:
        self.store.put(uri, json.dumps(data, ensure_ascii=False).encode())

    def chunks(self) -> Iterator[ChunkEntry]:
        """The chunk list as a stream, in order of number."""
        tail = b""
        for block in self.store.stream(self.chunk_list_uri):
            *lines, tail = (tail + block).split(b"\n")
            for line in lines:
                yield ChunkEntry.from_line(line)
        if tail:
            msg = f"{self.chunk_list_uri}: the last line is cut off. Clear the task `partition` to write it anew."
            raise IntegrityError(msg)

    def commit(self, commit: Commit) -> bool:
        """Make this attempt the chunk's result; False when another attempt was first."""
        data = json.dumps(asdict(commit), ensure_ascii=False).encode()
        return self.store.put_if_absent(self.commit_uri(commit.chunk), data)

    def read_commit(self, number: int) -> Commit | None:
        data = self.read_json(self.commit_uri(number))
        return Commit.from_json(data) if data else None

    def committed(self) -> set[int]:
        """Numbers of the chunks that have a commit, from one listing."""
        start = f"{self.root}/results/"
        # Decoded: a store's spelling of a URI may escape more than ours.
        names = (unquote(info.uri).removeprefix(unquote(start)) for info in self.store.list(start))
        return {
            int(name.removesuffix(".json"))
            for name in names
            if "/" not in name and name.removesuffix(".json").isdigit()
        }
