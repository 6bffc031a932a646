"""`triptych job open`: a job's output, or its page in Airflow, before one's eyes."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import Annotated

import typer

from triptych.cli.console import echo, output, print_json, print_line
from triptych.cli.place import OfTemplate, Place, Run, placed
from triptych.cli.setup import AsJson
from triptych.errors import ConfigError, TriptychError
from triptych.jobs.workspace import Workspace
from triptych.stages.publishing import newest_listing
from triptych.storage.paths import file_path

EPILOG = """Examples:

`triptych job open local-20261124T093000-1f9a`

`cd $(triptych job open local-20261124T093000-1f9a --print)`

`triptych job open manual__2026-11-24T09:30:00+00:00 --profile production --output`
"""


@placed
def open_job(
    place: Place,
    run: Run,
    template: OfTemplate = None,
    output_: Annotated[bool, typer.Option("--output", help="Of an Airflow's job the output, not its page.")] = False,
    print_: Annotated[bool, typer.Option("--print", help="Only print where it is.")] = False,
    json_: AsJson = False,
) -> None:
    """Open the folder of a job's output, or the page of an Airflow's run; print where that is, browser or not."""
    dag = place.dag_of(run, template)
    uri, page = output_uri(place, dag, run), _page(place, dag, run)
    if json_:
        print_json({"run": run, "template": dag, "output": uri, "page": page})
        return
    where = page if page and not output_ else uri
    if where is None:
        msg = f"{run} of {dag} has no output: `triptych job show {run}` tells how far it is."
        raise ConfigError(msg)
    print_line(str(file_path(where)) if where.startswith("file://") else where)
    if not print_ and _can_open(where) and not webbrowser.open(where):
        echo("No browser opened it.")


def _in_workspace(workspace: Workspace) -> str | None:
    """The URI of the newest output that is in place."""
    listing = newest_listing(workspace)
    return str(listing["uri"]) if listing else None


def output_uri(place: Place, dag: str, run: str) -> str | None:
    """Where the job's output is, as the workspace tells it, else Airflow; None while there is none."""
    if place.has_workspace:
        try:
            uri = _in_workspace(place.workspace(dag, run))
        except TriptychError:
            if place.client is None:
                raise
            uri = None  # Airflow may know it.
        if uri or place.client is None:
            return uri
    assert place.client is not None  # A place without one has a workspace.
    from triptych.airflow.job_runs import read_job

    return read_job(place.client, dag, run).output


def _page(place: Place, dag: str, run: str) -> str | None:
    if place.client is None:
        return None
    from triptych.airflow.job_runs import page_of

    return page_of(place.client, dag, run)


def _can_open(where: str) -> bool:
    """Whether somebody sits before a screen of this machine: nobody does behind a pipe, or a plain SSH."""
    has_screen = sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return has_screen and output.is_terminal and where.startswith(("file://", "http://", "https://"))
