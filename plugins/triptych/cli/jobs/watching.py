"""`triptych job watch`: how a job goes, until it ends."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from triptych.cli.console import echo, errors, print_json_line, print_line
from triptych.cli.jobs.opening import output_uri
from triptych.cli.place import OfTemplate, Place, Run, placed
from triptych.cli.setup import AsJson
from triptych.errors import JobFailedError, VerdictError
from triptych.jobs.views.following import Follower, Seen
from triptych.jobs.views.job_line import JobState
from triptych.jobs.views.rate import Rate, Speed
from triptych.local.job_list import state_of
from triptych.stages import Stage
from triptych.storage.paths import file_path

INTERVAL_S = 2.0
EPILOG = """Examples:

`triptych job watch local-20261124T093000-1f9a`

`triptych job watch manual__2026-11-24T09:30:00+00:00 --profile production --json`

Exit codes: 0 it is done; 8 chunks failed; 15 it ended without an output for another reason, a stop too; 130 Ctrl-C, which leaves the job running.
"""  # noqa: E501 - a sentence is one line.
_nap = threading.Event().wait


@dataclass(frozen=True)
class Glance:
    """A job at one moment: its state, its chunks as far as records tell, and in Airflow its packs by state."""

    state: JobState
    seen: Seen | None
    packs: Mapping[str, int]
    speed: Speed = Speed(None, None)  # noqa: RUF009 - it is frozen.

    def told(self) -> str:
        """`117 of 1,000 chunk(s) done, 3 failed, 880 left; 12.3 chunks/s, about 1:12 left`, or as much as is known."""
        running = self.packs.get("running", 0)
        at_work = f", {running} task(s) at work" if running else ""
        if self.seen:
            seen = self.seen
            counts = f"{seen.done:,} of {seen.chunks:,} chunk(s) done, {seen.failed:,} failed, {seen.left:,} left"
            return f"{counts}{at_work}{self.speed.told()}"
        if sum(self.packs.values()):
            told = ", ".join(f"{count} {name}" for name, count in self.packs.items() if count and name != "running")
            return f"Packs of chunks: {told or 'none ended'}{at_work}{self.speed.told()}"
        return "Waiting for its start" if self.state is JobState.QUEUED else "Partitioning"

    def as_json(self) -> dict[str, Any]:
        """The same as numbers."""
        seen = self.seen
        return {
            "state": self.state.value,
            "chunks": seen.chunks if seen else None,
            "done": seen.done if seen else None,
            "failed": seen.failed if seen else None,
            "left": seen.left if seen else None,
            "packs": dict(self.packs) or None,
            "chunks_per_second": self.speed.per_s,
            "seconds_left": self.speed.left_s,
        }


@placed
def watch(
    place: Place,
    run: Run,
    template: OfTemplate = None,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = INTERVAL_S,
    json_: AsJson = False,
) -> None:
    """Follow a job until it ends: chunks done, failed and left, how many a second, how long it will take.

    On a terminal in place, elsewhere a line for each change; with --json one object a line. Ctrl-C ends the watching,
    not the job.
    """
    dag = place.dag_of(run, template)
    last = None
    try:
        with _display(quiet=json_) as show:
            for glance in glances(place, dag, run, interval):
                if json_ and (last is None or last.as_json() != glance.as_json()):
                    print_json_line({"run": run, "template": dag, **glance.as_json()})
                show(glance)
                last = glance
    except KeyboardInterrupt:
        again = shlex.join(["triptych", "job", "cancel", run, "--template", dag, *place.options])
        echo(f"The job goes on; only the watching ended. To end the job:\n  {again}")
        raise typer.Exit(130) from None
    assert last is not None  # There is a first look.
    _end(place, dag, run, last, as_json=json_)


def glances(place: Place, dag: str, run: str, interval_s: float) -> Iterator[Glance]:
    """A look now, and every so often until the job has ended; the last one is of its end."""
    follower = Follower(place.workspace(dag, run)) if place.has_workspace else None
    rate = Rate()
    while True:
        # First how it is, then what there is: of a job that has ended nothing more comes.
        state, packs = _state(place, dag, run)
        seen = follower.look() if follower else None
        if state is None:
            assert follower is not None  # Without an Airflow there is a workspace.
            state = state_of(place.settings, follower.workspace, dag, run, seen.failed if seen else 0)
        speed = _speed(rate, seen)
        yield Glance(state, seen, packs, Speed(None, None) if state.has_ended else speed)
        if state.has_ended:
            return
        _nap(interval_s)


def _state(place: Place, dag: str, run: str) -> tuple[JobState | None, Mapping[str, int]]:
    """What Airflow says, with the packs by state; None where there is none."""
    client = place.client
    if client is None:
        return (None, {})
    from triptych.airflow.job_runs import run_line

    state = run_line(client, dag, run).state
    names = ("running",) if place.has_workspace else ("success", "failed", "running", "queued", "scheduled")
    packs = {name: client.count_tasks(dag, run, Stage.APP.value, name) for name in names} if state else {}
    return state, packs


def _speed(rate: Rate, seen: Seen | None) -> Speed:
    """By chunks; packs are too few, and too unlike each other, to tell."""
    if seen is None:
        return Speed(None, None)
    first = min((each.started for each in seen.new), default=None)
    return rate.saw(seen.done + seen.failed, seen.left, first)


class _Shown:
    """Shows each glance: nowhere, as a line where it differs from the one before, or in place."""

    def __init__(self, bar: Progress | None, *, quiet: bool) -> None:
        self._bar, self._quiet = bar, quiet
        self._task = bar.add_task("", total=None) if bar else None
        self._last = ""

    def __call__(self, glance: Glance) -> None:
        if self._bar and self._task is not None:
            seen = glance.seen
            ended, chunks = (seen.done + seen.failed, seen.chunks) if seen else (0, None)
            self._bar.update(self._task, description=glance.told(), completed=ended, total=chunks)
        elif not self._quiet and glance.told() != self._last:
            self._last = glance.told()
            echo(f"{time.strftime('%H:%M:%S')} {self._last}")


@contextmanager
def _display(*, quiet: bool) -> Iterator[_Shown]:
    if quiet or not errors.is_terminal:
        yield _Shown(None, quiet=quiet)
        return
    columns = (SpinnerColumn(), BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, TimeElapsedColumn(), console=errors, transient=True) as bar:
        yield _Shown(bar, quiet=False)


def _end(place: Place, dag: str, run: str, last: Glance, *, as_json: bool) -> None:
    """Tell what came of it; the error that its outcome is."""
    if last.state is JobState.DONE:
        if not as_json:
            echo(f"Done: {last.told()}.")
            where = output_uri(place, dag, run)
            if where:
                print_line(str(file_path(where)) if where.startswith("file://") else where)
        return
    show = shlex.join(["triptych", "job", "show", run, "--template", dag, *place.options])
    told = f"{run} of {dag} is {last.state.value}: {last.told()}. What each chunk came to: {show}"
    if last.seen and last.seen.failed:
        raise VerdictError(told)
    raise JobFailedError(told)
