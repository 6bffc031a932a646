"""The jobs of a workspace, the last changed first: what each is of, and how far it is. Nothing of a job need run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from triptych.errors import TriptychError
from triptych.jobs.report import read_report
from triptych.jobs.views.job_line import JobLine, JobState, Wanted
from triptych.jobs.workspace import Workspace, folder_name, workspace_uri
from triptych.retention.inventory import RunFolder, take_inventory
from triptych.retention.run_lock import is_held
from triptych.retention.running_runs import IT_RUNS, AirflowRuns, held_back
from triptych.settings import Settings
from triptych.storage import Stores


def list_jobs(
    settings: Settings, stores: Stores, airflow: AirflowRuns, wanted: Wanted, most: int | None
) -> tuple[list[JobLine], int]:
    """At most so many jobs, and how many there are at least: all, where no state is asked for.

    One listing, then a look at each until there are enough.
    """
    store = stores.workspace()
    found = take_inventory(store, workspace_uri(settings)).runs.values()
    runs = [run for run in found if run.is_run and not run.foreign and wanted.template in (None, run.dag)]
    runs = [run for run in runs if run.modified >= wanted.since]
    runs.sort(key=lambda run: (-run.modified, run.dag, run.run))
    if not wanted.states:
        return list(_lines(settings, stores, airflow, runs[:most])), len(runs)
    lines = (line for line in _lines(settings, stores, airflow, runs) if line.state in wanted.states)
    fit = list(islice(lines, None if most is None else most + 1))
    return fit[:most], len(fit)


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
        state = JobState.RUNNING if (run.dag, run.run) in busy else _state(run, sums.failed if sums else 0)
        launched = report.job.started if report else None
        ended = run.modified if state.has_ended and state is not JobState.REMOVED else None
        yield JobLine(run.dag, run.run, state, run.modified, run.bytes, launched, ended, sums, error)


def _state(run: RunFolder, failed: int) -> JobState:
    if run.is_removed:
        return JobState.REMOVED
    if run.has_output:
        return JobState.DONE
    return JobState.FAILED if failed else JobState.UNFINISHED


def state_of(settings: Settings, workspace: Workspace, dag: str, run: str, failed: int) -> JobState:
    """That of one run of the command's, of which so many chunks failed.

    Of one that was launched elsewhere nobody here knows whether it runs.
    """
    if is_held(settings, folder_name(dag), folder_name(run)):
        return JobState.RUNNING
    folder = RunFolder(workspace.root)
    for prefix in ("publish/", "output/"):
        for name in workspace.names(prefix):
            folder.see(name, 0, 0.0)
    return _state(folder, failed)
