"""The last stage: judge the failures, join the results, list the output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from triptych.blocks import Block, Platform, Role
from triptych.engines import Output
from triptych.engines.runtime.loading import loaded_engine
from triptych.errors import DestinationError, IntegrityError, StorageError, TriptychError, VerdictError
from triptych.harmless import harmless_logger
from triptych.jobs.history.kept import note_pace
from triptych.jobs.history.pace import Pace
from triptych.jobs.job import PlannedJob
from triptych.jobs.pack_log import Attempted, PackState, States, read_states
from triptych.jobs.workspace import ChunkEntry
from triptych.running.result_files import ResultLimits
from triptych.stages.cache_reasons import HIT
from triptych.stages.deadline import within_time
from triptych.stages.frozen_code import open_code
from triptych.stages.lineage import TracedOutput, provenance
from triptych.stages.preflight.machines import check_seen_elsewhere
from triptych.stages.publishing import Existing, Listing, Publisher, Records, Target, Used
from triptych.stages.publishing.cleaning import end_uploads
from triptych.stages.results import ResultObject, read_results
from triptych.stages.sessions import BlockRunner, workbench
from triptych.stages.side_inputs import held_inputs
from triptych.stages.temporary_output import output_area
from triptych.storage.copying import save

SHOWN_FAILURES, SHOWN_REASONS = 20, 5
"""How many numbers of failed chunks, and how many of their errors, the verdict repeats."""
NEVER_ENDED = "never ran to an end; see its task's log."
_log = harmless_logger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What `assemble` made, and which chunks it had to do without."""

    uri: str
    files: int
    bytes: int
    chunks: int
    failed: list[int]
    links: Mapping[str, str] = field(default_factory=dict)
    """By name of its file, of an output in temporary storage: each is a right, which no log and no XCom may hold."""
    links_expire: str | None = None


def assemble(job: PlannedJob) -> Outcome:
    """Join the results that count into the output; raises ChunkError when more chunks failed than tolerated.

    An output that was made of the same results is kept; one that lacked chunks which have a result now is made again.
    """
    with within_time(job):
        return _assembled(job)


def _assembled(job: PlannedJob) -> Outcome:
    states = read_states(job.workspace, job.plan)
    used = Used(job.plan.generation, _positions(states))
    target = _target(job)
    publisher = Publisher(Records(job.workspace.store, job.workspace.root), target, used)
    listing = publisher.settled()
    if listing is None:
        check_seen_elsewhere(job.settings, target.store, target.uri)
        listing = _made(job, states, publisher, target.uri)
        _remember(job, states)
    else:
        _log.info("The output is there already and is kept.")
    outcome = _outcome(listing)
    if not outcome.failed:
        end_uploads(job.workspace.store, f"{job.workspace.root}/")
    _log.info("Output: %d file(s), %s bytes in %s", outcome.files, f"{outcome.bytes:,}", outcome.uri)
    return outcome


def _made(job: PlannedJob, states: States, publisher: Publisher, uri: str) -> Listing:
    """The list of the output that this attempt makes below the URI, or that another one made meanwhile."""
    chunks = list(job.workspace.chunks(job.plan.chunk_list))
    done = {number: tried for _, state in states.values() for number, tried in state.done.items()}
    failed = _failures(chunks, [state for _, state in states.values()], done)
    _judge(len(chunks), failed, job.spec.config["toleratedFailurePercentage"])
    summary: dict[str, Any] = {
        "name": job.spec.name,
        "uri": uri,
        "chunks": len(chunks),
        "failed": [{"chunk": number, "error": error} for number, error in failed.items()],
        "sources": [{"uri": each.uri, "size": each.size, "etag": each.etag} for each in job.sources],
        "inputs": [
            {"name": side.name, "files": len(side.files), "size": side.size, "sha256": side.digest}
            for side in job.plan.inputs
        ],
        "blocks": {role: asdict(block) for role, block in job.plan.blocks.items()},
    }
    try:
        with (
            publisher.staging() as output,
            held_inputs(job.plan.inputs, job.stores, job.settings) as inputs,
            workbench(job.settings, inputs) as work,
            read_results(job.workspace, chunks, done, work) as results,
        ):
            _log.info("%d result file(s) of %d chunk(s).", len(results), len(done))
            engine = open_code(job.workspace, job.plan.blocks[Role.ASSEMBLER], work)
            traced = TracedOutput(output)
            for result in results:
                result.on_read = traced.on_read
            _join(engine, job.spec.params[Role.ASSEMBLER], results, traced, BlockRunner.of(job, inputs.mounted), work)
            summary["provenance"] = provenance(traced.chunks, chunks, has_sources=bool(job.sources))
            return publisher.publish(output, summary)
    except (StorageError, DestinationError):
        # An attempt that finishes cleans up after those that began before it, which may be alive all the same, and
        # meet its files in the destination.
        finished = publisher.settled()
        if finished is None:
            raise
        return finished


def _remember(job: PlannedJob, states: States) -> None:
    """Have later jobs know how long these chunks took; those whose result came from the cache took no time."""
    done = (tried for _, state in states.values() for tried in state.done.values())
    pace = Pace.of((tried.bytes_in, tried.seconds) for tried in done if tried.cache != HIT)
    if pace is None:
        return
    app = job.plan.blocks[Role.APP].tag.partition("@")[0]
    try:
        note_pace(job.settings, job.workspace.store, job.dag_id, app, pace)
    except TriptychError as error:
        _log.warning("How long its chunks took is not kept for later jobs: %s", error)


def _target(job: PlannedJob) -> Target:
    existing = Existing(job.spec.config["existing"])
    if job.spec.temporary:
        uri, store, links_s = output_area(job).uri, job.workspace.store, job.settings.temporary_s
        return Target(store, uri, job.dag_id, job.run_id, existing, links_s)
    return Target(job.destination_store, job.destination.uri, job.dag_id, job.run_id, existing)


def _positions(states: States) -> dict[str, list[int]]:
    """Which entry of each pack's log was read: `{"0-16": [0, 3]}` is the third of plan 0."""
    return {pack.key: [position.generation, position.number] for pack, (position, _) in states.items()}


def _failures(
    chunks: Sequence[ChunkEntry], states: Iterable[PackState], done: Mapping[int, Attempted]
) -> dict[int, str]:
    """By number of those without a result, in order, why the last try failed."""
    reasons = {tried.chunk: tried.error or "" for state in states for tried in state.failures}
    numbers = (chunk.number for chunk in chunks if chunk.number not in done)
    return {number: reasons.get(number) or f"Chunk {number}: {NEVER_ENDED}" for number in numbers}


def _judge(chunks: int, failed: Mapping[int, str], tolerated: float) -> None:
    if not failed or 100 * len(failed) <= tolerated * chunks:
        return
    more = " ..." if len(failed) > SHOWN_FAILURES else ""
    verdict = (
        f"{len(failed)} of {chunks} chunks have no result ({100 * len(failed) / chunks:.3g} %, "
        f"tolerated: {tolerated} %): {', '.join(map(str, islice(failed, SHOWN_FAILURES)))}{more}."
    )
    raise VerdictError(verdict, islice(failed.values(), SHOWN_REASONS))


def _join(
    engine: Block,
    params: Mapping[str, Any],
    results: Sequence[ResultObject],
    output: Output,
    runner: BlockRunner,
    work: Path,
) -> None:
    if engine.platform is Platform.PYTHON:
        with loaded_engine(engine, "assemble") as join:
            join(results, output, params)
        return

    def fill(folder: Path) -> None:
        for result in results:
            save(result.stream(), folder / result.flat_name)

    limits = ResultLimits.of(runner.settings)
    for file in runner.run_engine(engine, params, work, fill, limits):
        output.put_file(file.path, file.name)


def _outcome(listing: Mapping[str, Any]) -> Outcome:
    """What the list of an output says; IntegrityError for one that is none of ours."""
    files = listing["files"]
    try:
        return Outcome(
            uri=str(listing["uri"]),
            files=len(files),
            bytes=sum(file["size"] for file in files),
            chunks=int(listing["chunks"]),
            failed=[int(item["chunk"]) for item in listing["failed"]],
            links={file["name"]: str(file["link"]) for file in files if "link" in file},
            links_expire=listing.get("links_expire"),
        )
    except (LookupError, TypeError, ValueError) as error:
        msg = f"The list of this job's output is no record as Triptych writes it ({type(error).__name__}: {error})."
        raise IntegrityError(msg) from error
