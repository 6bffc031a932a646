"""From what a partitioner yields to the chunk list; bytes are stored as they come."""

from __future__ import annotations

import base64
import re
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from triptych.blocks import Role
from triptych.engines import Chunk, resources
from triptych.engines.contracts import PART, PARTS, SOURCE_INDEX
from triptych.errors import EngineError, SourceError
from triptych.jobs.job import Job, SourceEntry
from triptych.jobs.workspace import ByteRange, ChunkEntry
from triptych.stages.transfer import SourceObject, distinct_paths
from triptych.storage import Writer
from triptych.storage.copying import copy_stream, file_blocks, save

_CHUNK_FILE = re.compile(r"data_(\d+)\.bin")


class NoInput:
    """The one empty source of a job without input, so that a replicating partitioner yields its chunks."""

    index = 0
    name = path = "data.bin"
    uri = label = "none:"
    size = 0

    def __init__(self, scratch: Path) -> None:
        self._path = scratch / "no-input"
        self._path.touch()

    def open(self) -> Any:
        return self._path.open("rb")

    def stream(self) -> Iterator[bytes]:
        return iter(())

    def local_path(self) -> Path:
        return self._path

    def error(self, text: str) -> SourceError:
        return SourceError(f"The job has no source: {text}")


def engine_sources(job: Job, entries: Sequence[SourceEntry], scratch: Path) -> list[SourceObject | NoInput]:
    """The sources as engines see them; one empty one when the job has none."""
    folder = scratch / "sources"
    folder.mkdir()
    if not entries:
        return [NoInput(scratch)]
    paths = distinct_paths([entry.uri for entry in entries])
    both = zip(entries, paths, strict=True)
    return [SourceObject(job, entry, index, path, folder) for index, (entry, path) in enumerate(both)]


def write_chunk_list(entries: Iterable[ChunkEntry], out: Writer, scratch: Path) -> None:
    """One line per chunk, in order. Chunks of a known source learn their part and how many there are.

    That number is known when the last chunk is, so the list waits in a local file.
    """
    parts: Counter[int] = Counter()
    waiting = scratch / "chunks.jsonl"
    with waiting.open("wb") as made:
        for entry in entries:
            index = entry.metadata.get(SOURCE_INDEX)
            if index is not None:
                entry = replace(entry, metadata={**entry.metadata, PART: parts[index]})
                parts[index] += 1
            made.write(entry.to_line())
    with waiting.open("rb") as lines:
        for line in lines:
            entry = ChunkEntry.from_line(line)
            index = entry.metadata.get(SOURCE_INDEX)
            if index is not None:
                line = replace(entry, metadata={**entry.metadata, PARTS: parts[index]}).to_line()
            out.write(line)
    waiting.unlink()


def chunk_entries(job: Job, sources: Sequence[SourceEntry], made: Iterable[Chunk]) -> Iterator[ChunkEntry]:
    """Number, store and describe each chunk, in order; a test job gets its first only.

    Chunks are uploaded while the next are made: at most `transfer_parallelism` at once, and of those that are in
    memory no more than a quarter of what engines may use, or one.
    """
    wanted = islice(made, 1) if job.spec.config["isTestJob"] else made
    most_bytes = job.settings.engine_memory_bytes // 4
    waiting: deque[tuple[Future[ChunkEntry], int]] = deque()
    with ThreadPoolExecutor(job.settings.transfer_parallelism) as pool:
        for number, chunk in enumerate(wanted):
            _check(job, sources, number, chunk)
            held = len(chunk.data or b"")
            while waiting and _is_full(waiting, held, job.settings.transfer_parallelism, most_bytes):
                yield waiting.popleft()[0].result()
            if chunk.ranges is None:
                waiting.append((pool.submit(_upload, job, number, _kept(number, chunk)), held))
                continue
            while waiting:
                yield waiting.popleft()[0].result()
            yield _of_ranges(number, chunk)
        while waiting:
            yield waiting.popleft()[0].result()


def _is_full(waiting: deque[tuple[Future[ChunkEntry], int]], held: int, most: int, most_bytes: int) -> bool:
    return len(waiting) >= most or held + sum(each for _, each in waiting) > most_bytes


def _check(job: Job, sources: Sequence[SourceEntry], number: int, chunk: Chunk) -> None:
    tag = job.template.blocks[Role.PARTITIONER].tag
    if (chunk.data is not None) + (chunk.path is not None) + (chunk.ranges is not None) != 1:
        msg = f"{tag}: chunk {number} must hold exactly one of data, path and ranges."
        raise EngineError(msg)
    for run in chunk.ranges or ():
        size = sources[run.source].size if run.source < len(sources) else 0
        if run.offset < 0 or run.length < 0 or run.offset + run.length > size:
            msg = f"{tag}: chunk {number} asks for bytes beyond source {run.source}: {run}."
            raise EngineError(msg)


def _of_ranges(number: int, chunk: Chunk) -> ChunkEntry:
    ranges = tuple(ByteRange(run.source, run.offset, run.length) for run in chunk.ranges or ())
    size = len(chunk.prefix) + sum(run.length for run in ranges)
    prefix = base64.b64encode(chunk.prefix).decode()
    return ChunkEntry(number, _name(number, chunk), size, ranges=ranges, prefix=prefix, **_about(chunk))


def _kept(number: int, chunk: Chunk) -> Chunk:
    """The chunk with a name of our own for its file: the engine may remove its name when it goes on."""
    if chunk.path is None:
        return chunk
    own = resources().scratch / f"upload-{number}"
    try:
        own.hardlink_to(chunk.path)
    except OSError:  # Another file system, or one without links.
        shutil.copyfile(chunk.path, own)
    return replace(chunk, path=own)


def _upload(job: Job, number: int, chunk: Chunk) -> ChunkEntry:
    blocks = file_blocks(chunk.path) if chunk.path is not None else [chunk.data or b""]
    stored = copy_stream(blocks, job.workspace.store, job.workspace.chunk_uri(number))
    if chunk.path is not None:
        chunk.path.unlink()
    return ChunkEntry(number, _name(number, chunk), stored.size, sha256=stored.sha256, **_about(chunk))


def _name(number: int, chunk: Chunk) -> str:
    return chunk.name or f"chunk_{number}"


def _about(chunk: Chunk) -> dict[str, Any]:
    return {"items": chunk.items, "metadata": dict(chunk.metadata)}


def container_chunks(
    sources: Sequence[SourceObject | NoInput], work: Path, run: Callable[[Callable[[Path], None]], Path]
) -> Iterator[Chunk]:
    """Run a container partitioner over SOURCE_DIR and yield CHUNKS_DIR's `data_<n>.bin` by number."""

    def fill(folder: Path) -> None:
        for source in sources:
            path = folder / source.name
            save(source.stream(), path if not path.exists() else folder / f"{source.index:06d}_{source.name}")

    folder = run(fill)
    numbered = []
    for path in folder.iterdir():
        match = _CHUNK_FILE.fullmatch(path.name)
        if not match or path.is_symlink() or not path.is_file():
            msg = f"CHUNKS_DIR holds {path.name!r}; only regular files data_0.bin, data_1.bin ... are chunks."
            raise EngineError(msg)
        numbered.append((int(match[1]), path))
    # By number: as text, data_10 would come before data_2.
    for _, path in sorted(numbered):
        yield Chunk.of_file(path)
