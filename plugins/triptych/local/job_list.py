"""The jobs of a workspace, the last changed first: what each is of, and how far it is. Nothing of a job need run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from triptych.errors import TriptychError
from triptych.jobs.report import Sums, read_report
from triptych.jobs.workspace import Workspace, workspace_uri
from triptych.retention import AirflowRuns
from triptych.retention.inventory import RunFolder, take_inventory
from triptych.retention.running_runs import IT_RUNS, held_back
from triptych.settings import Settings
from triptych.storage import Stores


class JobState(StrEnum):
    """How far a job is, as the workspace tells it, and whoever runs it."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    """It has no output and no failed chunk: it was stopped, or it runs where nobody here can see it."""
    REMOVED = "removed"
    """Retention took it."""


@dataclass(frozen=True)
class JobLine:
    """One job; `template` and `run` are the folders of both, which are their ids but for odd ones."""

    template: str
    run: str
    state: JobState
    changed: float
    """Seconds since the epoch; of its newest object."""
    bytes: int
    launched: float | None
    """As `changed`; with `sums` None of a job without a plan."""
    sums: Sums | None
    error: str
    """Why its plan and logs cannot be read, as those of another version; empty where they can."""


def list_jobs(
    settings: Settings, stores: Stores, airflow: AirflowRuns, template: str | None, most: int
) -> tuple[list[JobLine], int]:
    """At most so many jobs, of one template or all, and how many there are; one listing, then a look at each."""
    store = stores.workspace()
    found = take_inventory(store, workspace_uri(settings)).runs.values()
    runs = [run for run in found if run.is_run and not run.foreign and template in (None, run.dag)]
    runs.sort(key=lambda run: (-run.modified, run.dag, run.run))
    return list(_lines(settings, stores, airflow, runs[:most])), len(runs)


def _lines(settings: Settings, stores: Stores, airflow: AirflowRuns, runs: list[RunFolder]) -> Iterator[JobLine]:
    by_template: dict[str, list[str]] = {}
    for run in runs:
        by_template.setdefault(run.dag, []).append(run.run)
    busy = {
        (dag, run)
        for dag, names in by_template.items()
        for run, why in held_back(settings, airflow, dag, names).items()
        if why == IT_RUNS
    }
    for run in runs:
        report, error = None, ""
        try:
            report = None if run.is_removed else read_report(Workspace(stores.workspace(), run.uri.rstrip("/")))
        except TriptychError as failure:
            error = str(failure)
        sums = report.sums() if report else None
        state = JobState.RUNNING if (run.dag, run.run) in busy else _state(run, sums)
        launched = report.job.started if report else None
        yield JobLine(run.dag, run.run, state, run.modified, run.bytes, launched, sums, error)


def _state(run: RunFolder, sums: Sums | None) -> JobState:
    if run.is_removed:
        return JobState.REMOVED
    if run.has_output:
        return JobState.DONE
    return JobState.FAILED if sums and sums.failed else JobState.UNFINISHED
