"""`triptych job list`: which jobs there are, and how far each is."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from triptych.cli.console import echo, print_json, print_table
from triptych.cli.place import Place, placed
from triptych.cli.setup import AsJson, template_id
from triptych.errors import ConfigError, TriptychError
from triptych.jobs.report import read_report
from triptych.jobs.views.job_line import JobLine, JobState, Wanted
from triptych.jobs.views.rate import clock
from triptych.local import job_list
from triptych.retention.running_runs import NoAirflow
from triptych.storage import Stores

LISTED = 20
"""Jobs in the list, unless more are asked for."""
COLUMNS = ["run", "template", "state", "launched (UTC)", "took", "chunks", "done", "failed", "bytes kept"]
EPILOG = """Examples:

`triptych job list --template wordcount --limit 5`

`triptych job list --state failed --since 2d --json`

`triptych job list --airflow https://airflow.example.com --user ada --state running --sort took`
"""
_AGES = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


class Order(StrEnum):
    """What a list begins with."""

    CHANGED = "changed"
    LAUNCHED = "launched"
    TOOK = "took"
    FAILED = "failed"
    BYTES = "bytes"
    STATE = "state"
    TEMPLATE = "template"


_KEYS: dict[Order, Callable[[JobLine], tuple[float | str, ...]]] = {
    Order.CHANGED: lambda job: (-(job.changed or 0),),
    Order.LAUNCHED: lambda job: (-(job.launched or 0),),
    Order.TOOK: lambda job: (-(took(job) or 0),),
    Order.FAILED: lambda job: (-(job.sums.failed if job.sums else 0),),
    Order.BYTES: lambda job: (-(job.bytes or 0),),
    Order.STATE: lambda job: (list(JobState).index(job.state),),
    Order.TEMPLATE: lambda job: (job.template,),
}


@placed
def list_jobs(
    place: Place,
    template: Annotated[
        str | None, typer.Option("--template", "-t", "--dag", help="Only jobs of this template.")
    ] = None,
    state: Annotated[
        list[JobState] | None, typer.Option("--state", help="Only in this state; may be repeated.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only what changed since: an age as 30m, 12h, 2d or 1w, or a day as 2026-11-24.")
    ] = None,
    sort: Annotated[Order, typer.Option(help="What comes first: the newest, largest, slowest, or by name.")] = (
        Order.CHANGED
    ),
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = LISTED,
    json_: AsJson = False,
) -> None:
    """The jobs of the workspace, or of an Airflow, the last changed first: state, chunks, when they were launched."""
    most = limit if sort is Order.CHANGED else None
    jobs, count = _found(place, Wanted(template, frozenset(state or ()), _time(since) if since else 0.0), most)
    if sort is Order.FAILED:
        jobs = [_with_chunks(place, job) for job in jobs]
    jobs = sorted(jobs, key=_KEYS[sort])[:limit]
    jobs = [_with_chunks(place, job) for job in jobs]
    if json_:
        print_json([{**asdict(job), "state": job.state.value, "seconds": took(job)} for job in jobs])
        return
    print_table(COLUMNS, [_row(job) for job in jobs])
    for job in jobs:
        if job.error:
            echo(f"{job.run}: {job.error}")
    if len(jobs) < count:
        more = f"; --limit {count} shows every one" if not state or place.client else ", or more; --limit shows them"
        echo(f"{len(jobs)} of {count} jobs{more}.")
    if not count:
        where = place.client.url if place.client else place.settings.workspace
        echo(f"No job in {where}{f' of the template {template}' if template else ''}{' that fits' if state else ''}.")


def took(job: JobLine) -> float | None:
    """Seconds from its launch to its end, or until now; None where neither is known."""
    if job.launched is None or job.state is JobState.REMOVED:
        return None
    end = job.ended if job.state.has_ended else time.time()
    return None if end is None else max(0.0, end - job.launched)


def _found(place: Place, wanted: Wanted, most: int | None) -> tuple[Sequence[JobLine], int]:
    if place.client is None:
        if wanted.template:
            wanted = replace(wanted, template=template_id(place.settings, wanted.template))
        return job_list.list_jobs(place.settings, Stores(place.settings), NoAirflow(), wanted, most)
    from triptych.airflow.job_runs import list_runs

    return list_runs(place.client, wanted, most)


def _with_chunks(place: Place, job: JobLine) -> JobLine:
    """With what the workspace tells beside Airflow, where it is known; a list of the workspace has it already."""
    if place.client is None or not place.has_workspace or job.sums:
        return job
    try:
        report = read_report(place.workspace(job.template, job.run))
    except TriptychError as error:
        return replace(job, error=str(error))
    return replace(job, sums=report.sums()) if report else job


def _time(text: str) -> float:
    """Seconds since the epoch of an age, or of a day or time in UTC; ConfigError for anything else."""
    if age := re.fullmatch(r"(\d{1,6})([mhdw])", text):
        return time.time() - int(age[1]) * _AGES[age[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        msg = f"--since {text}: is no age as 30m, 12h, 2d or 1w, and no day as 2026-11-24."
        raise ConfigError(msg) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _row(job: JobLine) -> list[str]:
    launched = "-" if job.launched is None else time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(job.launched))
    sums = job.sums
    chunks = ["-"] * 3
    if sums:
        chunks = [str(sums.done + sums.failed + sums.waiting), str(sums.done), str(sums.failed)]
    size = "-" if job.bytes is None else f"{job.bytes:,}"
    return [job.run, job.template, job.state.value, launched, clock(took(job)), *chunks, size]
