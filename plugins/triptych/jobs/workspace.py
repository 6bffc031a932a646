"""The job's staging area: what lies where, and the commits that decide which result counts."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from triptych.errors import ConfigError, IntegrityError, ObjectNotFoundError
from triptych.settings import Settings
from triptych.storage import FileEntry, Store, Stores


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
        """As `chunks.jsonl` holds it, with the end of the line."""
        # Not asdict, which copies all of the metadata: two thirds of what a line takes.
        ranges = None if self.ranges is None else [vars(run) for run in self.ranges]
        data = {**vars(self), "ranges": ranges}
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> ChunkEntry:
        """What `to_line` wrote, with or without the end of the line."""
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
        """What `Workspace.commit` wrote."""
        return cls(**{**data, "files": tuple(FileEntry(**item) for item in data["files"])})


def workspace_root(settings: Settings, dag_id: str, run_id: str) -> str:
    """The URI below which all objects of one job lie; ConfigError when no workspace is configured."""
    if not settings.workspace:
        msg = (
            "No workspace is configured. Set AIRFLOW__TRIPTYCH__WORKSPACE to a URI that every worker can reach, "
            "e.g. s3://bucket/triptych or file:///shared/triptych."
        )
        raise ConfigError(msg)
    return f"{settings.workspace}/{quote(dag_id)}/{quote(run_id, safe='')}"


def open_workspace(settings: Settings, stores: Stores, dag_id: str, run_id: str) -> Workspace:
    """The workspace of one job, which need not have anything in it yet."""
    root = workspace_root(settings, dag_id, run_id)
    return Workspace(stores.open(root, settings.workspace_conn_id), root)


class Workspace:
    """The objects of one job below `root`, in the layout of docs/explanation/workspace.md."""

    def __init__(self, store: Store, root: str) -> None:
        self.store = store
        self.root = root

    @property
    def job_uri(self) -> str:
        """What the job is; written first, see `frozen`."""
        return f"{self.root}/job.json"

    @property
    def chunk_list_uri(self) -> str:
        """One line per chunk; being there says that `partition` is done."""
        return f"{self.root}/chunks.jsonl"

    @property
    def output_uri(self) -> str:
        """The output's list; being there says that the job is done."""
        return f"{self.root}/output.json"

    def chunk_uri(self, number: int) -> str:
        """The bytes of a chunk that is no range of sources."""
        return f"{self.root}/chunks/{number}"

    def result_uri(self, number: int, attempt: str, name: str) -> str:
        """One file that one attempt at a chunk left; an empty name is the prefix of them all."""
        return f"{self.root}/results/{number}/{quote(attempt)}/{quote(name)}"

    def commit_uri(self, number: int) -> str:
        """Which attempt's files are the chunk's result; written once."""
        return f"{self.root}/results/{number}.json"

    def error_uri(self, number: int) -> str:
        """Why the last attempt at a chunk failed; overwritten by the next."""
        return f"{self.root}/errors/{number}.json"

    def read_json(self, uri: str) -> dict[str, Any] | None:
        """The object's JSON, or None when it is not there."""
        try:
            data: dict[str, Any] = json.loads(self.store.read(uri))
        except ObjectNotFoundError:
            return None
        return data

    def put_json(self, uri: str, data: Mapping[str, Any]) -> None:
        """Write, or replace, a small object."""
        self.store.put(uri, json.dumps(data, ensure_ascii=False).encode())

    def chunks(self) -> Generator[ChunkEntry, None, None]:
        """The chunk list as a stream, in order of number; close it when done before its end."""
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
        if self.store.put_if_absent(self.commit_uri(commit.chunk), data):
            return True
        # Ours it may be all the same: a client whose answer was lost puts again, and is refused by its own object.
        winner = self.read_commit(commit.chunk)
        return winner is not None and winner.attempt == commit.attempt

    def read_commit(self, number: int) -> Commit | None:
        """The commit of this chunk; None while no attempt at it has succeeded."""
        data = self.read_json(self.commit_uri(number))
        return Commit.from_json(data) if data else None

    def is_cut(self) -> bool:
        """Whether the chunk list is there: `partition` writes it last."""
        try:
            self.store.stat(self.chunk_list_uri)
        except ObjectNotFoundError:
            return False
        return True

    def put_error(self, number: int, message: str) -> None:
        """Keep why the last attempt at a chunk failed, for `assemble` to tell."""
        self.put_json(self.error_uri(number), {"error": message})

    def read_error(self, number: int) -> str:
        """Why the last attempt at a chunk failed, as a sentence, also when none came to an end."""
        recorded = self.read_json(self.error_uri(number))
        return str(recorded["error"]) if recorded else f"Chunk {number}: never ran to an end; see its task's log."

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
