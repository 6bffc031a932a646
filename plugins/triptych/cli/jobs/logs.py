"""`triptych job logs`: what the scripts of a job printed, and on an Airflow what its tasks did."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triptych.cli.console import echo, print_json_line, print_stream
from triptych.cli.jobs.showing import no_plan, told_try
from triptych.cli.jobs.watching import INTERVAL_S, glances
from triptych.cli.place import NO_WORKSPACE, OfTemplate, Place, Run, placed
from triptych.cli.setup import AsJson
from triptych.errors import ConfigError
from triptych.jobs.pack_log import Attempted
from triptych.jobs.report import ChunkReport, ChunkState, read_log, read_report
from triptych.jobs.workspace import Workspace
from triptych.stages import Stage

if TYPE_CHECKING:
    from triptych.airflow.job_runs import TaskLine
    from triptych.airflow.rest import AirflowClient

MOST_TASKS = 20
"""So many tasks' logs are shown where none is named."""
EPILOG = """Examples:

`triptych job logs local-20261124T093000-1f9a --failed`

`triptych job logs local-20261124T093000-1f9a --chunk 17 --chunk 18`

`triptych job logs manual__2026-11-24T09:30:00+00:00 --profile production --task partition`

`triptych job logs manual__2026-11-24T09:30:00+00:00 --profile production --follow --json`
"""
_TASK = re.compile(r"(partition|app|assemble)(?:[:\[](\d+)\]?)?")


@placed
def logs(
    place: Place,
    run: Run,
    template: OfTemplate = None,
    chunk: Annotated[list[int] | None, typer.Option(min=0, help="Only of this chunk; may be repeated.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only of chunks, or tasks, that failed.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until the job ends.")] = False,
    task: Annotated[
        str | None, typer.Option(help="Of an Airflow's job the log of a task: partition, app, app:3 or assemble.")
    ] = None,
    json_: AsJson = False,
) -> None:
    """What chunks printed at each try, from the job's records, on standard output; about each try a line beside it.

    A chunk's log is there once its try has ended. On an Airflow --task shows what the task itself logged, as do all of
    its failed tasks where this machine does not know the workspace. With --json one object a line.
    """
    dag = place.dag_of(run, template)
    if task is not None or not place.has_workspace:
        if place.client is None:
            msg = "--task: is a task of an Airflow's: say which by --airflow or --profile. Here there are chunks alone."
            raise ConfigError(msg)
        if chunk:
            raise ConfigError(f"--chunk: {NO_WORKSPACE}" if task is None else "--chunk: not with --task.")
        _print_tasks(place.client, dag, run, task, failed=failed, as_json=json_)
        return
    workspace = place.workspace(dag, run)
    if follow:
        _follow(place, dag, run, set(chunk or ()), failed=failed, as_json=json_)
        return
    report = read_report(workspace)
    if report is None:
        raise no_plan(workspace)
    for number in chunk or ():
        if number >= len(report.chunks):
            msg = f"--chunk {number}: the job has chunks 0 to {len(report.chunks) - 1}."
            raise ConfigError(msg)
    wanted = [report.chunks[number] for number in chunk] if chunk else report.chunks
    wanted = [each for each in wanted if not failed or each.state is ChunkState.FAILED]
    for each in wanted:
        _print_chunk(workspace, each, is_named=bool(chunk), as_json=json_)
    if not any(each.tries for each in wanted) and not chunk:
        echo(f"No chunk{' has failed' if failed else ' was tried yet'}.")


def _print_chunk(workspace: Workspace, chunk: ChunkReport, *, is_named: bool, as_json: bool) -> None:
    """Each try; one that printed nothing is told of where the chunk was asked for by name."""
    if not chunk.tries and is_named and not as_json:
        echo(f"Chunk {chunk.entry.number} ({chunk.entry.name}) was not tried yet, or its try is not told yet.")
    for count, tried in enumerate(chunk.tries, 1):
        if tried.log or is_named or as_json:
            about = f"Try {count} of {len(chunk.tries)} at chunk {chunk.entry.number} ({chunk.entry.name})"
            _print_try(workspace, tried, about, chunk.entry.name, count, as_json=as_json)


def _print_try(
    workspace: Workspace, tried: Attempted, about: str, name: str | None, count: int | None, *, as_json: bool
) -> None:
    if as_json:
        text = b"".join(read_log(workspace, tried)).decode(errors="replace")
        about_it: dict[str, Any] = {"chunk": tried.chunk, "name": name, "try": count, **_outcome(tried)}
        print_json_line({**about_it, "text": text})
        return
    echo(f"{about}: {told_try(tried)}")
    print_stream(read_log(workspace, tried))


def _outcome(tried: Attempted) -> dict[str, Any]:
    return {
        "state": "done" if tried.error is None else "failed",
        "exit_code": tried.exit_code,
        "started": tried.started,
        "seconds": tried.seconds,
        "worker": tried.worker,
        "reason": tried.error,
    }


def _follow(place: Place, dag: str, run: str, chunks: Collection[int], *, failed: bool, as_json: bool) -> None:
    """Each try as its record comes; Ctrl-C ends the following alone."""
    workspace = place.workspace(dag, run)
    try:
        for glance in glances(place, dag, run, INTERVAL_S):
            for tried in glance.seen.new if glance.seen else ():
                if (not chunks or tried.chunk in chunks) and not (failed and tried.error is None):
                    _print_try(workspace, tried, f"Chunk {tried.chunk}", None, None, as_json=as_json)
    except KeyboardInterrupt:
        echo("The job goes on; only the following ended.")
        raise typer.Exit(130) from None
    if not as_json:
        echo(f"{run} of {dag} is {glance.state.value}.")


def _print_tasks(client: AirflowClient, dag: str, run: str, wanted: str | None, *, failed: bool, as_json: bool) -> None:
    from triptych.airflow.job_runs import read_job

    begun = [task for task in read_job(client, dag, run).tasks if task.tries]
    tasks = _chosen(begun, wanted, failed=failed)
    if not tasks:
        echo(f"No task of {run} {'has failed' if failed else 'that fits has begun'}.")
    for task in tasks[:MOST_TASKS]:
        text = client.log(dag, run, task.task, task.map_index, task.tries)
        if as_json:
            about: dict[str, Any] = {
                "task": task.task,
                "map_index": task.map_index,
                "state": task.state,
                "try": task.tries,
            }
            print_json_line({**about, "text": text})
            continue
        echo(f"{task.label}, {task.state}, try {task.tries}:")
        print_stream([text.encode(errors="replace"), b"\n"])
    if len(tasks) > MOST_TASKS:
        echo(f"{MOST_TASKS} of {len(tasks)} tasks; name one by --task app:3.")


def _chosen(tasks: Sequence[TaskLine], wanted: str | None, *, failed: bool) -> Sequence[TaskLine]:
    """The tasks that were asked for; without a name those that failed, and all where none did."""
    if wanted is not None:
        match = _TASK.fullmatch(wanted)
        if match is None:
            names = ", ".join(stage.value for stage in Stage)
            msg = f"--task {wanted}: is none of {names}; of a mapped one with its number, app:3."
            raise ConfigError(msg)
        index = None if match[2] is None else int(match[2])
        tasks = [task for task in tasks if task.task == match[1] and index in (None, task.map_index)]
    unwell = [task for task in tasks if task.state == "failed"]
    return unwell if failed else tasks if wanted is not None else unwell or tasks
