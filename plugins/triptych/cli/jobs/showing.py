"""`triptych job show`: what became of one job, its chunks and its output."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triptych.cli.console import echo, print_json, print_line, print_stream, print_table
from triptych.cli.jobs.listing import took
from triptych.cli.place import NO_WORKSPACE, OfTemplate, Place, Run, placed
from triptych.cli.setup import AsJson
from triptych.errors import ConfigError
from triptych.jobs.pack_log import Attempted
from triptych.jobs.removed import check_not_removed
from triptych.jobs.report import ChunkReport, ChunkState, JobReport, read_log, read_report
from triptych.jobs.temporary import expiry_of
from triptych.jobs.views.job_line import JobState
from triptych.jobs.views.rate import clock
from triptych.jobs.workspace import Workspace
from triptych.local.job_list import state_of
from triptych.stages.cache_reasons import count_hits, misses
from triptych.stages.publishing import Listing, newest_listing
from triptych.storage.paths import file_path

if TYPE_CHECKING:
    from triptych.airflow.job_runs import AirflowJob, TaskLine

SHOWN = 40
"""Chunks in the table, unless all are asked for."""
MIB = 1 << 20
COLUMNS = ["chunk", "name", "state", "tries", "seconds", "CPU s", "peak MiB", "in", "out", "worker", "reason"]
TASK_COLUMNS = ["task", "state", "tries", "seconds", "worker"]
EPILOG = """Examples:

`triptych job show local-20261124T093000-1f9a --failed`

`triptych job show manual__2026-11-24T09:30:00+00:00 --airflow https://airflow.example.com --user ada --json`
"""


@placed
def show(
    place: Place,
    run: Run,
    template: OfTemplate = None,
    log: Annotated[int | None, typer.Option(min=0, help="Print what this chunk printed, at each of its tries.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only chunks that failed.")] = False,
    all_: Annotated[bool, typer.Option("--all", help=f"Every chunk by number, not just {SHOWN}.")] = False,
    json_: AsJson = False,
) -> None:
    """State, tries, measures and reasons of each chunk, failed first, then slowest; the output; an Airflow's tasks."""
    job = _read(place, run, place.dag_of(run, template))
    if log is not None:
        _print_logs(*_of_chunks(job.workspace, job.report), log)
        return
    listing = newest_listing(job.workspace) if job.workspace else None
    chunks = _chosen(job.report, failed=failed, all_=all_)
    if json_:
        print_json({**_about(job), "output": listing, "chunks": [_row_json(chunk) for chunk in chunks]})
        return
    for line in _told_state(job):
        print_line(line)
    if job.known:
        _print_tasks(job.known)
    if job.report is None or job.workspace is None:
        echo(NO_WORKSPACE if job.workspace is None else f"{job.workspace.root}: holds no plan yet.")
        return
    print_table(COLUMNS, [_row(chunk) for chunk in chunks])
    whole = job.report.sums().failed if failed else len(job.report.chunks)
    if len(chunks) < whole:
        echo(f"{len(chunks)} of {whole} {'failed ' if failed else ''}chunks; --all shows every one.")
    for line in (*_summary(job.workspace, job.report), *_made_of(listing), *_fetched_by(listing)):
        print_line(line)


@dataclass(frozen=True)
class _Job:
    """What is known of one job: by its Airflow, if it has one, and by its workspace, if that can be read."""

    run: str
    dag: str
    state: JobState
    known: AirflowJob | None
    workspace: Workspace | None
    report: JobReport | None


def _read(place: Place, run: str, dag: str) -> _Job:
    """ConfigError where nobody knows of such a run; IntegrityError where retention took it."""
    known = _in_airflow(place, dag, run)
    if not place.has_workspace and known:
        return _Job(run, dag, known.line.state, known, None, None)
    workspace = place.workspace(dag, run)
    report = read_report(workspace)
    if known:
        return _Job(run, dag, known.line.state, known, workspace, report)
    state = state_of(place.settings, workspace, dag, run, report.sums().failed if report else 0)
    if report is None and state is not JobState.RUNNING:
        raise no_plan(workspace)
    return _Job(run, dag, state, None, workspace, report)


def no_plan(workspace: Workspace) -> ConfigError:
    """The error for a run of which there is nothing; IntegrityError where retention took it."""
    check_not_removed(workspace)
    return ConfigError(f"{workspace.root}: holds no plan: no such run, or its `partition` did not come to its end.")


def _in_airflow(place: Place, dag: str, run: str) -> AirflowJob | None:
    if place.client is None:
        return None
    from triptych.airflow.job_runs import read_job

    return read_job(place.client, dag, run)


def _of_chunks(workspace: Workspace | None, report: JobReport | None) -> tuple[Workspace, JobReport]:
    """Both, where they are needed; ConfigError where they are not there."""
    if workspace is None:
        raise ConfigError(NO_WORKSPACE)
    if report is None:
        raise no_plan(workspace)
    return workspace, report


def _chosen(report: JobReport | None, *, failed: bool, all_: bool) -> Sequence[ChunkReport]:
    if report is None:
        return []
    if failed:
        chunks = [chunk for chunk in report.chunks if chunk.state is ChunkState.FAILED]
        return chunks if all_ else chunks[:SHOWN]
    return report.chunks if all_ else report.first(SHOWN)


def _told_state(job: _Job) -> Sequence[str]:
    known = job.known
    if known is None:
        return [f"{job.run} of {job.dag}: {job.state.value}."] if job.state is JobState.RUNNING else []
    tasks = ", ".join(f"{count} {name}" for name, count in sorted(known.tasks_by_state().items()))
    return [
        f"{job.run} of {job.dag}: {job.state.value}, {clock(took(known.line))}.",
        f"Packs of chunks: {tasks or 'none yet'}.",
        *([f"Output: {known.output}"] if known.output else []),
        known.page,
        "",
    ]


def _print_tasks(known: AirflowJob) -> None:
    failed = known.failed[:SHOWN]
    if failed:
        print_table(TASK_COLUMNS, [_task_row(task) for task in failed])
        print_line("")


def _task_row(task: TaskLine) -> list[str]:
    seconds = "-" if task.seconds is None else f"{task.seconds:.1f}"
    return [task.label, task.state or "none", str(task.tries), seconds, task.worker or "-"]


def _print_logs(workspace: Workspace, report: JobReport, number: int) -> None:
    """Each try's log on standard output, with a line about it before on standard error."""
    if number >= len(report.chunks):
        msg = f"--log {number}: the job has chunks 0 to {len(report.chunks) - 1}."
        raise ConfigError(msg)
    chunk = report.chunks[number]
    if not chunk.tries:
        echo(f"Chunk {number} ({chunk.entry.name}) was not tried yet, or its try is not told yet.")
    for count, tried in enumerate(chunk.tries, 1):
        echo(f"Try {count} of {len(chunk.tries)} at chunk {number} ({chunk.entry.name}): {told_try(tried)}")
        print_stream(read_log(workspace, tried))


def told_try(tried: Attempted) -> str:
    """`failed, exit code 3, 2026-11-24 09:30:01 UTC, 1.2 s, worker-1; it printed nothing`."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(tried.started))
    ended = "done" if tried.error is None else "failed"
    code = "" if tried.exit_code is None else f", exit code {tried.exit_code}"
    printed = "" if tried.log else "; it printed nothing"
    return f"{ended}{code}, {when} UTC, {tried.seconds:.1f} s, {tried.worker}{printed}"


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


def _about(job: _Job) -> dict[str, Any]:
    known, report, airflow = job.known, job.report, None
    if known:
        tasks = [{**asdict(task), "label": task.label} for task in known.tasks]
        airflow = {"page": known.page, "output": known.output, "tasks": tasks, "conf": known.conf}
    launched = report.job.started if report else known.line.launched if known else None
    return {
        "run": job.run,
        "template": report.job.spec.template if report else job.dag,
        "state": job.state.value,
        "workspace": job.workspace.root if job.workspace else None,
        "plan": asdict(report.ref) if report else None,
        "launched": launched,
        "ended": known.line.ended if known else None,
        "sums": asdict(report.sums()) if report else None,
        "airflow": airflow,
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
