"""Who reads the chunk list, and how much of it: it may be long, and each pack asks for its own few lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from triptych.errors import IntegrityError
from triptych.jobs.job import PlannedJob, load_job, new_job
from triptych.jobs.spec import build_job_spec
from triptych.jobs.workspace import Workspace
from triptych.settings import Settings
from triptych.stages.assemble import assemble
from triptych.stages.partition import partition
from triptych.stages.run_pack import Launch, run_pack
from triptych.storage.files import FileStore
from triptych.storage.paths import file_path


class CountingFiles(FileStore):
    """Files; keeps the bytes of each stream of a chunk list."""

    def __init__(self, root: Path) -> None:
        super().__init__([root])
        self.streamed: list[int] = []

    def stream(self, uri: str, offset: int = 0, length: int | None = None, etag: str | None = None) -> Iterator[bytes]:
        if "/chunks/" not in uri:
            yield from super().stream(uri, offset, length, etag)
            return
        index = len(self.streamed)
        self.streamed.append(0)
        for block in super().stream(uri, offset, length, etag):
            self.streamed[index] += len(block)
            yield block


def _job(settings: Settings, chunks: int) -> tuple[PlannedJob, CountingFiles]:
    """A job in packs of two chunks, in a workspace that counts."""
    (settings.scratch.parent / "apps").mkdir()
    template = write_app(settings.scratch.parent, "", template={"partitioner": "replicate"})
    params = {"partitioner": {"replicas": chunks}}
    spec = build_job_spec(template, {"params": params, "config": {"chunksPerTask": 2}})
    made = new_job(settings, template, spec, template.id, "run")
    done = partition(made)
    store = CountingFiles(file_path(settings.workspace))
    job = load_job(settings, template.id, "run", done.ref)
    return dataclasses.replace(job, workspace=Workspace(store, job.workspace.root)), store


def test_a_pack_reads_its_own_lines_and_no_other(settings: Settings) -> None:
    job, store = _job(settings, 1000)
    pack = job.plan.packs[300]
    assert run_pack(job, pack.first, Launch("1")) == 2
    assert store.streamed == [pack.length]
    lines = file_path(job.workspace.uri(job.plan.chunk_list.name)).read_bytes().splitlines(keepends=True)
    assert pack.length == len(b"".join(lines[600:602]))


def test_the_assembler_reads_it_once(settings: Settings) -> None:
    job, store = _job(settings, 4)
    for pack in job.plan.packs:
        run_pack(job, pack.first, Launch("1"))
    store.streamed.clear()
    assert assemble(job).chunks == 4
    assert store.streamed == [job.plan.chunk_list.size]


def test_a_line_that_was_changed_is_refused(settings: Settings) -> None:
    job, _ = _job(settings, 4)
    path = file_path(job.workspace.uri(job.plan.chunk_list.name))
    path.write_bytes(path.read_bytes().replace(b"replica_3", b"replica_2"))
    assert run_pack(job, 0, Launch("1")) == 2
    with pytest.raises(IntegrityError, match="another SHA-256"):
        run_pack(job, 2, Launch("1"))
