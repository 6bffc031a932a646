"""From what a partitioner yields to the chunk list; bytes are stored as they come."""

from __future__ import annotations

import base64
import hashlib
import shutil
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from triptych.engines import Chunk
from triptych.engines.contracts import PART, PARTS, SOURCE_INDEX, SOURCES
from triptych.errors import EngineError
from triptych.jobs.packs import Pack
from triptych.jobs.plan import PlannedPack
from triptych.jobs.sources import SourceEntry
from triptych.jobs.workspace import MOST_LINE_BYTES, ByteRange, ChunkEntry, Workspace
from triptych.storage import FileEntry
from triptych.storage.copying import HashingWriter, copy_stream, file_blocks


@dataclass(frozen=True)
class UploadLimits:
    """So many chunks are uploaded at once; of those that are in memory no more bytes than these, or one chunk."""

    parallelism: int
    bytes: int


class ChunkStore:
    """Numbers, checks and stores what one partitioner yields (`label` in messages) of these sources."""

    def __init__(
        self, workspace: Workspace, sources: Sequence[SourceEntry], label: str, scratch: Path, token: str
    ) -> None:
        """`token` is the attempt's, under which bytes are stored."""
        self._workspace = workspace
        self._token = token
        self._sources = sources
        self._label = label
        self._scratch = scratch

    def entries(self, made: Iterable[Chunk], limits: UploadLimits) -> Iterator[ChunkEntry]:
        """The description of each chunk, in order, once it is stored; the next ones are made meanwhile."""
        waiting: deque[tuple[Future[ChunkEntry], int]] = deque()
        with ThreadPoolExecutor(limits.parallelism) as pool:
            for number, chunk in enumerate(made):
                self._check(number, chunk)
                held = len(chunk.data or b"")
                while waiting and _is_full(waiting, held, limits):
                    yield waiting.popleft()[0].result()
                if chunk.ranges is None:
                    waiting.append((pool.submit(self._upload, number, self._kept(number, chunk)), held))
                    continue
                while waiting:
                    yield waiting.popleft()[0].result()
                yield _of_ranges(number, chunk)
            while waiting:
                yield waiting.popleft()[0].result()

    def _check(self, number: int, chunk: Chunk) -> None:
        if odd := _odd_description(chunk):
            msg = f"{self._label}: chunk {number} {odd}."
            raise EngineError(msg)
        if (chunk.data is not None) + (chunk.path is not None) + (chunk.ranges is not None) != 1:
            msg = f"{self._label}: chunk {number} must hold exactly one of data, path and ranges."
            raise EngineError(msg)
        for run in chunk.ranges or ():
            size = self._sources[run.source].size if 0 <= run.source < len(self._sources) else 0
            if run.offset < 0 or run.length < 0 or run.offset + run.length > size:
                msg = f"{self._label}: chunk {number} asks for bytes beyond source {run.source}: {run}."
                raise EngineError(msg)

    def _kept(self, number: int, chunk: Chunk) -> Chunk:
        """The chunk with a name of our own for its file: the engine may remove its name when it goes on."""
        if chunk.path is None:
            return chunk
        own = self._scratch / f"upload-{number}"
        try:
            own.hardlink_to(chunk.path)
        except OSError:  # Another file system, or one without links.
            shutil.copyfile(chunk.path, own)
        return replace(chunk, path=own)

    def _upload(self, number: int, chunk: Chunk) -> ChunkEntry:
        blocks = file_blocks(chunk.path) if chunk.path is not None else [chunk.data or b""]
        name = f"chunks/{self._token}/{number}"
        stored = copy_stream(blocks, self._workspace.store, self._workspace.uri(name))
        if chunk.path is not None:
            chunk.path.unlink()
        return ChunkEntry(
            number, chunk_name(number, chunk), stored.size, sha256=stored.sha256, object=name, **_described(chunk)
        )


@dataclass(frozen=True)
class ChunkList:
    """A chunk list that was written: its file, and what the plan says of it."""

    file: FileEntry
    chunks: int
    size: int
    packs: tuple[PlannedPack, ...]


def write_chunk_list(
    entries: Iterable[ChunkEntry],
    workspace: Workspace,
    token: str,
    scratch: Path,
    share: Callable[[Sequence[int]], Sequence[Pack]],
) -> ChunkList:
    """One line per chunk, in order, in packs as `share` makes them of the bytes of each.

    Chunks of a known source learn their part, how many there are, and how many sources have chunks. These numbers are
    known when the last chunk is, so the list waits in a local file.
    """
    parts: Counter[int] = Counter()
    waiting = scratch / "chunks.jsonl"
    sizes = array("Q")
    with waiting.open("wb") as made:
        for entry in entries:
            sizes.append(entry.size)
            index = entry.metadata.get(SOURCE_INDEX)
            if index is not None:
                entry = replace(entry, metadata={**entry.metadata, PART: parts[index]})
                parts[index] += 1
            made.write(_line(entry))
    name = f"chunks/{token}.jsonl"
    with waiting.open("rb") as lines, workspace.store.writer(workspace.uri(name)) as out:
        hashing = HashingWriter(out)
        planned = tuple(_written(pack, islice(lines, pack["count"]), parts, hashing) for pack in share(sizes))
    waiting.unlink()
    return ChunkList(FileEntry(name, hashing.size, hashing.sha256), len(sizes), sum(sizes), planned)


def _written(pack: Pack, lines: Iterable[bytes], parts: Mapping[int, int], out: HashingWriter) -> PlannedPack:
    """Write the lines of one pack, completed; where they lie."""
    offset, digest = out.size, hashlib.sha256()
    for line in lines:
        entry = ChunkEntry.from_line(line)
        index = entry.metadata.get(SOURCE_INDEX)
        if index is not None:
            counts = {PARTS: parts[index], SOURCES: len(parts)}
            line = replace(entry, metadata={**entry.metadata, **counts}).to_line()
        digest.update(line)
        out.write(line)
    return PlannedPack(pack["first"], pack["count"], offset, out.size - offset, digest.hexdigest())


def _odd_description(chunk: Chunk) -> str:
    """What is wrong with what an engine says of a chunk; empty for nothing."""
    if not isinstance(chunk.name, str | None) or "\0" in (chunk.name or ""):
        return f"has the name {chunk.name!r}, and it must be text without NUL, as its app gets it in a variable"
    if not isinstance(chunk.items, int | None):
        return f"has items={chunk.items!r}, and it must be a whole number"
    if not isinstance(chunk.metadata, Mapping) or not all(isinstance(key, str) for key in chunk.metadata):
        return "has metadata that is no JSON object: a mapping whose keys are text"
    if not isinstance(chunk.metadata.get(SOURCE_INDEX), int | None):
        return f"has metadata whose {SOURCE_INDEX!r} is no whole number"
    return ""


def _line(entry: ChunkEntry) -> bytes:
    """The entry's line; EngineError where no JSON holds what the engine says of the chunk, or it is too long."""
    try:
        line = entry.to_line()
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"Chunk {entry.number}: its name and metadata must be JSON in UTF-8, and are not: {error}."
        raise EngineError(msg) from error
    if len(line) > MOST_LINE_BYTES:
        msg = (
            f"Chunk {entry.number}: its prefix, ranges and metadata take {len(line) >> 20} MiB of the chunk list, and "
            f"{MOST_LINE_BYTES >> 20} MiB are the most. Yield it as data or as a file."
        )
        raise EngineError(msg)
    return line


def chunk_name(number: int, chunk: Chunk) -> str:
    """What the app sees as CHUNK_NAME: the partitioner's name, or one with the number."""
    return chunk.name or f"chunk_{number}"


def chunk_size(chunk: Chunk) -> int:
    """The bytes that the app will see; reads the size of a chunk's file, and nothing else of it."""
    if chunk.path is not None:
        return chunk.path.stat().st_size
    return len(chunk.data or b"") + len(chunk.prefix) + sum(run.length for run in chunk.ranges or ())


def _is_full(waiting: deque[tuple[Future[ChunkEntry], int]], held: int, limits: UploadLimits) -> bool:
    return len(waiting) >= limits.parallelism or held + sum(each for _, each in waiting) > limits.bytes


def _of_ranges(number: int, chunk: Chunk) -> ChunkEntry:
    ranges = tuple(ByteRange(run.source, run.offset, run.length) for run in chunk.ranges or ())
    prefix = base64.b64encode(chunk.prefix).decode()
    name, size = chunk_name(number, chunk), chunk_size(chunk)
    return ChunkEntry(number, name, size, ranges=ranges, prefix=prefix, **_described(chunk))


def _described(chunk: Chunk) -> dict[str, Any]:
    return {"items": chunk.items, "metadata": dict(chunk.metadata)}
