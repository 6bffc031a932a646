"""Runs one engine through the real stages: what it cuts, what it joins, and how much memory that takes."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from triptych.blocks import Catalog, Role, Template, read_catalog
from triptych.engines import Chunk
from triptych.jobs.job import Job, NewJob, PlannedJob, load_job, new_job
from triptych.jobs.pack_log import Attempted, PackLog
from triptych.jobs.packs import Pack
from triptych.jobs.plan import PACKAGE, FrozenJob, Plan, PlannedPack, put_plan, save_job
from triptych.jobs.sources import SourceEntry, resolve_sources
from triptych.jobs.spec import build_job_spec
from triptych.running.result_files import FoundFile, ResultLimits, result_files
from triptych.settings import PROJECT, Settings
from triptych.stages.assemble import assemble
from triptych.stages.chunk_list import ChunkStore, UploadLimits, write_chunk_list
from triptych.stages.chunk_reader import ChunkReader
from triptych.stages.frozen_code import store_code
from triptych.stages.journal import Journal, JournalLimits
from triptych.stages.partition import cut, partition
from triptych.stages.sessions import BlockRunner, workbench
from triptych.storage import FileEntry

INCLUDE = PROJECT / "include"
SAMPLES = INCLUDE / "engines" / "samples"
UPLOADS = UploadLimits(parallelism=4, bytes=1 << 24)
_runs = itertools.count()
DAG = "engine"


@dataclass(frozen=True)
class Piece:
    """One chunk, with its bytes."""

    name: str
    data: bytes
    items: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    copied: bool = True


@dataclass(frozen=True)
class Results:
    """What one chunk left: files by name; name and metadata are the chunk's."""

    files: Mapping[str, bytes]
    name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


def include_folders() -> list[Path]:
    """Ours, and those of TRIPTYCH_INCLUDE, as the command line reads it: engines of a user go through the suite too."""
    return [*map(Path, filter(None, os.environ.get("TRIPTYCH_INCLUDE", "").split(":"))), INCLUDE]


def engines(role: str) -> list[str]:
    """Names of those that come with Triptych: they have an example. Others in the same folder are a user's."""
    blocks = read_catalog([INCLUDE]).blocks
    return [block.name for block in blocks if block.role == role and (block.folder / "example.json").exists()]


def split(
    settings: Settings, engine: str, sources: Sequence[Path | str | dict[str, Any]], params: Mapping[str, Any]
) -> list[Piece]:
    """The chunks that a partitioner makes of these sources (local paths, URIs, or objects with a connection)."""
    job = split_only(settings, engine, sources, params)
    return _pieces(job, job.plan.chunk_list, job.sources)


def split_and_copies(
    settings: Settings, engine: str, sources: Sequence[dict[str, Any]], params: Mapping[str, Any]
) -> tuple[list[Piece], list[str]]:
    """The same, and the names of the sources that the partitioner wanted as local files."""
    job = _job(settings, _template(partitioner=engine), {"dataSource": list(sources)}, params)
    entries = tuple(resolve_sources(job.spec.sources, job.stores))
    with workbench(settings) as work, _cut(job, entries, work) as made:
        chunks = ChunkStore(job.workspace, entries, engine, work, "copies")
        listed = write_chunk_list(chunks.entries(made, UPLOADS), job.workspace, "copies", work, _one_pack)
        copies = [path.name.partition("_")[2] for path in (work / "sources").iterdir()]
    return _pieces(job, listed.file, entries), copies


def _one_pack(sizes: Sequence[int]) -> list[Pack]:
    return [Pack(first=0, count=len(sizes), chunks=len(sizes))]


def _pieces(job: Job, chunk_list: FileEntry, sources: Sequence[SourceEntry]) -> list[Piece]:
    reader = ChunkReader(job.workspace, sources, job.stores)
    return [
        Piece(entry.name, b"".join(reader.blocks(entry)), entry.items, entry.metadata, entry.ranges is None)
        for entry in job.workspace.chunks(chunk_list)
    ]


def _cut(job: NewJob, sources: Sequence[SourceEntry], work: Path) -> AbstractContextManager[Iterable[Chunk]]:
    engine, params = job.blocks[Role.PARTITIONER], job.spec.params[Role.PARTITIONER]
    return cut(engine, params, sources, job.stores, BlockRunner.of(job), work)


def split_only(
    settings: Settings,
    engine: str,
    sources: Sequence[Path | str | dict[str, Any]],
    params: Mapping[str, Any],
    run_id: str = "",
) -> PlannedJob:
    """The job after its stage `partition`."""
    conf = {"dataSource": [_uri(s) for s in sources] or None}
    job = _job(settings, _template(partitioner=engine), conf, params, run_id=run_id)
    done = partition(job)
    return load_job(job.settings, job.dag_id, job.run_id, done.ref, stores=job.stores)


def entries_in_scratch(
    settings: Settings, engine: str, sources: Sequence[Path], params: Mapping[str, Any]
) -> list[int]:
    """How many files and folders lie in the scratch folder when each chunk has been made, and when the last is gone."""
    conf = {"dataSource": [_uri(s) for s in sources] or None}
    job = _job(settings, _template(partitioner=engine), conf, params)
    entries = resolve_sources(job.spec.sources, job.stores)
    with workbench(settings) as work, _cut(job, entries, work) as made:
        counts = [sum(1 for _ in settings.scratch.rglob("*")) for _ in made]
        return [*counts, sum(1 for _ in settings.scratch.rglob("*"))]


def join(
    settings: Settings, engine: str, results: Sequence[Results], params: Mapping[str, Any] | None = None
) -> dict[str, bytes]:
    """The output files that an assembler makes, their list left out; chunk n has results[n]."""
    job = finished(settings, engine, results, params or {})
    outcome = assemble(job)
    folder = Path(outcome.uri.removeprefix("file://"))
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: data for name, data in found.items() if not name.startswith("_triptych/")}


def untouched(pieces: Sequence[Piece], name: str = "output.bin") -> list[Results]:
    """What an app that changes nothing leaves."""
    return [Results({name: piece.data}, piece.name, piece.metadata) for piece in pieces]


def left_behind(settings: Settings) -> list[str]:
    """Scratch folders, and chunk lists that were not finished."""
    parts = settings.scratch.parent.rglob(".triptych-part-*")
    return [str(path) for path in (*settings.scratch.glob("*"), *parts)]


@dataclass(frozen=True)
class Cost:
    """What a process of its own took for an engine: `error` is why it refused its input, None where it did not."""

    peak_mib: float
    written_mib: float
    error: str | None


def split_cost(
    engine: str, sources: Sequence[Path], params: Mapping[str, Any], settings: Settings, **more: str
) -> Cost:
    """Of a process that cuts these sources and stores the chunks; `more` are settings by key."""
    return _cost({"engine": engine, "sources": [str(path) for path in sources], "params": dict(params)}, settings, more)


def join_cost(
    engine: str, results: Sequence[Results], params: Mapping[str, Any], settings: Settings, **more: str
) -> Cost:
    """Of a process that joins these results."""
    return _cost({"engine": engine, "run_id": finished(settings, engine, results, params).run_id}, settings, more)


def peak_mib(engine: str, sources: Sequence[Path], params: Mapping[str, Any], settings: Settings) -> float:
    """The peak memory, in MiB, of a process that cuts these sources and stores the chunks."""
    return _accepted(split_cost(engine, sources, params, settings))


def join_peak_mib(engine: str, results: Sequence[Results], params: Mapping[str, Any], settings: Settings) -> float:
    """The peak memory, in MiB, of a process that joins these results."""
    return _accepted(join_cost(engine, results, params, settings))


def _accepted(cost: Cost) -> float:
    assert cost.error is None, cost.error
    return cost.peak_mib


def _cost(given: dict[str, Any], settings: Settings, more: Mapping[str, str]) -> Cost:
    values = {
        "workspace": settings.workspace,
        "scratch": str(settings.scratch),
        "allowed_roots": ":".join(map(str, settings.allowed_roots)),
        "runner": "process",
        "engine_memory_mib": "64",
        **more,
    }
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tests.support.peak", json.dumps({**given, "settings": values})]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def split_here(given: Mapping[str, Any], settings: Settings) -> None:
    """What the child of `peak_mib` does."""
    split_only(
        settings,
        given["engine"],
        [Path(path) for path in given["sources"]],
        given["params"],
        run_id=f"peak-{os.getpid()}-",
    )


def join_here(given: Mapping[str, Any], settings: Settings) -> None:
    """What the child of `join_peak_mib` does."""
    assemble(load_job(settings, DAG, given["run_id"]))


def finished(
    settings: Settings, engine: str, results: Sequence[Results], params: Mapping[str, Any], large_bytes: int = 1 << 20
) -> PlannedJob:
    """A job whose chunks all have their results; files from `large_bytes` on are objects of their own."""
    job = _job(settings, _template(assembler=engine), {}, params, role=Role.ASSEMBLER)
    with workbench(settings) as work:
        plan = _plan(job, results, work)
        ref = put_plan(job.workspace, plan)
        for pack in plan.packs:
            log = PackLog(job.workspace, plan, pack)
            limits = JournalLimits(large_bytes, UPLOADS.parallelism)
            with Journal(job.workspace, log, f"0/{pack.key}/harness", work, limits, is_careful=False) as journal:
                for number, result in enumerate(results):
                    with tempfile.TemporaryDirectory(dir=work) as folder:
                        files = journal.keep(_written(Path(folder), result))
                        journal.add(dataclasses.replace(_success(number), files=files))
    return load_job(settings, DAG, job.run_id, ref, stores=job.stores)


def _plan(job: NewJob, results: Sequence[Results], work: Path) -> Plan:
    chunks = [Chunk.of_bytes(b"", name=result.name or None, metadata=result.metadata) for result in results]
    # Not by `write_chunk_list`: these chunks have their parts already, and some lack one on purpose.
    entries = ChunkStore(job.workspace, [], "harness", work, "harness").entries(chunks, UPLOADS)
    lines = b"".join(entry.to_line() for entry in entries)
    listed = FileEntry("chunks/harness.jsonl", len(lines), hashlib.sha256(lines).hexdigest())
    job.workspace.store.put(job.workspace.uri(listed.name), lines)
    pack = PlannedPack(0, len(results), 0, listed.size, listed.sha256)
    return Plan(
        generation=0,
        package=PACKAGE,
        token="harness",
        job=save_job(job.workspace, "harness", FrozenJob(job.spec, 0.0, ())),
        chunk_list=listed,
        chunks=len(results),
        size=0,
        blocks={role: store_code(job.workspace, block, None, work) for role, block in job.blocks.items()},
        packs=(pack,) if results else (),
    )


def _success(chunk: int) -> Attempted:
    return Attempted(chunk, attempt="harness", serial=chunk, round="0", started=0.0, seconds=0.0, worker="harness")


def _written(folder: Path, result: Results) -> list[FoundFile]:
    for name, data in result.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return result_files(folder, ResultLimits(files=1 << 20, bytes=1 << 40))


@cache
def _catalog(*folders: Path) -> Catalog:
    """Read once: it takes longer than most of the jobs that these tests make of it."""
    return read_catalog(folders)


def _template(partitioner: str = "passthrough", assembler: str = "passthrough") -> Template:
    catalog = _catalog(*include_folders())
    return dataclasses.replace(
        catalog.template("wordcount"),
        blocks={
            Role.PARTITIONER: catalog.find(Role.PARTITIONER, partitioner),
            Role.APP: catalog.find(Role.APP, "wordcount"),
            Role.ASSEMBLER: catalog.find(Role.ASSEMBLER, assembler),
        },
        params={},
    )


def _job(
    settings: Settings,
    template: Template,
    conf: dict[str, Any],
    params: Mapping[str, Any],
    role: Role = Role.PARTITIONER,
    run_id: str = "",
) -> NewJob:
    # No chunk at all is for a job to judge, and no fault of an engine.
    config = {"allowEmpty": True}
    spec = build_job_spec(
        template, {**conf, "params": {role: dict(params)}, "config": config}, allowed_connections=None
    )
    return new_job(settings, template, spec, DAG, f"{run_id}{next(_runs)}")


def _uri(source: Path | str | dict[str, Any]) -> str | dict[str, Any]:
    return source.as_uri() if isinstance(source, Path) else source
