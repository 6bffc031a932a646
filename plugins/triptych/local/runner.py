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
from triptych.errors import ChunkError
from triptych.jobs.job import Job, open_job, thaw
from triptych.jobs.packs import Pack
from triptych.jobs.spec import JobSpec
from triptych.running import Stop
from triptych.settings import Settings
from triptych.stages import stages

POLL_S = 0.2
"""A wait without end would not notice Ctrl-C."""


class Watcher(Protocol):
    """Is told how a job goes; called from several threads."""

    def log(self, line: str) -> None: ...
    def planned(self, plan: stages.Plan) -> None: ...
    def ended(self, outcome: stages.ChunkOutcome) -> None: ...
    def assembling(self) -> None: ...


@dataclass(frozen=True)
class Summary:
    """What a finished job came to."""

    outcome: stages.Outcome
    bytes_in: int
    seconds: float


def new_run_id() -> str:
    """Sorts by time of launch: `local-20261124T093000-1f9a`."""
    return f"local-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def run_job(
    settings: Settings, template: Template, spec: JobSpec, run_id: str, workers: int, watch: Watcher
) -> Summary:
    """From source to output; KeyboardInterrupt leaves no process, container or scratch folder behind."""
    return _run_stages(open_job(settings, template, spec, template.id, run_id), workers, watch)


def resume_job(settings: Settings, template: Template, run_id: str, workers: int, watch: Watcher) -> Summary:
    """Do what an earlier run of this id left undone; JobSpecError or IntegrityError when there is none."""
    return _run_stages(thaw(settings, template, template.id, run_id), workers, watch)


def _run_stages(job: Job, workers: int, watch: Watcher) -> Summary:
    started = time.monotonic()
    plan = stages.partition(job, watch.log)
    watch.planned(plan)
    frozen = thaw(job.settings, job.template, job.dag_id, job.run_id)
    _run_packs(frozen, plan.packs, workers, watch)
    watch.assembling()
    outcome = stages.assemble(frozen, watch.log)
    return Summary(outcome, plan.bytes, time.monotonic() - started)


def _run_packs(job: Job, packs: list[Pack], workers: int, watch: Watcher) -> None:
    stop = Stop()

    def work(pack: Pack) -> None:
        stop.check()
        stages.run_pack(job, pack["first"], pack["count"], 1, watch.log, watch.ended, stop)

    with ThreadPoolExecutor(min(workers, len(packs)) or 1) as pool, _stopping(stop):
        waiting = {pool.submit(work, pack) for pack in packs}
        while waiting:
            done, waiting = wait(waiting, POLL_S, FIRST_COMPLETED)
            for future in done:
                _raise_fatal(future)


def _raise_fatal(future: Future[None]) -> None:
    """A failed chunk is for `assemble` to judge; anything else ends the job now."""
    with contextlib.suppress(ChunkError):
        future.result()


@contextlib.contextmanager
def _stopping(stop: Stop) -> Iterator[None]:
    """Ends what runs when the context is left by an error, before the pool waits for its threads."""
    try:
        yield
    except BaseException:
        stop.ask()
        raise
