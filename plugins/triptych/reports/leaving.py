"""Both files of the report in the job's folder, left there at the job's end, however it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from triptych.errors import ObjectNotFoundError
from triptych.harmless import harmless_logger
from triptych.jobs.job import PlannedJob
from triptych.jobs.workspace import Workspace
from triptych.reports.ended import put_ended
from triptych.reports.measuring import measure_planned
from triptych.reports.model import Prices, Report
from triptych.reports.page import page

HTML, JSON = "report.html", "report.json"
"""Their objects in the workspace."""
_log = harmless_logger(__name__)


@contextmanager
def leaving_report(job: PlannedJob) -> Iterator[None]:
    """What is done inside ends the job; its report is left then, also of a failure, but not of one that is stopped.

    A report that cannot be made changes nothing of how the job ended: the log says so.
    """
    try:
        yield
    except Exception as error:
        _leave(job, str(error))
        raise
    _leave(job, None)


def report_place(workspace: Workspace) -> str | None:
    """The URI of the page that lies in the job's folder; None where there is none."""
    return workspace.uri(HTML) if HTML in workspace.names(HTML) else None


def left_report(workspace: Workspace, name: str = HTML) -> bytes | None:
    """The page that lies in the job's folder, or its figures (`report.json`); None where there are none."""
    try:
        return workspace.store.read(workspace.uri(name))
    except ObjectNotFoundError:
        return None


def files_of(report: Report) -> dict[str, bytes]:
    """Both files by name."""
    return {HTML: page(report).encode(), JSON: report.to_json()}


def _leave(job: PlannedJob, error: str | None) -> None:
    prices = Prices(job.settings.price_core_hour, job.settings.price_gib_hour)
    try:
        put_ended(job.workspace, job.ref.generation, error)
        report = measure_planned(job.workspace, prices, job.ref, job.plan)
        for name, data in files_of(report).items():
            job.workspace.store.put(job.workspace.uri(name), data)
    except Exception as failure:  # Whatever it is, the job has ended as it has.
        _log.warning("The report of this job could not be left in its workspace: %s", failure)
        return
    _log.info("Report: %s", job.workspace.uri(HTML))
