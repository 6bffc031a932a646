"""How a run ended, in few words, from its records alone: what a notice tells."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from urllib.parse import quote

from triptych.errors import TriptychError
from triptych.harmless import harmless
from triptych.jobs.report import ChunkReport, ChunkState, JobReport, Sums, read_report
from triptych.jobs.workspace import Workspace, open_workspace
from triptych.reports.ended import read_ended
from triptych.reports.messages import pattern_of
from triptych.settings import Settings
from triptych.stages import Stage
from triptych.stages.publishing import newest_listing
from triptych.storage import Stores

SHOWN_REASONS = 3
_REASON_LETTERS = 500


@dataclass(frozen=True)
class JobEnd:
    """One run of one template that has ended; numbers of chunks are None where no plan was made."""

    text: str
    """A sentence or two with the rest: chat programs show just this key of what they are sent."""
    state: str
    """`success` or `failed`, as Airflow has it."""
    dag_id: str
    run_id: str
    name: str
    reason: str
    """Why it failed, a line each; empty for a success."""
    url: str
    """The run's page in Airflow."""
    seconds: float | None = None
    """Since `partition` froze the job."""
    chunks: int | None = None
    done: int | None = None
    failed: int | None = None
    waiting: int | None = None
    output: str | None = None
    """URI of the output; None without one."""
    files: int | None = None
    bytes: int | None = None


def read_job_end(settings: Settings, dag_id: str, run_id: str, base_url: str, *, has_succeeded: bool) -> JobEnd:
    """What the workspace tells of the run; where it cannot be read, that is the reason."""
    url = f"{base_url.rstrip('/')}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"
    state = "success" if has_succeeded else "failed"
    bare = JobEnd("", state, dag_id, run_id, dag_id, "", url)
    try:
        workspace = open_workspace(settings, Stores(settings), dag_id, run_id)
        report = read_report(workspace)
        listing = newest_listing(workspace) if has_succeeded else None
    except TriptychError as error:
        return _worded(replace(bare, reason=f"The job's records cannot be read: {harmless(str(error))}"))
    if report is None:
        reason = "" if has_succeeded else f"No plan was made: the log of the task `{Stage.PARTITION}` says why."
        return _worded(replace(bare, reason=reason))
    sums = report.sums()
    told = replace(
        bare,
        name=harmless(report.job.spec.name),
        reason="" if has_succeeded else _why(workspace, report, sums),
        seconds=round(time.time() - report.job.started, 1),
        chunks=len(report.chunks),
        done=sums.done,
        failed=sums.failed,
        waiting=sums.waiting,
        output=str(listing["uri"]) if listing else None,
        files=len(listing["files"]) if listing else None,
        bytes=sum(file["size"] for file in listing["files"]) if listing else None,
    )
    return _worded(told)


def _why(workspace: Workspace, report: JobReport, sums: Sums) -> str:
    """How many chunks failed, and the most frequent reasons; else what the last stage said."""
    failed = [chunk for chunk in report.chunks if chunk.state is ChunkState.FAILED]
    counts = f"{sums.failed} of {len(report.chunks)} chunk(s) failed, {sums.waiting} were not run."
    lines = [counts] if sums.failed or sums.waiting else []
    groups: dict[str, list[ChunkReport]] = {}
    for chunk in failed:
        groups.setdefault(pattern_of(chunk.reason, chunk.entry.name), []).append(chunk)
    for alike in sorted(groups.values(), key=len, reverse=True)[:SHOWN_REASONS]:
        first = alike[0]
        lines.append(harmless(f"{len(alike)} as chunk {first.entry.number}: {first.reason}"[:_REASON_LETTERS]))
    if not failed:
        ended = read_ended(workspace)
        task = Stage.APP if sums.waiting else Stage.ASSEMBLE
        said = ended.error if ended and ended.error else f"The log of the task `{task}` says why."
        lines.append(harmless(said[:_REASON_LETTERS]))
    return "\n".join(lines)


def _worded(end: JobEnd) -> JobEnd:
    """With its text, which follows from the rest."""
    job = end.name if end.name == end.dag_id else f"{end.name} ({end.dag_id})"
    ended = "succeeded" if end.state == "success" else "failed"
    lines = (f"Job {job} {ended}: run {end.run_id}.", end.reason, end.url)
    return replace(end, text="\n".join(line for line in lines if line))
