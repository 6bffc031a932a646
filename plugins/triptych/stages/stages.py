"""The three stages of a job. Each can run again: what is committed stays, only what is missing is done."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from triptych.blocks import Block, Platform, Role
from triptych.connections import secret_environment
from triptych.engines import Chunk, resources
from triptych.engines.runtime.allocator import keep_freed_memory
from triptych.engines.runtime.loading import load_engine
from triptych.engines.runtime.resources import Resources, using
from triptych.errors import ChunkError, EngineError, ImageError, ObjectNotFoundError, TriptychError
from triptych.jobs.job import Job, SourceEntry, freeze, frozen_sources, resolve_sources, thaw
from triptych.jobs.packs import MOST_TASKS, Pack, packs
from triptych.jobs.workspace import ChunkEntry, Commit
from triptych.running import Cache, RunSpec, Session, Stop, Unit, Usage, image_digest, open_session, unit_folder
from triptych.running.reaper import scratch_folder
from triptych.stages.fan_in import Destination, ResultObject, read_results
from triptych.stages.fan_out import chunk_entries, container_chunks, engine_sources, write_chunk_list
from triptych.stages.transfer import ChunkReader, result_files, upload
from triptych.storage.copying import save

Log = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What `partition` made: the number of chunks, their bytes, and who runs which."""

    chunks: int
    bytes: int
    packs: list[Pack]


@dataclass(frozen=True)
class ChunkOutcome:
    """How one chunk ended in this attempt; `error` is None when its result is committed."""

    number: int
    seconds: float
    error: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What `assemble` made, and which chunks it had to do without."""

    uri: str
    files: int
    bytes: int
    chunks: int
    failed: list[int]


def partition(job: Job, log: Log) -> Plan:
    """Cut the sources into chunks and write the chunk list; a list that is there already is kept."""
    if job.workspace.read_json(job.workspace.job_uri) and _exists(job, job.workspace.chunk_list_uri):
        thaw(job.settings, job.template, job.dag_id, job.run_id)
        log("The chunk list is there already and is kept.")
        return _plan(job)
    sources = resolve_sources(job)
    images = {role: image_digest(block, job.settings, log) for role, block in job.template.blocks.items()}
    job = replace(job, images=images)
    freeze(job, sources)
    log(f"{len(sources)} source(s), {sum(source.size for source in sources):,} bytes.")
    with cut(job, sources, log) as made, job.workspace.store.writer(job.workspace.chunk_list_uri) as out:
        write_chunk_list(chunk_entries(job, sources, made), out, resources().scratch)
    plan = _plan(job)
    log(f"{plan.chunks} chunk(s) in {len(plan.packs)} task(s).")
    return plan


@contextmanager
def cut(job: Job, sources: Sequence[SourceEntry], log: Log) -> Iterator[Iterable[Chunk]]:
    """What the partitioner makes of these sources, one chunk after the other, while the context lasts."""
    engine = job.template.blocks[Role.PARTITIONER]
    with _workbench(job) as work:
        objects = engine_sources(job, sources, work)
        if engine.platform is Platform.PYTHON:
            yield load_engine(engine, "partition")(objects, job.spec.params[Role.PARTITIONER])
        else:
            yield container_chunks(objects, work, _engine_runner(job, engine, work, log))


def run_pack(
    job: Job,
    first: int,
    count: int,
    attempt: int,
    log: Log,
    on_chunk: Callable[[ChunkOutcome], None] | None = None,
    stop: Stop | None = None,
) -> int:
    """Run the app on chunks first..first+count-1 that have no commit yet, in one container; returns how many ran.

    A failed chunk does not stop the others. Raises ChunkError with all failures at the end, and KeyboardInterrupt
    when `stop` was asked for.
    """
    stop = stop or Stop()
    total, mine = 0, []
    for total, entry in enumerate(job.workspace.chunks(), 1):
        if first < total <= first + count:
            mine.append(entry)
    todo = [entry for entry in mine if job.workspace.read_commit(entry.number) is None]
    if not todo:
        log("Every chunk of this pack is committed already.")
        return 0
    reader = ChunkReader(job, frozen_sources(job))
    failures: list[str] = []
    # The token keeps a zombie of the same try apart from us.
    token = f"{attempt}-{secrets.token_hex(4)}"
    with (
        scratch_folder(job.settings.scratch) as work,
        _session(job, job.template.app, work, log, first, stop) as session,
    ):
        for entry in todo:
            stop.check()
            outcome = _run_chunk(job, reader, session, entry, total, token, work)
            if outcome.error:
                failures.append(outcome.error)
                log(f"ERROR {outcome.error}")
            if on_chunk:
                on_chunk(outcome)
    if failures:
        shown = "\n".join(failures[:20])
        msg = f"{len(failures)} of {len(todo)} chunk(s) failed.\n{shown}"
        raise ChunkError(msg)
    return len(todo)


def assemble(job: Job, log: Log) -> Outcome:
    """Join the committed results into the output; raises ChunkError when more chunks failed than tolerated."""
    finished = job.workspace.read_json(job.workspace.output_uri)
    if finished:
        log("The output is there already and is kept.")
        return _outcome(job, finished)
    chunks = [entry.number for entry in job.workspace.chunks()]
    done = job.workspace.committed()
    failed = [number for number in chunks if number not in done]
    _judge(job, chunks, failed)
    commits = {n: commit for n in chunks if n in done and (commit := job.workspace.read_commit(n))}
    destination = Destination(job)
    destination.begin()
    try:
        with _workbench(job) as work:
            results = read_results(job, commits, work)
            log(f"{len(results)} result file(s) of {len(commits)} chunk(s).")
            _join(job, results, destination, work, log)
    except BaseException:
        destination.take_back()
        raise
    listing = {
        "name": job.spec.name,
        "uri": destination.uri,
        "chunks": len(chunks),
        "failed": [{"chunk": n, "error": _recorded_error(job, n)} for n in failed],
        "files": [asdict(file) for file in destination.files],
    }
    destination.finish(json.dumps(listing, indent=1, ensure_ascii=False).encode())
    job.workspace.put_json(job.workspace.output_uri, listing)
    outcome = _outcome(job, listing)
    log(f"Output: {outcome.files} file(s), {outcome.bytes:,} bytes in {outcome.uri}")
    return outcome


def _run_chunk(
    job: Job, reader: ChunkReader, session: Session, entry: ChunkEntry, total: int, token: str, work: Path
) -> ChunkOutcome:
    started = time.monotonic()
    folder = unit_folder(work, str(entry.number))
    try:
        _check_deadline(job)
        unit = _unit(job, entry, total, folder)
        save(reader.blocks(entry), folder / "in" / "data.bin")
        usage = session.run(unit)
        _commit(job, entry, folder, token, usage)
    except ImageError:
        raise
    except (TriptychError, OSError) as error:
        message = f"Chunk {entry.number} ({entry.name}): {error}"
        job.workspace.put_json(job.workspace.error_uri(entry.number), {"error": message})
        return ChunkOutcome(entry.number, time.monotonic() - started, message)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return ChunkOutcome(entry.number, time.monotonic() - started)


def _unit(job: Job, entry: ChunkEntry, total: int, folder: Path) -> Unit:
    environment = {
        "APP_PARAMS": json.dumps(job.spec.params[Role.APP], ensure_ascii=False),
        "CHUNK_NUMBER": str(entry.number),
        "CHUNK_COUNT": str(total),
        "CHUNK_NAME": entry.name,
        "CHUNK_METADATA": json.dumps(entry.metadata, ensure_ascii=False),
        "JOB_ID": job.run_id,
    }
    return Unit(f"chunk {entry.number}", folder, "TASK_DIR", "TASK_RESULTS_DIR", environment)


def _commit(job: Job, entry: ChunkEntry, folder: Path, token: str, usage: Usage) -> None:
    limits = job.settings.max_result_files, job.settings.max_result_bytes
    files = result_files(folder / "out", *limits, f"chunk {entry.number}")
    stored = upload(files, job, entry.number, token)
    commit = Commit(entry.number, token, stored, usage.seconds, usage.cpu_seconds, usage.peak_memory_bytes)
    if not job.workspace.commit(commit):
        # Another attempt was first: its result counts, ours is only in the way.
        job.workspace.store.delete_prefix(job.workspace.result_uri(entry.number, token, ""))


def _check_deadline(job: Job) -> None:
    limit = job.spec.config["jobTimeout"]
    if time.time() - job.started > limit:
        msg = f"the job has run longer than its jobTimeout of {limit} s; not begun."
        raise ChunkError(msg)


def _judge(job: Job, chunks: list[int], failed: list[int]) -> None:
    tolerated = job.spec.config["toleratedFailurePercentage"]
    if not failed or 100 * len(failed) <= tolerated * len(chunks):
        return
    reasons = "\n".join(_recorded_error(job, number) for number in failed[:5])
    msg = (
        f"{len(failed)} of {len(chunks)} chunks have no result ({100 * len(failed) / len(chunks):.3g} %, "
        f"tolerated: {tolerated} %): {', '.join(map(str, failed[:20]))}{' ...' if len(failed) > 20 else ''}.\n"
        f"{reasons}\nClear the failed app tasks and `assemble` to run only these chunks again."
    )
    raise ChunkError(msg)


def _recorded_error(job: Job, number: int) -> str:
    recorded = job.workspace.read_json(job.workspace.error_uri(number))
    return str(recorded["error"]) if recorded else f"Chunk {number}: never ran to an end; see its task's log."


def _join(job: Job, results: list[Any], destination: Destination, work: Path, log: Log) -> None:
    engine = job.template.blocks[Role.ASSEMBLER]
    if engine.platform is Platform.PYTHON:
        load_engine(engine, "assemble")(results, destination, job.spec.params[Role.ASSEMBLER])
        return
    folder = _engine_runner(job, engine, work, log)(lambda into: _lay_out(results, into))
    limits = job.settings.max_result_files, job.settings.max_result_bytes
    for file in result_files(folder, *limits, f"assembler {engine.tag}"):
        destination.put_file(file.path, file.name)


def _lay_out(results: list[ResultObject], folder: Path) -> None:
    for result in results:
        save(result.stream(), folder / result.flat_name)


def _engine_runner(job: Job, engine: Block, work: Path, log: Log) -> Callable[[Callable[[Path], None]], Path]:
    """A function that fills the engine's input folder, runs its container and returns the output folder."""
    is_partitioner = engine.role is Role.PARTITIONER
    params = "PARTITIONER_PARAMS" if is_partitioner else "ASSEMBLER_PARAMS"
    variables = ("SOURCE_DIR", "CHUNKS_DIR") if is_partitioner else ("TASK_RESULTS_DIR", "OUTPUT_DIR")

    def run(fill: Callable[[Path], None]) -> Path:
        folder = unit_folder(work, engine.role)
        fill(folder / "in")
        environment = {params: json.dumps(job.spec.params[engine.role]), "JOB_ID": job.run_id}
        with _session(job, engine, work, log) as session:
            try:
                session.run(Unit(engine.role, folder, *variables, environment))
            except ChunkError as error:
                msg = f"{engine.role} {engine.tag}: {error}"
                raise EngineError(msg) from error
        return folder / "out"

    return run


@contextmanager
def _workbench(job: Job) -> Iterator[Path]:
    """A scratch folder, known to the engine that runs meanwhile."""
    keep_freed_memory()
    with (
        scratch_folder(job.settings.scratch) as work,
        using(Resources(work, job.settings.engine_memory_bytes, job.settings)),
    ):
        yield work


@contextmanager
def _session(
    job: Job, block: Block, work: Path, log: Log, first: int = 0, stop: Stop | None = None
) -> Iterator[Session]:
    labels = {**job.labels, "triptych.block": block.tag, "triptych.first_chunk": str(first)}
    timeout_s = job.spec.config["taskTimeout"] or block.task_timeout_s
    cache = Cache.of(job.settings.cache, block)
    secret = secret_environment(block)
    image = job.images.get(block.role)
    spec = RunSpec(block, work, cache, labels, secret, timeout_s, block.network, image, stop or Stop())
    with open_session(spec, job.settings, log) as session:
        yield session


def _plan(job: Job) -> Plan:
    sizes = [entry.size for entry in job.workspace.chunks()]
    config = job.spec.config
    per_task = config["chunksPerTask"]
    if per_task == "auto" and job.template.app.chunks_per_task:
        per_task = job.template.app.chunks_per_task
    most = config["maxConcurrency"] or (job.settings.max_tasks if per_task == "auto" else MOST_TASKS)
    return Plan(len(sizes), sum(sizes), packs(len(sizes), per_task, most))


def _outcome(job: Job, listing: Mapping[str, Any]) -> Outcome:
    files = listing["files"]
    return Outcome(
        uri=listing["uri"],
        files=len(files),
        bytes=sum(file["size"] for file in files),
        chunks=listing["chunks"],
        failed=[item["chunk"] for item in listing["failed"]],
    )


def _exists(job: Job, uri: str) -> bool:
    try:
        job.workspace.store.stat(uri)
    except ObjectNotFoundError:
        return False
    return True
