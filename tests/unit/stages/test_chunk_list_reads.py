"""Who reads the chunk list, and how much of it: it may be long, and each pack asks for its own few lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine_harness import Results, finished
from triptych.jobs.job import Job
from triptych.jobs.packs import Pack
from triptych.jobs.workspace import ChunkEntry, Workspace
from triptych.settings import Settings
from triptych.stages.assemble import assemble
from triptych.stages.run_pack import run_pack
from triptych.storage.files import FileStore, file_path

MIB = 1 << 20


class CountingFiles(FileStore):
    """Files; keeps the bytes of each stream of a chunk list."""

    def __init__(self, root: Path) -> None:
        super().__init__([root])
        self.streamed: list[int] = []

    def stream(self, uri: str, offset: int = 0, length: int | None = None, etag: str | None = None) -> Iterator[bytes]:
        if not uri.endswith("/chunks.jsonl"):
            yield from super().stream(uri, offset, length, etag)
            return
        index = len(self.streamed)
        self.streamed.append(0)
        for block in super().stream(uri, offset, length, etag):
            self.streamed[index] += len(block)
            yield block


@pytest.fixture
def job(settings: Settings) -> Job:
    """Three chunks with a commit each, in a workspace that counts."""
    made = finished(settings, "passthrough", [Results({"r.txt": b"x"})] * 3, {})
    store = CountingFiles(file_path(settings.workspace))
    return dataclasses.replace(made, workspace=Workspace(store, made.workspace.root))


def _streamed(job: Job) -> list[int]:
    store = job.workspace.store
    assert isinstance(store, CountingFiles)
    return store.streamed


def test_a_pack_reads_no_further_than_its_last_chunk(job: Job) -> None:
    path = file_path(job.workspace.chunk_list_uri)
    with path.open("ab") as out:
        for number in range(3, 40_003):
            out.write(ChunkEntry(number, f"chunk_{number}", 100).to_line())
    assert path.stat().st_size > 4 * MIB
    assert run_pack(job, Pack(first=1, count=2, chunks=40_003), 1) == 0
    assert _streamed(job) == [MIB]


def test_the_assembler_reads_it_once(job: Job) -> None:
    size = file_path(job.workspace.chunk_list_uri).stat().st_size
    assert assemble(job).chunks == 3
    assert _streamed(job) == [size]
