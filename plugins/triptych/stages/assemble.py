"""The last stage: judge the failures, join the results, list the output."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from triptych.blocks import Block, Platform, Role
from triptych.engines.runtime.loading import loaded_engine
from triptych.errors import ChunkError
from triptych.jobs.job import Job
from triptych.jobs.workspace import ChunkEntry, Commit, Workspace
from triptych.running.result_files import ResultLimits
from triptych.stages.destination import Destination
from triptych.stages.results import ResultObject, read_results
from triptych.stages.sessions import BlockRunner, workbench
from triptych.storage.copying import save

SHOWN_FAILURES, SHOWN_REASONS = 20, 5
"""How many numbers of failed chunks, and how many of their errors, the verdict repeats."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What `assemble` made, and which chunks it had to do without."""

    uri: str
    files: int
    bytes: int
    chunks: int
    failed: list[int]


def assemble(job: Job) -> Outcome:
    """Join the committed results into the output; raises ChunkError when more chunks failed than tolerated."""
    workspace = job.workspace
    finished = workspace.read_json(workspace.output_uri)
    if finished:
        _log.info("The output is there already and is kept.")
        return _outcome(finished)
    chunks = list(workspace.chunks())
    done = workspace.committed()
    failed = [chunk.number for chunk in chunks if chunk.number not in done]
    _judge(workspace, len(chunks), failed, job.spec.config["toleratedFailurePercentage"])
    commits = _commits(workspace, chunks, done)
    destination = Destination(job.destination.uri, job.stores.open(job.destination.uri, job.destination.conn_id))
    destination.begin()
    try:
        with workbench(job.settings) as work:
            results = read_results(workspace, chunks, commits, work)
            _log.info("%d result file(s) of %d chunk(s).", len(results), len(commits))
            engine = job.template.blocks[Role.ASSEMBLER]
            _join(engine, job.spec.params[Role.ASSEMBLER], results, destination, BlockRunner.of(job), work)
    except BaseException:
        destination.rollback()
        raise
    listing = {
        "name": job.spec.name,
        "uri": destination.uri,
        "chunks": len(chunks),
        "failed": [{"chunk": number, "error": workspace.read_error(number)} for number in failed],
        "files": [asdict(file) for file in destination.files],
    }
    destination.commit(json.dumps(listing, indent=1, ensure_ascii=False).encode())
    workspace.put_json(workspace.output_uri, listing)
    outcome = _outcome(listing)
    _log.info("Output: %d file(s), %s bytes in %s", outcome.files, f"{outcome.bytes:,}", outcome.uri)
    return outcome


def _commits(workspace: Workspace, chunks: Sequence[ChunkEntry], done: set[int]) -> dict[int, Commit]:
    numbers = (chunk.number for chunk in chunks if chunk.number in done)
    return {number: commit for number in numbers if (commit := workspace.read_commit(number))}


def _judge(workspace: Workspace, chunks: int, failed: Sequence[int], tolerated: float) -> None:
    if not failed or 100 * len(failed) <= tolerated * chunks:
        return
    reasons = "\n".join(workspace.read_error(number) for number in failed[:SHOWN_REASONS])
    more = " ..." if len(failed) > SHOWN_FAILURES else ""
    msg = (
        f"{len(failed)} of {chunks} chunks have no result ({100 * len(failed) / chunks:.3g} %, "
        f"tolerated: {tolerated} %): {', '.join(map(str, failed[:SHOWN_FAILURES]))}{more}.\n"
        f"{reasons}\nClear the failed app tasks and `assemble` to run only these chunks again."
    )
    raise ChunkError(msg)


def _join(
    engine: Block,
    params: Mapping[str, Any],
    results: Sequence[ResultObject],
    destination: Destination,
    runner: BlockRunner,
    work: Path,
) -> None:
    if engine.platform is Platform.PYTHON:
        with loaded_engine(engine, "assemble") as join:
            join(results, destination, params)
        return

    def fill(folder: Path) -> None:
        for result in results:
            save(result.stream(), folder / result.flat_name)

    limits = ResultLimits.of(runner.settings)
    for file in runner.run_engine(engine, params, work, fill, limits):
        destination.put_file(file.path, file.name)


def _outcome(listing: Mapping[str, Any]) -> Outcome:
    files = listing["files"]
    return Outcome(
        uri=listing["uri"],
        files=len(files),
        bytes=sum(file["size"] for file in files),
        chunks=listing["chunks"],
        failed=[item["chunk"] for item in listing["failed"]],
    )
