"""`triptych run`: a whole job on this machine, over the same stages that Airflow runs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from triptych.blocks import Template, read_catalog
from triptych.blocks.check import check_schema
from triptych.cli.console import echo, echo_error, print_json
from triptych.cli.parameters import conf_from_options
from triptych.cli.progress import Progress
from triptych.cli.setup import AsJson, Include, local_settings
from triptych.errors import ManifestError, TriptychError
from triptych.jobs.spec import build_job_spec
from triptych.jobs.workspace import workspace_root
from triptych.local.runner import Summary, new_run_id, resume_job, run_job
from triptych.settings import Runner, Settings
from triptych.storage.files import file_path

EPILOG = """Examples:

`triptych run wordcount --source 'texts/*.txt' --destination out/ -p app.case=keep -p partitioner.items_per_chunk=100`

`triptych run wordcount --source s3://bucket/texts/ --destination s3://bucket/counts/ --connection aws_default`

`triptych run wordcount --job job.json --runner process`
"""


def run(
    template: Annotated[str, typer.Argument(help="A template's id, or an app's tag.")],
    source: Annotated[
        list[str] | None, typer.Option("--source", "-s", help="URI, path, folder or glob; may be repeated.")
    ] = None,
    destination: Annotated[
        str | None, typer.Option("--destination", "-d", help="Folder or URI. Default: triptych-output/<run>/ here.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("-p", "--param", help="app.NAME=VALUE, partitioner., assembler. or config.; may be repeated."),
    ] = None,
    params: Annotated[Path | None, typer.Option(help="JSON file: {partitioner, app, assembler}.")] = None,
    job: Annotated[
        Path | None, typer.Option(help="JSON file with a whole job spec; other options override it.")
    ] = None,
    connection: Annotated[str | None, typer.Option(help="Airflow connection for source and destination.")] = None,
    runner: Annotated[Runner | None, typer.Option(help="process isolates nothing; for trying things out.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Tasks at once. Default: one per core.")] = None,
    resume: Annotated[str | None, typer.Option(help="Do what this earlier run left undone.")] = None,
    include: Include = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no logs.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what the scripts print.")] = False,
    json_: AsJson = False,
) -> None:
    """Run a job on this machine, in Docker, with no Airflow."""
    settings = local_settings(include, runner)
    chosen = _sound_template(settings, template)
    at_once = workers or os.cpu_count() or 1
    run_id = resume or new_run_id()
    with Progress(quiet=quiet, verbose=verbose) as watch:
        try:
            if resume:
                summary = resume_job(settings, chosen, resume, at_once, watch)
            else:
                conf = conf_from_options(chosen, job, params, param or [], source or [], destination, connection)
                conf.setdefault("dataDestination", Path("triptych-output", run_id).absolute().as_uri() + "/")
                summary = run_job(settings, chosen, build_job_spec(chosen, conf), run_id, at_once, watch)
        except (TriptychError, KeyboardInterrupt):
            if watch.chunks:
                again = ["triptych", "run", template, "--resume", run_id]
                again += [part for folder in include or [] for part in ("--include", str(folder))]
                echo(f"What is done is kept. Go on with: {shlex.join(again)}")
            raise
    _forget(settings, chosen, run_id, summary)
    _show(summary, run_id, json_)


def _sound_template(settings: Settings, name: str) -> Template:
    """The template, once its schemas are known to be schemas; ManifestError otherwise."""
    template = read_catalog(settings.include).template(name)
    errors = [str(error) for block in template.blocks.values() for error in check_schema(block)]
    if errors:
        raise ManifestError(errors)
    return template


def _forget(settings: Settings, template: Template, run_id: str, summary: Summary) -> None:
    """Remove the staging area of a finished job, when it is a local one that the output does not lie in."""
    root = workspace_root(settings, template.id, run_id)
    if root.startswith("file://") and not summary.outcome.uri.startswith(root):
        shutil.rmtree(file_path(root), ignore_errors=True)


def _show(summary: Summary, run_id: str, as_json: bool) -> None:
    outcome = summary.outcome
    if as_json:
        about: dict[str, Any] = {"run": run_id, **asdict(outcome), "seconds": round(summary.seconds, 3)}
        print_json({**about, "bytes_in": summary.bytes_in, "sample": summary.sample})
        return
    sample = f" (a sample: config.sample is {summary.sample})" if summary.sample else ""
    echo(
        f"Done: {outcome.chunks} chunk(s){sample} in {summary.seconds:.1f} s, {summary.bytes_in:,} bytes in, "
        f"{outcome.bytes:,} bytes out in {outcome.files} file(s)."
    )
    if outcome.failed:
        echo_error(f"{len(outcome.failed)} chunk(s) failed and were tolerated: {json.dumps(outcome.failed)}")
    where = outcome.uri
    print(file_path(where) if where.startswith("file://") else where)
