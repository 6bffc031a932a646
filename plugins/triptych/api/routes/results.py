"""`/customer/jobs/{id}/results`, and the links that it gives: each to one file of one output, for a while."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from triptych.api import tokens, views
from triptych.api.addresses import address
from triptych.api.answers import ApiError
from triptych.api.callers import CallerDep
from triptych.api.console.serving import Preview, Served, served
from triptych.api.drafts import Draft
from triptych.api.finding import find_job, why_failed
from triptych.api.outputs import output_file, output_files
from triptych.api.prefix import CONSOLE_HEADER
from triptych.api.threads import in_thread
from triptych.api.tokens import Audience
from triptych.jobs.plan import PlanRef
from triptych.settings import get_settings
from triptych.stages import PLAN_KEY, Stage

router = APIRouter(tags=["jobs"])
links = APIRouter(tags=["links"])


@router.get("/jobs/{job_id}/results")
@router.get("/jobs/results/{job_id}", include_in_schema=False)
async def results(job_id: str, request: Request, caller: CallerDep) -> dict[str, Any]:
    """The files of a job's output, each with a link that needs no header; none while the job has not ended."""
    found = await find_job(caller, job_id)
    if isinstance(found, Draft):
        return {"results": []}
    await caller.require("GET", "XCOM", found.dag_id)
    state = views.OF_RUNS.get(str(found.about["state"]))
    if state == views.FAILED:
        # No status that clients which poll take for "not yet".
        raise ApiError(409, await why_failed(caller, found))
    if state != views.COMPLETE:
        return {"results": []}
    plan = await caller.airflow.get(f"{found.path}/taskInstances/{Stage.PARTITION}/xcomEntries/{PLAN_KEY}")
    files = await in_thread(output_files, found.dag_id, found.run_id)
    lifetime_s = get_settings().temporary_s

    def link(name: str) -> str:
        claims = {"dag": found.dag_id, "run": found.run_id, "plan": str(plan["value"]), "name": name}
        return address(request, f"/results/{quote(name)}?token={tokens.sign(Audience.RESULT, claims, lifetime_s)}")

    rows = [{"name": file["name"], "link": link(file["name"]), "size": str(file["size"])} for file in files]
    return {"results": rows}


@links.get("/results/{name:path}", response_class=Response)
async def result(name: str, request: Request, token: str = "", preview: Preview = "") -> Response:
    """The file that a link of `results` is for: by the store's own link, or through here.

    To a page in a browser always through here: a bucket need not know of other sites' pages. So are first rows.
    """
    claims = tokens.read(Audience.RESULT, token, 403)
    plan = PlanRef.parse(str(claims["plan"]))
    file = await in_thread(output_file, str(claims["dag"]), str(claims["run"]), plan, str(claims["name"]))
    if file is None or claims["name"] != name:
        raise ApiError(404, f"{name}: is no file of this job's output any more.")
    await in_thread(file.check)
    is_page = preview or "origin" in request.headers or CONSOLE_HEADER in request.headers
    url = None if is_page else await in_thread(file.link)
    if url:
        return RedirectResponse(url, 302, {"Cache-Control": "no-store"})
    return await served(request, Served(file.name, file.size, file.stream), preview)
