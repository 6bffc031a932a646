"""`triptych job cancel`: the end of a job that runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from triptych.cli.console import echo, print_json
from triptych.cli.place import OfTemplate, Place, Run, placed
from triptych.cli.setup import AsJson
from triptych.errors import ConfigError
from triptych.harmless import harmless
from triptych.local import cancelling

EPILOG = """Examples:

`triptych job cancel local-20261124T093000-1f9a`

`triptych job cancel manual__2026-11-24T09:30:00+00:00 --profile production --yes`

Exit codes: 0 it runs no more, also when it had ended before; 14 it has not ended in time.
"""


@placed
def cancel(
    place: Place,
    run: Run,
    template: OfTemplate = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_: AsJson = False,
) -> None:
    """End a job that runs; what it has done is kept, and it can go on by `triptych job retry`.

    Here its process is asked to end, as by Ctrl-C; on an Airflow the run is failed, and its tasks are killed. Each
    removes its container. A job that has ended stays as it is.
    """
    dag = place.dag_of(run, template)
    if not yes and sys.stdin.isatty() and not _is_sure(f"End {run} of {dag}?"):
        msg = f"{run} of {dag} goes on: --yes ends it without a question."
        raise ConfigError(msg)
    was_running = _end(place, dag, run)
    if json_:
        print_json({"run": run, "template": dag, "was_running": was_running})
    elif was_running:
        echo(f"{run} of {dag} was ended. What is done is kept: `triptych job retry` goes on with it.")
    else:
        echo(f"{run} of {dag} does not run: nothing was to be ended.")


def _is_sure(question: str) -> bool:
    """Who answers nothing, by Ctrl-C or Ctrl-D, is not."""
    try:
        return typer.confirm(harmless(question), err=True)
    except typer.Abort:
        return False


def _end(place: Place, dag: str, run: str) -> bool:
    """Whether there was anything to end."""
    if place.client is None:
        return cancelling.cancel(place.settings, dag, run)
    from triptych.airflow.job_runs import stop

    return stop(place.client, dag, run)
