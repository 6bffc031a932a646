"""The job's staging area: what lies where. What counts of it, `plan` and `pack_log` say."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from triptych.errors import ConfigError, IntegrityError, StorageAccessError
from triptych.settings import Settings
from triptych.storage import FileEntry, Store, Stores
from triptych.storage.copying import checked
from triptych.storage.walls import TEMPORARY, workspace_folder


@dataclass(frozen=True)
class ByteRange:
    """`length` bytes from `offset` of one version (`etag`) of the job's source number `source`."""

    source: int
    offset: int
    length: int


@dataclass(frozen=True)
class ChunkEntry:
    """One line of the chunk list. `size` counts all bytes; `sha256` and `object` are None for range chunks."""

    number: int
    name: str
    size: int
    sha256: str | None = None
    object: str | None = None
    """Where in the workspace its bytes lie."""
    ranges: tuple[ByteRange, ...] | None = None
    prefix: str = ""
    """Bytes before the ranges, in base64."""
    items: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_line(self) -> bytes:
        """As the chunk list holds it, with the end of the line."""
        # Not asdict, which copies all of the metadata: two thirds of what a line takes.
        ranges = None if self.ranges is None else [vars(run) for run in self.ranges]
        data = {**vars(self), "ranges": ranges}
        return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> ChunkEntry:
        """What `to_line` wrote, with or without the end of the line."""
        try:
            data = json.loads(line.decode())  # As bytes, each would be looked at for its encoding.
            ranges = data.pop("ranges")
            return cls(**data, ranges=None if ranges is None else tuple(ByteRange(**r) for r in ranges))
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            msg = f"A line of the chunk list is no chunk ({type(error).__name__}: {error}). Launch the job anew."
            raise IntegrityError(msg) from error


MOST_LINE_BYTES = 64 << 20
"""Of the chunk list: a chunk's prefix, such as the header of its table, stands in it."""
_AT_A_LINES_END = 1 << 10
"""What a line may grow by when its source's number of parts is known."""
OUTPUTS = "outputs"
"""Where outputs of jobs without a destination lie."""
CACHE = "_cache"
"""Where results that other jobs may take lie."""
LOCKS = "_runs"
"""Where the locks of the runs of `triptych run` lie, in a workspace of files."""
API = "_api"
"""Where the Jobs API keeps drafts, and what it knows of API keys."""
HISTORY = "_history"
"""Where it stands how long the chunks of earlier jobs took."""
PUBLISHED = "_published"
"""Where the DAG processor puts what workers need of published templates."""
MARKS = "_doctor"
"""Where `triptych doctor` leaves who has looked at the workspace."""
WATCH = "_watch"
"""Where it is written which new files are which job's."""
BESIDE = (OUTPUTS, TEMPORARY, CACHE, LOCKS, API, HISTORY, PUBLISHED, MARKS, WATCH)
"""The folders of the workspace beside those of the DAGs: no template has such an id."""
_PLAIN = re.compile(r"(?!\.)[A-Za-z0-9_.~:+-]{1,200}(?<!\.)", re.ASCII)
"""Letters that Airflow's own ids are of; no name that a file system reads as another, hides, or cannot hold."""
_SHOWN_LETTERS = 60


def folder_name(identity: str) -> str:
    """Of a DAG's or a run's id the folder: the id itself where that is a plain name, as `manual__2026-11-24T09:30:00`.

    Of any other what is plain of its beginning, `=` and its SHA-256: `../x` -> `_x=4f1a...`. No plain name has a `=`:
    no two ids have one folder, and none leads out of the workspace. What Airflow lets callers choose is wider than it
    looks: `.`, a newline at the end, and whatever an operator's `allowed_run_id_pattern` adds.
    """
    if _PLAIN.fullmatch(identity):
        return identity
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", identity[:_SHOWN_LETTERS])
    return f"{plain}={hashlib.sha256(identity.encode('utf-8', 'surrogatepass')).hexdigest()}"


def workspace_uri(settings: Settings) -> str:
    """The URI of the whole workspace, without `/` at its end; ConfigError when none is configured."""
    if not settings.workspace:
        msg = (
            "No workspace is configured. Set AIRFLOW__TRIPTYCH__WORKSPACE to a URI that every worker can reach, "
            "e.g. s3://bucket/triptych or file:///shared/triptych."
        )
        raise ConfigError(msg)
    return settings.workspace


def workspace_root(settings: Settings, dag_id: str, run_id: str) -> str:
    """The URI below which all objects of one job lie; ConfigError when no workspace is configured."""
    if dag_id in BESIDE:
        msg = f"A template cannot have the id {dag_id!r}: a folder of that name lies in the workspace beside the jobs'."
        raise ConfigError(msg)
    return f"{workspace_uri(settings)}/{_folders(dag_id, run_id)}"


def output_root(settings: Settings, dag_id: str, run_id: str) -> str:
    """Where the output of a job without a destination goes: apart from what the run leaves, to be kept for longer."""
    return f"{settings.workspace}/{OUTPUTS}/{_folders(dag_id, run_id)}/"


def cache_root(settings: Settings, dag_id: str) -> str:
    """Where results of cacheable apps are kept for later jobs of the same DAG, and of no other."""
    return f"{settings.workspace}/{CACHE}/{quote(folder_name(dag_id), safe='')}"


def history_root(settings: Settings, dag_id: str) -> str:
    """Where it stands how long the chunks of this DAG's earlier jobs took."""
    return f"{workspace_uri(settings)}/{HISTORY}/{quote(folder_name(dag_id), safe='')}"


def _folders(dag_id: str, run_id: str) -> str:
    """As a part of a URI."""
    return f"{quote(folder_name(dag_id), safe='')}/{quote(folder_name(run_id), safe='')}"


def make_workspace(settings: Settings) -> None:
    """The folder of a workspace of files, for its owner alone; one that is there already keeps its mode.

    StorageAccessError where it cannot be made.
    """
    try:
        for folder in workspace_folder(settings):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        msg = f"[triptych] workspace = {settings.workspace}: {error.strerror}. Make the folder for the workers' user."
        raise StorageAccessError(msg) from error


def open_workspace(settings: Settings, stores: Stores, dag_id: str, run_id: str) -> Workspace:
    """The workspace of one job, which need not have anything in it yet."""
    root = workspace_root(settings, dag_id, run_id)
    return Workspace(stores.workspace(), root)


class Workspace:
    """The objects of one job below `root`, in the layout of docs/explanation/workspace.md.

    Names are relative to the root, of letters, digits, `-`, `.` and `/` only; so they are the same in every store.
    """

    def __init__(self, store: Store, root: str) -> None:
        self.store = store
        self.root = root

    @property
    def run(self) -> str:
        """Whose it is, wherever the workspace lies: the folders of DAG and run."""
        return unquote("/".join(self.root.rsplit("/", 2)[-2:]))

    def uri(self, name: str) -> str:
        """Where the object of this name lies."""
        return f"{self.root}/{name}"

    def names(self, prefix: str) -> list[str]:
        """The names that begin so, from one listing, sorted."""
        # Decoded: a store's spelling of a URI may escape more than ours.
        start = unquote(f"{self.root}/")
        return sorted(unquote(info.uri).removeprefix(start) for info in self.store.list(self.uri(prefix)))

    def put_json(self, name: str, data: Mapping[str, Any]) -> FileEntry:
        """Write, or replace, a small object; what to check it by."""
        encoded = to_json(data)
        self.store.put(self.uri(name), encoded)
        return FileEntry(name, len(encoded), hashlib.sha256(encoded).hexdigest())

    def read_checked(self, entry: FileEntry) -> bytes:
        """A small object whole; IntegrityError when it is not what the entry says."""
        return b"".join(
            checked(self.store.stream(self.uri(entry.name)), entry.size, entry.sha256, self.uri(entry.name))
        )

    def chunks(self, chunk_list: FileEntry) -> Generator[ChunkEntry, None, None]:
        """The chunk list as a stream, in order of number; close it when done before its end.

        IntegrityError at the end when it is not what the entry says.
        """
        uri = self.uri(chunk_list.name)
        for line in _lines(checked(self.store.stream(uri), chunk_list.size, chunk_list.sha256, uri), uri):
            yield ChunkEntry.from_line(line)

    def chunks_of(self, lines: FileEntry, offset: int) -> list[ChunkEntry]:
        """Those in a part of the chunk list `lines.name`, from `offset`; IntegrityError when it is another's."""
        uri = self.uri(lines.name)
        data = self.store.stream(uri, offset, lines.size)
        return [ChunkEntry.from_line(line) for line in _lines(checked(data, lines.size, lines.sha256, uri), uri)]


def to_json(data: Mapping[str, Any]) -> bytes:
    """As small objects are written: compact, so that the same data has the same digest."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def _lines(blocks: Iterable[bytes], label: str) -> Generator[bytes, None, None]:
    """The whole lines of a stream, without their ends; IntegrityError, with the label, where there is none."""
    begun: list[bytes] = []
    length = 0
    for block in blocks:
        first, *more = block.split(b"\n")
        begun.append(first)
        length += len(first)
        if length > MOST_LINE_BYTES + _AT_A_LINES_END:
            msg = f"{label}: has a line of more than {MOST_LINE_BYTES >> 20} MiB. Launch the job anew."
            raise IntegrityError(msg)
        if more:
            yield b"".join(begun)
            yield from more[:-1]
            begun, length = [more[-1]], len(more[-1])
    if length:
        msg = f"{label}: ends in the middle of a line. Launch the job anew."
        raise IntegrityError(msg)
