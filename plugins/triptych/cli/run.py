"""`triptych run`: a whole job on this machine, over the same stages that Airflow runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from triptych.blocks import Template
from triptych.cli.console import echo, echo_error, print_json, print_line, results_only
from triptych.cli.parameters import conf_from_options, with_config
from triptych.cli.progress import Progress
from triptych.cli.resume import Asked, how_to_go_on, resume_job
from triptych.cli.setup import AsJson, Include, local_settings, sound_template, template_id
from triptych.errors import TriptychError, VerdictError
from triptych.jobs.cache_eviction import evict
from triptych.jobs.spec import JobSpec, build_job_spec
from triptych.jobs.workspace import open_workspace, workspace_root
from triptych.local.cancelling import ends_when_asked
from triptych.local.finished import remove_data, remove_old
from triptych.local.runner import Summary, new_run_id, run_job, run_planned
from triptych.reports import report_place
from triptych.retention.run_lock import held_run
from triptych.schemas.locations import is_nothing
from triptych.settings import Runner, Settings
from triptych.stages.cache_reasons import count_hits, misses, numbers_by_reason
from triptych.stages.repair import NewCode
from triptych.storage import Stores
from triptych.storage.paths import file_path

EPILOG = """Examples:

`triptych run wordcount --source 'texts/*.txt' --destination out/ -p app.case=keep -p partitioner.items_per_chunk=100`

`triptych run wordcount --source s3://bucket/texts/ --destination s3://bucket/counts/ --connection aws_default`

`triptych run wordcount --job job.json --runner process`

`triptych run wordcount --resume local-20261124T093000-1f9a --new-code keep`
"""


def run(
    template: Annotated[str, typer.Argument(help="A template's id, or an app's tag.")],
    source: Annotated[
        list[str] | None, typer.Option("--source", "-s", help="URI, path, folder or glob; may be repeated.")
    ] = None,
    manifest: Annotated[
        list[str] | None, typer.Option("--manifest", help="File or URI that lists sources, one URI a line.")
    ] = None,
    input_: Annotated[
        list[str] | None,
        typer.Option("--input", help="NAME=URI of a side input: path, folder or glob; may be repeated."),
    ] = None,
    destination: Annotated[
        str | None,
        typer.Option(
            "--destination", "-d", help="Folder or URI. Default: the template's, else triptych-output/<run>/."
        ),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("-p", "--param", help="app.NAME=VALUE, partitioner., assembler. or config.; may be repeated."),
    ] = None,
    params: Annotated[Path | None, typer.Option(help="JSON file: {partitioner, app, assembler}.")] = None,
    job: Annotated[
        Path | None, typer.Option(help="JSON file with a whole job spec; other options override it.")
    ] = None,
    connection: Annotated[
        str | None, typer.Option(help="Airflow connection for source, inputs and destination.")
    ] = None,
    runner: Annotated[Runner | None, typer.Option(help="process isolates nothing; for trying things out.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Tasks at once. Default: by cores.")] = None,
    retries: Annotated[int | None, typer.Option(min=0, help="Of a chunk that failed, this time.")] = None,
    resume: Annotated[str | None, typer.Option(help="Do what this earlier run left undone.")] = None,
    new_code: Annotated[
        NewCode | None,
        typer.Option(help="With --resume: with app and assembler as they are now; keep what is done, or rerun."),
    ] = None,
    plan: Annotated[str | None, typer.Option(help="With --resume: the SHA-256 that its newest plan must have.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep all of the job's workspace once it is done.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say of a cacheable app why chunks were run: what differs from before.")
    ] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Take no kept result: run every chunk, and keep what comes of it.")
    ] = False,
    include: Include = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Show each task's chunks, how many are done a second, and how long it takes."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no logs.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what the scripts print.")] = False,
    json_: AsJson = False,
) -> None:
    """Run a job on this machine, in Docker, with no Airflow."""
    asked = Asked(template, resume, new_code, plan, destination, connection, retries)
    asked.check(
        {
            "--source": source,
            "--manifest": manifest,
            "--input": input_,
            "--param": param,
            "--params": params,
            "--job": job,
            "--no-cache": no_cache,
        }
    )
    settings = local_settings(include, runner)
    run_id = resume or new_run_id()
    manner = Manner(workers, runner, tuple(include or ()), quiet, verbose, watch, keep, explain, json_)

    def launch(listener: Progress, at_once: int | None) -> tuple[str, Summary]:
        chosen = sound_template(settings, template)
        conf = conf_from_options(
            chosen, job, params, param or [], source or [], manifest or [], input_ or [], destination, connection
        )
        if is_nothing(chosen.data_destination):
            conf.setdefault("dataDestination", default_destination(run_id))
        spec = build_job_spec(chosen, with_config(conf, retries, no_cache=no_cache), allowed_connections=None)
        return launched(settings, chosen, spec, run_id, at_once, listener)

    def go_on(listener: Progress, at_once: int | None) -> tuple[str, Summary]:
        dag_id = template_id(settings, template)
        with ends_when_asked(settings, dag_id, run_id), held_run(settings, dag_id, run_id):
            planned = resume_job(settings, asked)
            return planned.dag_id, run_planned(planned, at_once, listener)

    carry_out(settings, template, run_id, manner, go_on if resume else launch)


@dataclass(frozen=True)
class Manner:
    """How a job is run here, and how it is told of: what is no part of the job."""

    workers: int | None = None
    runner: Runner | None = None
    include: tuple[Path, ...] = ()
    quiet: bool = False
    verbose: bool = False
    watch: bool = False
    keep: bool = False
    explain: bool = False
    as_json: bool = False


Work = Callable[[Progress, int | None], tuple[str, Summary]]
"""Does the job, with so many tasks at once if a number is given, and says its template's id and what came of it."""


def default_destination(run_id: str) -> str:
    """Where the output of a run goes whose template names no destination."""
    return Path("triptych-output", run_id).absolute().as_uri() + "/"


def launched(
    settings: Settings, template: Template, spec: JobSpec, run_id: str, at_once: int | None, listener: Progress
) -> tuple[str, Summary]:
    """A new job, which `triptych job cancel` can end."""
    with ends_when_asked(settings, template.id, run_id):
        return template.id, run_job(settings, template, spec, run_id, at_once, listener)


def carry_out(settings: Settings, template: str, run_id: str, manner: Manner, work: Work) -> None:
    """Do the job, tell how it goes and what came of it; its error's exit code, with what to type next."""
    include = manner.include
    with results_only(), Progress(quiet=manner.quiet, verbose=manner.verbose, by_pack=manner.watch) as watch:
        try:
            dag_id, summary = work(watch, manner.workers)
        except TriptychError as error:
            # Each failed chunk was told as it failed, unless nothing is.
            echo_error(error.verdict if isinstance(error, VerdictError) and not manner.quiet else str(error))
            if watch.chunks:
                _tell_report(_report(settings, template_id(settings, template), run_id))
                echo(how_to_go_on(template, run_id, include, manner.runner))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            if watch.chunks:
                echo(how_to_go_on(template, run_id, include, manner.runner))
            raise
    if not manner.keep:
        _forget(settings, dag_id, run_id, summary)
    _show(
        summary, run_id, watch.cache, _report(settings, dag_id, run_id), as_json=manner.as_json, explain=manner.explain
    )


def _forget(settings: Settings, template_id: str, run_id: str, summary: Summary) -> None:
    """Remove the data of a finished job, when it is a local one that lacks nothing and that no output lies in."""
    root = workspace_root(settings, template_id, run_id)
    if root.startswith("file://") and not summary.outcome.failed and not summary.outcome.uri.startswith(root):
        job = file_path(root)
        remove_data(job)
        remove_old(job.parent)
        evict(Stores(settings).workspace(), settings)


def _report(settings: Settings, template_id: str, run_id: str) -> str | None:
    """Where the job's report is: a path, or the URI of a workspace that is no folder; None where none was left."""
    try:
        with results_only():
            place = report_place(open_workspace(settings, Stores(settings), template_id, run_id))
    except TriptychError:
        return None  # The job has ended, well or not: that is what there is to tell.
    return str(file_path(place)) if place and place.startswith("file://") else place


def _tell_report(place: str | None) -> None:
    if place:
        echo(f"Report: {place}")


def _show(
    summary: Summary, run_id: str, cache: Mapping[int, str], report: str | None, *, as_json: bool, explain: bool
) -> None:
    outcome = summary.outcome
    if as_json:
        about: dict[str, Any] = {"run": run_id, **asdict(outcome), "seconds": round(summary.seconds, 3)}
        print_json(
            {
                **about,
                "report": report,
                "bytes_in": summary.bytes_in,
                "sample": summary.sample,
                "cache": _cache_json(cache),
            }
        )
        return
    sample = f" (a sample: config.sample is {summary.sample})" if summary.sample else ""
    echo(
        f"Done: {outcome.chunks} chunk(s){sample} in {summary.seconds:.1f} s, {summary.bytes_in:,} bytes in, "
        f"{outcome.bytes:,} bytes out in {outcome.files} file(s)."
    )
    for line in _told_cache(cache, explain=explain):
        echo(line)
    if outcome.failed:
        echo_error(f"{len(outcome.failed)} chunk(s) failed and were tolerated: {json.dumps(outcome.failed)}")
        echo(f"To make the output again with them: --resume {run_id} (see `triptych run --help`).")
    _tell_report(report)
    where = outcome.uri
    print_line(str(file_path(where)) if where.startswith("file://") else where)
    if outcome.links_expire:
        echo(f"Until {outcome.links_expire} whoever has a link can fetch its file:")
        for link in outcome.links.values():
            print_line(link)


def _told_cache(cache: Mapping[int, str], *, explain: bool) -> list[str]:
    """How many chunks had been run before, and of the others why they were run, where that was asked for."""
    if cache:
        hits = f"{count_hits(cache)} of {len(cache)} chunk(s) had been run before: their results came from the cache."
        return [hits, *(misses(cache) if explain else ())]
    if not explain:
        return []
    return [
        "No result was looked for in the cache: the app's manifest does not say `cacheable`, the runner is `process`, "
        "or a setting ([triptych] result_cache_gib, result_cache_days) is 0."
    ]


def _cache_json(cache: Mapping[int, str]) -> dict[str, Any] | None:
    """`{"hits": 2, "ran": {"bytes": [1]}}`; None where nothing was looked up."""
    return {"hits": count_hits(cache), "ran": numbers_by_reason(cache)} if cache else None
