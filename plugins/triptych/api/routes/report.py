"""`/customer/jobs/{id}/report`: the page that a job left, for whoever may read its logs; Airflow's UI links to it."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from triptych.api.answers import PRIVATE, ApiError
from triptych.api.callers import Caller, CallerDep
from triptych.api.finding import find_run
from triptych.api.outputs import workspace_of
from triptych.api.threads import in_thread
from triptych.reports import HTML, JSON, left_report

router = APIRouter(tags=["jobs"])
ALONE = {
    **PRIVATE,
    # Of an origin of its own, which sees no cookie of Airflow's; its own policy, in the page, lets it ask nobody.
    "Content-Security-Policy": "sandbox allow-scripts; frame-ancestors 'self'",
}


@router.get("/jobs/{job_id}/report", response_class=HTMLResponse)
async def report(job_id: str, caller: CallerDep) -> HTMLResponse:
    """What the job came to, as the page of HTML that it left at its end: it has the ends of logs."""
    return HTMLResponse(await _left(caller, job_id, HTML), headers=ALONE)


@router.get("/jobs/{job_id}/report.json")
async def report_figures(job_id: str, caller: CallerDep) -> Response:
    """The same as figures: `report.json`."""
    return Response(await _left(caller, job_id, JSON), headers=PRIVATE, media_type="application/json")


async def _left(caller: Caller, job_id: str, name: str) -> bytes:
    found = await find_run(caller, job_id)
    for entity in ("TASK_LOGS", "XCOM"):
        await caller.require("GET", entity, found.dag_id)
    left = await in_thread(lambda: left_report(workspace_of(found.dag_id, found.run_id), name))
    if left is None:
        text = f"The job {job_id} has left no report: `triptych job report {found.run_id}` makes one of its records."
        raise ApiError(404, text)
    return left
