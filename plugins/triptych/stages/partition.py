"""The first stage: what the job is, kept for the others; its sources, cut into chunks; its chunks, shared out."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from triptych.blocks import Block, Platform, Role
from triptych.engines import Chunk, resources
from triptych.engines.runtime.loading import loaded_engine
from triptych.errors import EngineError
from triptych.jobs.frozen import FrozenBlock, FrozenJob, check_code, load_frozen, save_frozen
from triptych.jobs.job import Job
from triptych.jobs.packs import MOST_TASKS, Pack, packs
from triptych.jobs.sources import SourceEntry, resolve_sources
from triptych.jobs.workspace import Workspace
from triptych.running.result_files import FoundFile
from triptych.settings import Settings
from triptych.stages.chunk_list import ChunkStore, UploadLimits, write_chunk_list
from triptych.stages.preflight import preflight
from triptych.stages.selection import Selection, check_work
from triptych.stages.sessions import BlockRunner, workbench
from triptych.stages.sources import NoInput, SourceObject, engine_sources
from triptych.storage import Stores
from triptych.storage.copying import save

MEMORY_SHARE = 4
"""Chunks that wait in memory for their upload take at most one part in so many of what engines may use."""
_CHUNK_FILE = re.compile(r"data_(\d+)\.bin")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What `partition` made: the number of chunks, their bytes, and who runs which."""

    chunks: int
    bytes: int
    packs: list[Pack]


def partition(job: Job) -> Plan:
    """Cut the sources into chunks and write the chunk list; a list that is there already is kept."""
    workspace = job.workspace
    frozen = load_frozen(workspace)
    if frozen and workspace.is_cut():
        check_code(frozen, job.template)
        _log.info("The chunk list is there already and is kept.")
    else:
        _freeze_and_cut(job)
    plan = _plan(workspace, job.spec.config, job.template.app, job.settings)
    _log.info("%d chunk(s) in %d task(s).", plan.chunks, len(plan.packs))
    return plan


def _freeze_and_cut(job: Job) -> None:
    images = preflight(job.settings, job.spec, job.template.blocks, job.workspace, job.stores)
    sources = resolve_sources(job.spec.sources, job.stores)
    blocks = {role: FrozenBlock.of(block, images[role]) for role, block in job.template.blocks.items()}
    save_frozen(job.workspace, FrozenJob(job.spec, job.started, blocks, tuple(sources)))
    _log.info("%d source(s), %s bytes.", len(sources), f"{sum(source.size for source in sources):,}")
    engine = job.template.blocks[Role.PARTITIONER]
    runner = replace(BlockRunner.of(job), images=images)
    limits = UploadLimits(job.settings.transfer_parallelism, job.settings.engine_memory_bytes // MEMORY_SHARE)
    with (
        cut(engine, job.spec.params[Role.PARTITIONER], sources, job.stores, runner) as made,
        job.workspace.store.writer(job.workspace.chunk_list_uri) as out,
    ):
        scratch = resources().scratch
        chunks = ChunkStore(job.workspace, sources, engine.tag, scratch)
        selection = Selection(made, job.spec.config["sample"])
        write_chunk_list(chunks.entries(selection, limits), out, scratch)
        check_work(engine, sources, selection.chunks, allow_empty=job.spec.config["allowEmpty"])
    if selection.note:
        _log.warning("%s", selection.note)


@contextmanager
def cut(
    engine: Block, params: Mapping[str, Any], sources: Sequence[SourceEntry], stores: Stores, runner: BlockRunner
) -> Iterator[Iterable[Chunk]]:
    """What the partitioner makes of these sources, one chunk after the other, while the context lasts."""
    with workbench(runner.settings) as work:
        objects = engine_sources(sources, stores, work)
        if engine.platform is Platform.PYTHON:
            with loaded_engine(engine, "partition") as make:
                yield make(objects, params)
        else:
            yield _container_chunks(objects, partial(runner.run_engine, engine, params, work, limits=None))


def _container_chunks(
    sources: Sequence[SourceObject | NoInput], run: Callable[[Callable[[Path], None]], list[FoundFile]]
) -> Iterator[Chunk]:
    """Run a container partitioner over SOURCE_DIR and yield CHUNKS_DIR's `data_<n>.bin` by number."""

    def fill(folder: Path) -> None:
        for source in sources:
            path = folder / source.name
            save(source.stream(), path if not path.exists() else folder / f"{source.index:06d}_{source.name}")

    numbered = []
    for file in run(fill):
        match = _CHUNK_FILE.fullmatch(file.name)
        if not match:
            msg = f"CHUNKS_DIR holds {file.name!r}; only regular files data_0.bin, data_1.bin ... are chunks."
            raise EngineError(msg)
        numbered.append((int(match[1]), file.path))
    # By number: as text, data_10 would come before data_2.
    for _, path in sorted(numbered):
        yield Chunk.of_file(path)


def _plan(workspace: Workspace, config: Mapping[str, Any], app: Block, settings: Settings) -> Plan:
    chunks = size = 0
    for entry in workspace.chunks():
        chunks, size = chunks + 1, size + entry.size
    per_task = config["chunksPerTask"]
    if per_task == "auto" and app.chunks_per_task:
        per_task = app.chunks_per_task
    most = config["maxConcurrency"] or (settings.max_tasks if per_task == "auto" else MOST_TASKS)
    return Plan(chunks, size, packs(chunks, per_task, most))
