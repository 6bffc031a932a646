"""A whole job on this machine, with no Airflow: the same stages, several packs at once."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Protocol

from triptych.blocks import Block, Role, Template
from triptych.errors import ConfigError, IntegrityError, TriptychError, VerdictError
from triptych.jobs.job import Job, PlannedJob, load_job, new_job
from triptych.jobs.locations import Location
from triptych.jobs.plan import Plan, check_kept, planned, read_plan
from triptych.jobs.spec import JobSpec
from triptych.jobs.workspace import Workspace, folder_name, open_workspace
from triptych.reports import leaving_report
from triptych.retention.run_lock import forget, held_run
from triptych.running import Stop
from triptych.settings import Settings
from triptych.stages.assemble import Outcome, assemble
from triptych.stages.partition import partition
from triptych.stages.preflight import PROBE
from triptych.stages.repair import Change, NewCode, repair
from triptych.stages.run_pack import ChunkOutcome, Launch, run_pack
from triptych.storage import Stores

POLL_S = 0.2
"""A wait without end would not notice Ctrl-C."""


class JobListener(Protocol):
    """Hears how a job goes; called from several threads. What scripts print comes by `logging`."""

    def on_planned(self, plan: Plan) -> None:
        """The chunk list is written."""

    def on_chunk(self, outcome: ChunkOutcome) -> None:
        """A chunk ended, well or not."""

    def on_pack(self, first: int) -> None:
        """The pack that begins with this chunk is over, for now."""

    def on_assembling(self) -> None:
        """Every pack has been run."""


@dataclass(frozen=True)
class Summary:
    """What a finished job came to."""

    outcome: Outcome
    bytes_in: int
    seconds: float
    sample: int | None = None
    """Only so many chunks were wanted."""


def new_run_id() -> str:
    """Sorts by time of launch: `local-20261124T093000-1f9a`."""
    return f"local-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def run_job(
    settings: Settings, template: Template, spec: JobSpec, run_id: str, workers: int | None, listener: JobListener
) -> Summary:
    """From source to output; KeyboardInterrupt leaves no process, container or scratch folder behind.

    So many of its tasks run at once; None: as this machine has cores for, with one for each container.
    """
    started = time.time()
    job = new_job(settings, template, spec, template.id, run_id, started)
    with held_run(settings, template.id, run_id):
        with _forgotten_unless_stored(job):
            done = partition(job, _at_once(workers, template.app.parallel))
        return run_planned(load_job(settings, job.dag_id, run_id, done.ref, started, job.stores), workers, listener)


@contextlib.contextmanager
def _forgotten_unless_stored(job: Job) -> Iterator[None]:
    """What is refused before anything of it was stored leaves no lock, which would tell of a run that is none."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(TriptychError):
            if set(job.workspace.names("")) <= {PROBE}:
                forget(job.settings, folder_name(job.dag_id), folder_name(job.run_id))
        raise


@dataclass(frozen=True)
class Resume:
    """What a resume may change of a job; nothing by default."""

    plan_sha256: str | None = None
    """Of the newest plan, when it is known from elsewhere: who may write to the workspace could have changed it."""
    new_code: NewCode | None = None
    blocks: Mapping[Role, Block] = field(default_factory=dict)
    """The new code, when that is wanted."""
    destination: Location | None = None
    retries: int | None = None
    """Of a failed chunk in this round."""


def resumed_job(settings: Settings, dag_id: str, run_id: str, resume: Resume) -> PlannedJob:
    """The job of an earlier run, changed as wanted: its time begins now. Changes make the next plan.

    IntegrityError when it has no plan, or another than was named; ConfigError for what cannot be had any more.
    """
    stores = Stores(settings)
    workspace = open_workspace(settings, stores, dag_id, run_id)
    ref = planned(workspace)
    if resume.plan_sha256 not in (None, ref.sha256):
        msg = f"--plan {resume.plan_sha256}: {workspace.uri(ref.name)}, the newest, has SHA-256 {ref.sha256}."
        raise IntegrityError(msg)
    check_kept(workspace, read_plan(workspace, ref))
    if resume.destination:
        _check_unpublished(workspace)
    if resume.new_code or resume.destination:
        change = Change(resume.blocks, resume.new_code or NewCode.KEEP, resume.destination)
        ref = repair(settings, workspace, stores, change).ref
    job = load_job(settings, dag_id, run_id, ref, stores=stores)
    if resume.retries is None:
        return job
    return replace(job, spec=replace(job.spec, config={**job.spec.config, "maxTaskRetries": resume.retries}))


def _check_unpublished(workspace: Workspace) -> None:
    """ConfigError when output was, or is being, put into the job's own destination."""
    if workspace.names("publish/") or workspace.names("output"):
        msg = (
            "--destination: output of this job is in its destination already, or on its way there. Resume without "
            "--destination and copy the output, or launch a new job."
        )
        raise ConfigError(msg)


def run_planned(job: PlannedJob, workers: int | None, listener: JobListener) -> Summary:
    """All stages after `partition`, and the report; KeyboardInterrupt leaves no process or container behind, no scratch
    folder, and no report. `workers` as in `run_job`."""
    listener.on_planned(job.plan)
    with leaving_report(job):
        _run_packs(job, workers, listener)
        listener.on_assembling()
        outcome = assemble(job)
    return Summary(outcome, job.plan.size, time.time() - job.began, job.spec.config["sample"])


def _at_once(workers: int | None, parallel: int) -> int:
    return workers or max(1, (os.cpu_count() or 1) // parallel)


def _run_packs(job: PlannedJob, workers: int | None, listener: JobListener) -> None:
    stop = Stop()
    launch = Launch(f"local-{secrets.token_hex(4)}")

    def work(first: int) -> None:
        stop.check()
        try:
            run_pack(job, first, launch, listener.on_chunk, stop)
        finally:
            listener.on_pack(first)

    at_once = _at_once(workers, job.plan.blocks[Role.APP].parallel)
    with ThreadPoolExecutor(min(at_once, len(job.plan.packs)) or 1) as pool, _stopping(stop):
        waiting = {pool.submit(work, pack.first) for pack in job.plan.packs}
        while waiting:
            done, waiting = wait(waiting, POLL_S, FIRST_COMPLETED)
            for future in done:
                _raise_fatal(future)


def _raise_fatal(future: Future[None]) -> None:
    """A failed chunk is for `assemble` to judge; anything else ends the job now."""
    with contextlib.suppress(VerdictError):
        future.result()


@contextlib.contextmanager
def _stopping(stop: Stop) -> Iterator[None]:
    """Ends what runs when the context is left by an error, before the pool waits for its threads."""
    try:
        yield
    except BaseException:
        stop.ask()
        raise
