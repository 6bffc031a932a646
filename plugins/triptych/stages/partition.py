"""The first stage: what the job is, kept for the others; its sources, cut into chunks; its chunks, shared out."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from triptych.blocks import Block, Platform, Role
from triptych.engines import Chunk
from triptych.engines.runtime.loading import loaded_engine
from triptych.harmless import harmless_logger
from triptych.jobs.history.kept import read_pace
from triptych.jobs.job import NewJob
from triptych.jobs.locations import Location
from triptych.jobs.packs import FEW_CHUNKS, MOST_TASKS, Pack, guessed_seconds, packs, packs_by_seconds, packs_of_few
from triptych.jobs.plan import (
    PACKAGE,
    FrozenJob,
    Plan,
    PlanRef,
    check_package,
    newest_plan,
    put_plan,
    read_plan,
    save_job,
)
from triptych.jobs.removed import check_not_removed
from triptych.jobs.sources import SourceEntry, resolve_sources
from triptych.running.names import shortened
from triptych.running.result_files import FoundFile
from triptych.stages.chunk_list import ChunkStore, UploadLimits, write_chunk_list
from triptych.stages.deadline import within_time
from triptych.stages.frozen_code import open_code, store_code
from triptych.stages.preflight import preflight
from triptych.stages.preflight.machines import check_seen_elsewhere
from triptych.stages.publishing import check_destination
from triptych.stages.selection import Selection, check_work
from triptych.stages.sessions import BlockRunner, workbench
from triptych.stages.side_inputs import freeze_inputs, held_inputs
from triptych.stages.sources import NoInput, SourceObject, engine_sources
from triptych.storage import OBJECTS_AT_ONCE, Stores
from triptych.storage.copying import save

MEMORY_SHARE = 4
"""Chunks that wait in memory for their upload take at most one part in so many of what engines may use."""
CHUNK_FILE = re.compile(r"data_[0-9]+\.bin")
"""A chunk without a name of its own, in a container partitioner's CHUNKS_DIR."""
_DIGITS = re.compile(r"([0-9]+)")
_log = harmless_logger(__name__)


@dataclass(frozen=True)
class Partitioned:
    """What `partition` made, or found made: the plan, and by which digest it is known."""

    ref: PlanRef
    plan: Plan


def partition(job: NewJob, slots: int | None = None) -> Partitioned:
    """Freeze the job and cut its sources into chunks; a plan that is there already is kept.

    So many of its tasks can run at once, as many as this machine has cores by default: packs are made for that.
    Of several that do so at once, the first to write its plan counts, and the others return that.
    """
    ref = newest_plan(job.workspace)
    if ref:
        _log.info("The plan is there already and is kept.")
    else:
        check_not_removed(job.workspace)
        with within_time(job):
            planned = _planned(job, slots or os.cpu_count() or 1)
        ref = put_plan(job.workspace, planned)
    plan = read_plan(job.workspace, ref)
    check_package(plan)
    _log.info("%d chunk(s) in %d task(s).", plan.chunks, len(plan.packs))
    return Partitioned(ref, plan)


def _planned(job: NewJob, slots: int) -> Plan:
    """Plan 0, not yet written, with all that it names stored under a token of this attempt's own."""
    workspace, token = job.workspace, secrets.token_hex(8)
    images = preflight(job.settings, job.spec, job.blocks, workspace, job.stores)
    check_seen_elsewhere(job.settings, workspace.store, workspace.root)
    if job.spec.destination:
        check_seen_elsewhere(job.settings, job.destination_store, job.destination.uri)
    sources = tuple(resolve_sources(job.spec.sources, job.stores))
    if any(source.is_manifest for source in job.spec.sources):
        check_destination({"dataSource": [Location(each.uri) for each in sources]}, job.spec.destination)
    _log.info("%d source(s), %s bytes.", len(sources), f"{sum(source.size for source in sources):,}")
    inputs = freeze_inputs(job.spec.inputs, job.stores, job.settings)
    limits = UploadLimits(OBJECTS_AT_ONCE, job.settings.engine_memory_bytes // MEMORY_SHARE)
    most = min(job.settings.max_chunks, job.spec.max_chunks or job.settings.max_chunks)
    share = partial(_shares, job, slots)
    with held_inputs(inputs, job.stores, job.settings) as held, workbench(job.settings, held) as work:
        runner = replace(BlockRunner.of(job, held.mounted), images=images)
        blocks = {role: store_code(workspace, block, images[role], work) for role, block in job.blocks.items()}
        saved = save_job(workspace, token, FrozenJob(job.spec, time.time(), sources))
        engine = open_code(workspace, blocks[Role.PARTITIONER], work)
        chunks = ChunkStore(workspace, sources, engine.tag, work, token)
        with cut(engine, job.spec.params[Role.PARTITIONER], sources, job.stores, runner, work) as made:
            selection = Selection(made, job.spec.config["sample"], most)
            listed = write_chunk_list(chunks.entries(selection, limits), workspace, token, work, share)
        check_work(engine, sources, selection.chunks, allow_empty=job.spec.config["allowEmpty"])
    if selection.note:
        _log.warning("%s", selection.note)
    return Plan(
        generation=0,
        package=PACKAGE,
        token=token,
        job=saved,
        chunk_list=listed.file,
        chunks=listed.chunks,
        size=listed.size,
        blocks=blocks,
        packs=listed.packs,
        run=workspace.run,
        inputs=inputs,
    )


@contextmanager
def cut(
    engine: Block,
    params: Mapping[str, Any],
    sources: Sequence[SourceEntry],
    stores: Stores,
    runner: BlockRunner,
    work: Path,
) -> Iterator[Iterable[Chunk]]:
    """What the partitioner makes of these sources, one chunk after the other, while the context lasts.

    `work` is that of a `workbench`.
    """
    objects = engine_sources(sources, stores, work)
    if engine.platform is Platform.PYTHON:
        with loaded_engine(engine, "partition") as make:
            yield make(objects, params)
    else:
        yield _container_chunks(objects, partial(runner.run_engine, engine, params, work, limits=None))


def _container_chunks(
    sources: Sequence[SourceObject | NoInput], run: Callable[[Callable[[Path], None]], list[FoundFile]]
) -> Iterator[Chunk]:
    """Run a container partitioner over SOURCE_DIR and yield the files of CHUNKS_DIR, as `chunk_order` has them."""

    def fill(folder: Path) -> None:
        for source in sources:
            path = folder / shortened(source.name)
            if path.exists():
                path = folder / shortened(f"{source.index:06d}_{source.name}")
            save(source.stream(), path)

    for file in sorted(run(fill), key=lambda file: chunk_order(file.name)):
        yield Chunk.of_file(file.path, name=None if CHUNK_FILE.fullmatch(file.name) else file.name)


def chunk_order(name: str) -> tuple[bool, list[tuple[bool, int, str]], str]:
    """By this, `data_<n>.bin` come first, by number; then the others, in natural order: page-2 before page-10."""
    runs = [(run.isdecimal(), int(run) if run.isdecimal() else 0, run) for run in _DIGITS.split(name)]
    return CHUNK_FILE.fullmatch(name) is None, runs, name


def _shares(job: NewJob, slots: int, sizes: Sequence[int]) -> list[Pack]:
    """The packs of chunks of so many bytes, as the job, else the app asks; else by how long such chunks took before."""
    config, app, settings = job.spec.config, job.blocks[Role.APP], job.settings
    per_task = app.chunks_per_task or "auto" if config["chunksPerTask"] == "auto" else config["chunksPerTask"]
    most = config["maxConcurrency"] or (settings.max_tasks if per_task == "auto" else MOST_TASKS)
    if per_task != "auto":
        return packs(len(sizes), int(per_task), most)
    most = min(most, -(-len(sizes) // app.parallel))  # None has fewer chunks than containers.
    pace = read_pace(settings, job.workspace.store, job.dag_id, app.name)
    if pace is None:
        if len(sizes) <= FEW_CHUNKS:
            return packs(len(sizes), 1, most)
        guessed = [guessed_seconds(size) / app.parallel for size in sizes]
        return packs_by_seconds(guessed, slots, most, least_tasks=FEW_CHUNKS)
    seconds = [pace.seconds_of(size) / app.parallel for size in sizes]
    _log.info("By what jobs before took, all chunks take %.1f s, one after the other.", sum(seconds) * app.parallel)
    if len(sizes) <= FEW_CHUNKS:
        return packs_of_few(seconds, most)
    return packs_by_seconds(seconds, slots, most)
