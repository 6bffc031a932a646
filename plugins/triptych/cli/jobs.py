"""`triptych job ...`: what became of a job, and how one of Airflow's goes on."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triptych.cli.console import echo, print_json, print_line, print_stream, print_table
from triptych.cli.login import PasswordEnv, TokenEnv, User, airflow_client, airflow_runs
from triptych.cli.resume import template_id
from triptych.cli.setup import AsJson, Include, include_folders, local_settings, sound_template
from triptych.errors import ConfigError
from triptych.jobs.removed import check_not_removed
from triptych.jobs.report import ChunkReport, JobReport, read_log, read_report
from triptych.jobs.temporary import expiry_of
from triptych.jobs.workspace import Workspace, folder_name, open_workspace
from triptych.local.job_list import JobLine, list_jobs
from triptych.settings import Settings, get_settings
from triptych.stages.cache_reasons import count_hits, misses
from triptych.stages.publishing import Listing, newest_listing
from triptych.stages.repair import NewCode
from triptych.storage import Stores
from triptych.storage.paths import file_path

if TYPE_CHECKING:
    from triptych.airflow.rest import AirflowClient

job_commands = typer.Typer(no_args_is_help=True, help="Jobs: what became of their chunks, and how they go on.")
SHOWN = 40
"""Chunks in the table, unless all are asked for."""
MIB = 1 << 20
COLUMNS = ["chunk", "name", "state", "tries", "seconds", "CPU s", "peak MiB", "in", "out", "worker", "reason"]
LIST_COLUMNS = ["run", "template", "state", "launched (UTC)", "chunks", "done", "failed", "bytes kept"]
LISTED = 20
"""Jobs in the list, unless more are asked for."""
Run = Annotated[str, typer.Argument(help="The run's id, as `triptych run` or Airflow shows it.")]
OfTemplate = Annotated[
    str | None, typer.Option("--template", "-t", help="Where two templates, or DAGs, have a run of this id.")
]


@job_commands.command("list", epilog="Example: triptych job list --template wordcount --limit 5")
def list_(
    template: Annotated[str | None, typer.Option("--template", "-t", help="Only jobs of this template.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the last changed first.")] = LISTED,
    airflow: Annotated[
        str | None, typer.Option(help="URL of Airflow's api-server, which tells which of its jobs run.")
    ] = None,
    user: User = None,
    password_env: PasswordEnv = "AIRFLOW_PASSWORD",
    token_env: TokenEnv = "AIRFLOW_TOKEN",
    include: Include = None,
    json_: AsJson = False,
) -> None:
    """The jobs of the workspace, the last changed first: state, chunks, when they were launched."""
    settings = local_settings(include, None)
    asked = airflow_runs(airflow, user, password_env, token_env)
    jobs, count = list_jobs(settings, Stores(settings), asked, template and template_id(settings, template), limit)
    if json_:
        print_json([{**asdict(job), "state": job.state.value} for job in jobs])
        return
    print_table(LIST_COLUMNS, [_job_row(job) for job in jobs])
    for job in jobs:
        if job.error:
            echo(f"{job.run}: {job.error}")
    if len(jobs) < count:
        echo(f"{len(jobs)} of {count} jobs; --limit {count} shows every one.")
    if not count:
        echo(f"No job in {settings.workspace}{f' of the template {template}' if template else ''}.")


@job_commands.command("show", epilog="Example: triptych job show local-20261124T093000-1f9a --log 17")
def show(
    run: Run,
    template: OfTemplate = None,
    log: Annotated[int | None, typer.Option(min=0, help="Print what this chunk printed, at each of its tries.")] = None,
    all_: Annotated[bool, typer.Option("--all", help=f"Every chunk by number, not just {SHOWN}.")] = False,
    include: Include = None,
    json_: AsJson = False,
) -> None:
    """State, tries, measures and reasons of each chunk, from the job's workspace alone: failed first, then slowest."""
    workspace = _workspace(local_settings(include, None), run, template)
    report = read_report(workspace)
    if report is None:
        check_not_removed(workspace)
        msg = f"{workspace.root}: holds no plan: no such run, or its `partition` did not come to its end."
        raise ConfigError(msg)
    if log is not None:
        _print_logs(workspace, report, log)
        return
    chunks = report.chunks if all_ else report.first(SHOWN)
    if json_:
        output = newest_listing(workspace)
        print_json(
            {**_about(workspace, report, run), "output": output, "chunks": [_row_json(chunk) for chunk in chunks]}
        )
        return
    print_table(COLUMNS, [_row(chunk) for chunk in chunks])
    if len(chunks) < len(report.chunks):
        echo(f"{len(chunks)} of {len(report.chunks)} chunks; --all shows every one.")
    listing = newest_listing(workspace)
    for line in (*_summary(workspace, report), *_made_of(listing), *_fetched_by(listing)):
        print_line(line)


@job_commands.command(
    "retry",
    epilog="Example: triptych job retry manual__2026-11-24T09:30:00+00:00 --airflow http://localhost:8080 "
    "--user admin --password-env PASSWORD --new-code keep",
)
def retry(
    run: Annotated[str, typer.Argument(help="The run's id, as Airflow shows it.")],
    airflow: Annotated[str, typer.Option(help="URL of Airflow's api-server.")],
    new_code: Annotated[NewCode, typer.Option(help="Keep what is done, or rerun all, with the code as it is now.")],
    dag: Annotated[str | None, typer.Option(help="Its DAG, where several have a run of this id.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End the run first, if it still runs.")] = False,
    user: User = None,
    password_env: PasswordEnv = "AIRFLOW_PASSWORD",
    token_env: TokenEnv = "AIRFLOW_TOKEN",
    include: Include = None,
    json_: AsJson = False,
) -> None:
    """Go on with one of Airflow's runs with new code. Without new code clear its failed tasks and `assemble`."""
    client = airflow_client(airflow, user, password_env, token_env)
    from triptych.airflow.retry import retry as retry_run

    # Its engine is another one, whatever this machine's can run.
    settings = dataclasses.replace(get_settings(), include=include_folders(include), one_machine=False)
    dag_id = dag or _dag_of(client, run)
    done = retry_run(client, settings, sound_template(settings, dag_id).blocks, dag_id, run, new_code, stop=stop)
    repaired = done.repaired
    if json_:
        about: dict[str, Any] = {"run": run, "dag": dag_id, "plan": asdict(repaired.ref), "kept": repaired.kept}
        print_json({**about, "cleared": [{"task": task, "map": index} for task, index in done.cleared]})
        return
    echo(
        f"Plan {repaired.ref.generation}, SHA-256 {repaired.ref.sha256}: {repaired.kept} of {repaired.plan.chunks} "
        f"chunk(s) have a result. {len(done.cleared)} task(s) of {dag_id} were cleared and run again."
    )


def _job_row(job: JobLine) -> list[str]:
    launched = "-" if job.launched is None else time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(job.launched))
    sums = job.sums
    chunks = ["-"] * 3
    if sums:
        chunks = [str(sums.done + sums.failed + sums.waiting), str(sums.done), str(sums.failed)]
    return [job.run, job.template, job.state.value, launched, *chunks, f"{job.bytes:,}"]


def _dag_of(client: AirflowClient, run: str) -> str:
    found = client.dags_of_run(run)
    if len(found) != 1:
        msg = f"{len(found)} DAGs of {client.url} have a run {run}. Name one by --dag. {', '.join(found)}"
        raise ConfigError(msg)
    return found[0]


def _workspace(settings: Settings, run: str, template: str | None) -> Workspace:
    """The run's; ConfigError when it is not clear which it is."""
    return open_workspace(settings, Stores(settings), dag_of_run(settings, run, template), run)


def dag_of_run(settings: Settings, run: str, template: str | None) -> str:
    """By which the run's workspace is found; ConfigError when it is not clear which it is."""
    if template:
        return template_id(settings, template)
    if not settings.workspace.startswith("file://"):
        msg = (
            f"--template: name the template, or DAG, of the run {run}: the workspace {settings.workspace} is no folder."
        )
        raise ConfigError(msg)
    jobs = file_path(settings.workspace)
    found = sorted(path.name for path in jobs.glob("*") if (path / folder_name(run) / "plans").is_dir())
    if len(found) == 1:
        return found[0]
    which = f"Name one by --template: {', '.join(found)}" if found else "[triptych] workspace says where jobs are"
    msg = f"{len(found)} templates have a run {run} with a plan in {jobs}. {which}."
    raise ConfigError(msg)


def _print_logs(workspace: Workspace, report: JobReport, number: int) -> None:
    """Each try's log on standard output, with a line about it before on standard error."""
    if number >= len(report.chunks):
        msg = f"--log {number}: the job has chunks 0 to {len(report.chunks) - 1}."
        raise ConfigError(msg)
    chunk = report.chunks[number]
    if not chunk.tries:
        echo(f"Chunk {number} ({chunk.entry.name}) was not tried yet, or its try is not told yet.")
    for count, tried in enumerate(chunk.tries, 1):
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(tried.started))
        ended = "done" if tried.error is None else "failed"
        code = "" if tried.exit_code is None else f", exit code {tried.exit_code}"
        printed = "" if tried.log else "; it printed nothing"
        about = f"{ended}{code}, {when} UTC, {tried.seconds:.1f} s, {tried.worker}{printed}"
        echo(f"Try {count} of {len(chunk.tries)} at chunk {number} ({chunk.entry.name}): {about}")
        print_stream(read_log(workspace, tried))


def _row(chunk: ChunkReport) -> list[str]:
    last = chunk.last
    measures = ["-"] * 3
    if last:
        measures = [f"{last.seconds:.1f}", _or_dash(last.cpu_seconds), _or_dash(last.peak_memory_bytes, MIB)]
    out = "-" if chunk.bytes_out is None else f"{chunk.bytes_out:,}"
    about = [str(chunk.entry.number), chunk.entry.name, chunk.state.value, str(len(chunk.tries))]
    sizes = [f"{chunk.entry.size:,}", out]
    return [*about, *measures, *sizes, last.worker if last else "-", next(iter(chunk.reason.splitlines()), "")]


def told_use(cpu_seconds: float | None, peak_memory_bytes: int | None) -> str:
    """`, 1.5 s of CPU, at most 12.0 MiB`: what of it is known, to stand behind a time."""
    cpu = "" if cpu_seconds is None else f", {cpu_seconds:.1f} s of CPU"
    return cpu + ("" if peak_memory_bytes is None else f", at most {peak_memory_bytes / MIB:.1f} MiB")


def _or_dash(value: float | None, unit: int = 1) -> str:
    return "-" if value is None else f"{value / unit:.1f}"


def _row_json(chunk: ChunkReport) -> dict[str, Any]:
    about = {"chunk": chunk.entry.number, "name": chunk.entry.name, "state": chunk.state.value}
    sizes = {"bytes_in": chunk.entry.size, "bytes_out": chunk.bytes_out}
    return {**about, **sizes, "reason": chunk.reason or None, "tries": [asdict(each) for each in chunk.tries]}


def _about(workspace: Workspace, report: JobReport, run: str) -> dict[str, Any]:
    return {
        "run": run,
        "template": report.job.spec.template,
        "workspace": workspace.root,
        "plan": asdict(report.ref),
        "launched": report.job.started,
        "sums": asdict(report.sums()),
    }


def _summary(workspace: Workspace, report: JobReport) -> Sequence[str]:
    sums = report.sums()
    said = {chunk.entry.number: chunk.last.cache for chunk in report.chunks if chunk.last and chunk.last.cache}
    cache = [f"{count_hits(said)} of {len(said)} chunk(s) had been run before.", *misses(said)] if said else []
    used = told_use(sums.cpu_seconds, sums.peak_memory_bytes)
    return [
        "",
        f"{len(report.chunks)} chunk(s): {sums.done} done, {sums.failed} failed, {sums.waiting} not yet.",
        f"{sums.tries} tries in {sums.seconds:.1f} s{used}; of what is done, {sums.bytes_in:,} bytes in, "
        f"{sums.bytes_out:,} bytes out.",
        *cache,
        *(
            f"Side input {side.name}: {len(side.files)} file(s), {side.size:,} bytes, SHA-256 {side.digest}"
            for side in report.plan.inputs
        ),
        f"Plan {report.ref.generation}, SHA-256 {report.ref.sha256}, in {_place(workspace)}",
    ]


def _made_of(listing: Listing | None) -> Sequence[str]:
    """A line for each of the first files of an output: which chunks, and which bytes of which sources, it is of."""
    if listing is None:
        return []
    files, told = listing["files"], listing.get("provenance", {})
    sources = [each["uri"].rpartition("/")[2] for each in listing.get("sources", ())]
    lines = [f"Output: {len(files)} file(s) in {listing['uri']}"]
    for file in files[:SHOWN]:
        made = told.get(file["name"], {"chunks": [], "ranges": []})
        chunks = ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in made["chunks"])
        told_of = [each for each in made["ranges"] if each[0] < len(sources)]
        ranges = [_span(sources[source], offset, length) for source, offset, length in told_of[:3]]
        more = " ..." if len(told_of) > len(ranges) else ""
        spans = f", from {', '.join(ranges)}{more}" if ranges else ""
        lines.append(f"  {file['name']}: {file['size']:,} bytes, of chunks {chunks or 'unknown'}{spans}")
    return lines


def _span(source: str, offset: int, length: int) -> str:
    return f"{source} {offset}-{offset + length - 1}" if length else f"{source}, which is empty"


def _fetched_by(listing: Listing | None) -> Sequence[str]:
    """Of an output in temporary storage until when it is kept, and the links of its first files, with their end."""
    lines: list[str] = []
    if listing is None:
        return lines
    kept = expiry_of(listing["uri"].rstrip("/").rpartition("/")[2])
    if kept:
        lines.append(f"It is temporary: kept until {kept.isoformat(timespec='seconds')}.")
    ends = listing.get("links_expire")
    if ends:
        is_over = datetime.fromisoformat(ends) <= datetime.now(UTC)
        lines.append(f"Its links ended {ends}." if is_over else f"Until {ends} whoever has a link can fetch its file:")
        lines += [] if is_over else [f"  {file['link']}" for file in listing["files"][:SHOWN]]
    return lines


def _place(workspace: Workspace) -> str:
    return str(file_path(workspace.root)) if workspace.root.startswith("file://") else workspace.root
