"""A whole job on this machine, with no Airflow: the same stages, several packs at once."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from triptych.blocks import Template
from triptych.errors import VerdictError
from triptych.jobs.job import PlannedJob, load_job, new_job
from triptych.jobs.plan import Plan
from triptych.jobs.spec import JobSpec
from triptych.running import Stop
from triptych.settings import Settings
from triptych.stages.assemble import Outcome, assemble
from triptych.stages.partition import partition
from triptych.stages.run_pack import ChunkOutcome, Launch, run_pack

POLL_S = 0.2
"""A wait without end would not notice Ctrl-C."""


class JobListener(Protocol):
    """Hears how a job goes; called from several threads. What scripts print comes by `logging`."""

    def on_planned(self, plan: Plan) -> None:
        """The chunk list is written."""

    def on_chunk(self, outcome: ChunkOutcome) -> None:
        """A chunk ended, well or not."""

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
    settings: Settings, template: Template, spec: JobSpec, run_id: str, workers: int, listener: JobListener
) -> Summary:
    """From source to output; KeyboardInterrupt leaves no process, container or scratch folder behind."""
    started = time.time()
    job = new_job(settings, template, spec, template.id, run_id, started)
    done = partition(job)
    return _run_stages(load_job(settings, job.dag_id, run_id, done.ref, started, job.stores), workers, listener)


def resume_job(settings: Settings, template: Template, run_id: str, workers: int, listener: JobListener) -> Summary:
    """Do what an earlier run of this id left undone; IntegrityError when it has no plan."""
    return _run_stages(load_job(settings, template.id, run_id), workers, listener)


def _run_stages(job: PlannedJob, workers: int, listener: JobListener) -> Summary:
    listener.on_planned(job.plan)
    _run_packs(job, workers, listener)
    listener.on_assembling()
    outcome = assemble(job)
    return Summary(outcome, job.plan.size, time.time() - job.began, job.spec.config["sample"])


def _run_packs(job: PlannedJob, workers: int, listener: JobListener) -> None:
    stop = Stop()
    launch = Launch(f"local-{secrets.token_hex(4)}")

    def work(first: int) -> None:
        stop.check()
        run_pack(job, first, launch, listener.on_chunk, stop)

    with ThreadPoolExecutor(min(workers, len(job.plan.packs)) or 1) as pool, _stopping(stop):
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
