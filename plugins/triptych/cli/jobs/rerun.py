"""`triptych job rerun`: a new job as an earlier one was launched, with what is changed of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from triptych.cli.console import echo, print_json, print_line
from triptych.cli.parameters import changed_conf
from triptych.cli.place import OfTemplate, Place, Run, placed
from triptych.cli.progress import Progress
from triptych.cli.run import Manner, carry_out, default_destination, launched
from triptych.cli.setup import AsJson, local_settings, sound_template
from triptych.errors import ConfigError, ManifestError
from triptych.jobs.plan import planned, read_job, read_plan
from triptych.jobs.spec import JobSpec, build_job_spec
from triptych.jobs.views.again import conf_of, unchanged
from triptych.local.runner import Summary, new_run_id
from triptych.settings import Runner

EPILOG = """Examples:

`triptych job rerun local-20261124T093000-1f9a -p app.case=keep --destination again/`

`triptych job rerun manual__2026-11-24T09:30:00+00:00 --profile production -p config.maxTaskRetries=3`
"""


@placed
def rerun(
    place: Place,
    run: Run,
    template: OfTemplate = None,
    param: Annotated[
        list[str] | None,
        typer.Option("-p", "--param", help="app.NAME=VALUE, partitioner., assembler. or config.; may be repeated."),
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", "-s", help="Another source: URI, path, folder or glob.")
    ] = None,
    destination: Annotated[str | None, typer.Option("--destination", "-d", help="Another folder or URI.")] = None,
    connection: Annotated[
        str | None, typer.Option(help="Airflow connection for a source and a destination that are given here.")
    ] = None,
    runner: Annotated[
        Runner | None, typer.Option(help="Here: process isolates nothing; for trying things out.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Here: tasks at once. Default: by cores.")] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Here: show each task's chunks, and how fast they go.")
    ] = False,
    json_: AsJson = False,
) -> None:
    """Launch a new job as an earlier one was: from the same source, to the same destination, with its parameters.

    It runs with the code as it is now. Here the command runs it, as `triptych run` does; on an Airflow it is launched,
    and `triptych job watch` follows it.
    """
    dag = place.dag_of(run, template)
    given = (param or [], source or [], destination, connection)
    if place.client is not None:
        _launch(place, dag, run, given, as_json=json_)
        return
    settings = local_settings(list(place.include) or None, runner)
    workspace = place.workspace(dag, run)
    old = read_job(workspace, read_plan(workspace, planned(workspace))).spec
    run_id = new_run_id()

    def work(listener: Progress, at_once: int | None) -> tuple[str, Summary]:
        chosen = sound_template(settings, old.template)
        conf = changed_conf(chosen, _elsewhere(conf_of(old), old, run, run_id), *given)
        spec = unchanged(build_job_spec(chosen, conf, allowed_connections=None), old)
        return launched(settings, chosen, spec, run_id, at_once, listener)

    manner = Manner(workers, runner, tuple(place.include), watch=watch, as_json=json_)
    carry_out(settings, old.template, run_id, manner, work)


def _elsewhere(conf: dict[str, Any], old: JobSpec, run: str, run_id: str) -> dict[str, Any]:
    """The conf with a folder of the new run's own, where the old run had its own."""
    if old.destination and Path(old.destination.uri.rstrip("/")).name == run:
        conf["dataDestination"] = default_destination(run_id)
    return conf


def _launch(
    place: Place, dag: str, run: str, given: tuple[list[str], list[str], str | None, str | None], *, as_json: bool
) -> None:
    """A new run of the DAG with the conf of the old one."""
    assert place.client is not None  # The caller's.
    from triptych.airflow.job_runs import page_of

    conf = place.client.run(dag, run).get("conf")
    old: Mapping[str, Any] = conf if isinstance(conf, dict) else {}
    changed = changed_conf(_known(place, dag, given[0]), dict(old), *given)
    new = place.client.trigger(dag, changed, unpause=False)
    page, waits = page_of(place.client, dag, new), place.client.is_paused(dag)
    if as_json:
        print_json({"run": new, "template": dag, "of": run, "conf": changed, "page": page, "is_paused": waits})
        return
    echo(f"Launched as {run} was: {page}")
    if waits:
        echo(f"The DAG {dag} is paused: the run waits until somebody unpauses it, which starts its schedule, too.")
    print_line(new)


def _known(place: Place, dag: str, params: list[str]) -> Any:
    """The template, where this machine has it: it says what is text of what -p gives."""
    if not params:
        return None
    try:
        return sound_template(place.settings, dag)
    except (ManifestError, ConfigError):
        return None
