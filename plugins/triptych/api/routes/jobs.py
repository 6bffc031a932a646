"""`/customer/jobs`: create, list, get, run, abort, delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from anyio import sleep
from fastapi import APIRouter, Query, Request

from triptych.api import views
from triptych.api.answers import ApiError, done
from triptych.api.bodies import as_config, camel_keys, conf_of, object_of, read_body, text_of
from triptych.api.callers import Caller, CallerDep
from triptych.api.changing import changed
from triptych.api.console.filtering import Filters, filtered_runs, filters_of
from triptych.api.drafts import Draft, Drafts, new_id
from triptych.api.finding import Run, find_draft, find_job, find_run, triptych_dags, view_of
from triptych.api.inside import part
from triptych.api.judging import find_dag, judge, own_template
from triptych.api.shapes import CONFIG, JOB, body
from triptych.api.threads import in_thread
from triptych.api.uploads import upload_params, uploaded_source, with_source
from triptych.jobs.spec import config_schema
from triptych.schemas.properties import properties

router = APIRouter(tags=["jobs"])
MOST_ROWS = 100
MOST_NAME = 200
_SOME_ROWS = 20
_LOOKS_AFTER_ABORT, _LOOK_S = 4, 0.5
_MOST_NOTE = 1000
"""Characters that Airflow keeps of a run's note."""


@router.post("/jobs", openapi_extra=body(JOB, ("templateId",)))
async def create_job(request: Request, caller: CallerDep) -> dict[str, Any]:
    """Draft a job. What is wrong with its parameters is told at once; what is left out comes from its template."""
    given = await read_body(request, JOB)
    known, template_id, conf = text_of(given, "jobId"), text_of(given, "templateId"), conf_of(given)
    if known and not template_id:
        template_id = (await find_draft(caller, known)).template
    dag_id = (await find_dag(caller, template_id))["dag_id"]
    await caller.require("POST", "RUN", dag_id)
    name, about = text_of(given, "name")[:MOST_NAME], text_of(given, "description")[:_MOST_NOTE]

    def edit(draft: Draft) -> Draft:
        told = replace(draft, name=name or draft.name, description=about or draft.description)
        return with_source(replace(told, template=dag_id), conf)

    if known:
        return await answer_of(await changed(caller, known, edit), request)
    draft = edit(Draft(new_id(), dag_id))
    await judge(dag_id, draft.conf, is_whole=False)
    await in_thread(Drafts(caller.id).add, draft)
    return await answer_of(draft, request)


@router.get("/jobs")
async def list_jobs(
    caller: CallerDep,
    limit: str = "",
    offset: str = "",
    order_by: Annotated[str, Query(alias="orderBy")] = "",
    nested_limit: Annotated[str, Query(alias="pagination.limit")] = "",
    nested_offset: Annotated[str, Query(alias="pagination.offset")] = "",
) -> dict[str, Any]:
    """Jobs, the newest first: one's own drafts, then the runs of all templates that one sees."""
    start, count = rows_wanted(nested_offset or offset, nested_limit or limit)
    return await _listed(caller, start, count, Filters(), is_oldest_first=_is_ascending(order_by))


@router.post("/jobs/filter", openapi_extra=body({"limit": {"type": "integer"}, "offset": {"type": "integer"}}))
async def filter_jobs(request: Request, caller: CallerDep) -> dict[str, Any]:
    """As the list of jobs, with `pagination` in the body, and filters by `templateId`, `state` and text.

    A text is looked for in names, notes, templates and ids, of the newest thousand jobs that the other filters leave.
    """
    given = await read_body(request, ("limit", "offset", "pagination", "orderBy", "filters"))
    wanted = {**given, **camel_keys(object_of(given, "pagination"))}
    start, count = rows_wanted(str(wanted.get("offset", "")), str(wanted.get("limit", "")))
    filters = filters_of(object_of(given, "filters"))
    return await _listed(caller, start, count, filters, is_oldest_first=_is_ascending(text_of(given, "orderBy")))


@router.get("/jobs/{job_id}")
async def get_job(job_id: str, request: Request, caller: CallerDep) -> dict[str, Any]:
    """One job."""
    found = await find_job(caller, job_id)
    if isinstance(found, Draft):
        return await answer_of(found, request)
    job = await view_of(caller, found, is_whole=True)
    return {"job": job, "templateInfo": job["templateInfo"]}


@router.delete("/jobs/{job_id}")
async def delete_job(job_id: str, caller: CallerDep) -> dict[str, Any]:
    """Remove a draft, or the run of a job that has ended; its output stays."""
    found = await find_job(caller, job_id)
    if isinstance(found, Run):
        await caller.airflow.call("DELETE", found.path)
    await in_thread(Drafts(caller.id).remove, job_id)
    return done()


@router.post("/jobs/{job_id}/run", openapi_extra=body({"config": CONFIG}))
@router.post("/jobs/run/{job_id}", openapi_extra=body({"config": CONFIG}), include_in_schema=False)
async def run_job(job_id: str, request: Request, caller: CallerDep) -> dict[str, Any]:
    """Start a job; its `config` may be given here, in an object of that name or by itself."""
    keys = properties(config_schema())
    given = await read_body(request, ("config", *keys))
    config = as_config({**object_of(given, "config"), **{key: given[key] for key in keys if key in given}})
    draft = await find_draft(caller, job_id)
    conf = await in_thread(uploaded_source, draft)
    if config:
        conf["config"] = {**conf.get("config", {}), **config}
    if draft.name:
        conf["name"] = draft.name
    await judge(draft.template, conf, is_whole=True)
    await _make_ready(caller, draft.template)
    wanted = {"dag_run_id": draft.id, "logical_date": None, "conf": conf, "note": draft.description or None}
    await _start(caller, draft, wanted)
    await in_thread(Drafts(caller.id).remove, draft.id)
    return done()


@router.post("/jobs/{job_id}/rerun")
async def rerun_job(job_id: str, caller: CallerDep) -> dict[str, Any]:
    """Start another job as this one was started; `id` is the new one's."""
    run = await find_run(caller, job_id)
    await caller.require("POST", "RUN", run.dag_id)
    conf = {key: value for key, value in (run.about.get("conf") or {}).items() if value is not None}
    draft = Draft(new_id(), run.dag_id, conf=conf)
    await judge(run.dag_id, conf, is_whole=True)
    await _make_ready(caller, run.dag_id)
    await _start(caller, draft, {"dag_run_id": draft.id, "logical_date": None, "conf": conf})
    return {**done(), "id": draft.id}


@router.post("/jobs/{job_id}/abort")
async def abort_job(job_id: str, caller: CallerDep) -> dict[str, Any]:
    """Stop a job: its run fails. A draft is deleted."""
    found = await find_job(caller, job_id)
    if isinstance(found, Draft):
        await in_thread(Drafts(caller.id).remove, job_id)
        return done()
    if views.OF_RUNS.get(str(found.about["state"])) in views.ENDED:
        raise ApiError(400, f"The job {job_id} has ended already.")
    reason = f"{views.ABORTED}{caller.user.get_name()}."[:_MOST_NOTE]
    before = (found.about.get("note") or "")[: _MOST_NOTE - len(reason) - 1]
    note = f"{before}\n{reason}" if before else reason
    await caller.airflow.call("PATCH", found.path, {"state": "failed", "note": note})
    # A scheduler that has this run in hand, and finds its tasks skipped, may call it a success after all.
    for _ in range(_LOOKS_AFTER_ABORT):
        await sleep(_LOOK_S)
        if (await caller.airflow.get(found.path))["state"] != "failed":
            await caller.airflow.call("PATCH", found.path, {"state": "failed"})
    return done()


@router.get("/jobs/estimation/{job_id}")
async def estimation(job_id: str, caller: CallerDep) -> dict[str, Any]:
    """What a job will cost: nothing, since the machines are one's own."""
    await find_job(caller, job_id)
    return {"estimation": {"totalEstimation": "0"}}


@router.post("/jobs/runningTasks", include_in_schema=False)
async def running_tasks(request: Request, caller: CallerDep) -> dict[str, Any]:
    """The states of a job's packs, by their numbers."""
    run = await find_run(caller, text_of(await read_body(request, ("jobId",)), "jobId"))
    rows = await caller.airflow.pages(f"{run.path}/taskInstances", "task_instances")
    return {"tasks": [_task(row) for row in rows]}


async def answer_of(draft: Draft, request: Request) -> dict[str, Any]:
    """The answer that shows a draft."""
    template = await in_thread(own_template, draft.template)
    job = views.of_draft(draft, template, await in_thread(upload_params, draft, request))
    return {"job": job, "templateInfo": job["templateInfo"]}


def rows_wanted(offset: str, limit: str) -> tuple[int, int]:
    """(first, how many) rows of a list, from texts that may be empty; ApiError for what is no number."""
    numbers = []
    for name, text, least in (("offset", offset or "0", 0), ("limit", limit or str(_SOME_ROWS), 1)):
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) >= least):
            raise ApiError(400, f"{name}: must be a whole number of at least {least}.")
        numbers.append(int(text))
    return numbers[0], min(numbers[1], MOST_ROWS)


async def _listed(
    caller: Caller, offset: int, limit: int, filters: Filters, *, is_oldest_first: bool
) -> dict[str, Any]:
    dags = [dag["dag_id"] for dag in await triptych_dags(caller) if filters.takes_template(dag["dag_id"])]
    drafts = [each for each in await in_thread(Drafts(caller.id).all) if filters.takes_draft(each, dags)]
    shown = drafts[offset : offset + limit]
    order = {"order_by": "id" if is_oldest_first else "-id"}
    runs, total = await filtered_runs(
        caller, dags, filters, order, max(0, offset - len(drafts)), max(1, limit - len(shown))
    )
    rows = [views.of_draft(draft, await in_thread(own_template, draft.template), None) for draft in shown]
    for about in runs[: limit - len(shown)]:
        rows.append(await view_of(caller, Run(about), is_whole=False))
    return views.page(rows, len(drafts) + total, offset)


def _is_ascending(order_by: str) -> bool:
    word = order_by.strip().lower()
    return bool(word) and not (word.startswith("-") or word.endswith("desc"))


async def _make_ready(caller: Caller, dag_id: str) -> None:
    """Let the DAG start runs: a new one is paused. One with a schedule is its operators' to start."""
    dag = await caller.airflow.get(f"dags/{part(dag_id)}")
    if not dag.get("is_paused"):
        return
    if dag.get("timetable_summary"):
        raise ApiError(400, f"{dag_id} is paused, and has a schedule: who operates it must start it.")
    try:
        await caller.airflow.call("PATCH", f"dags/{part(dag_id)}", {"is_paused": False})
    except ApiError as error:
        if error.status != 403:
            raise
        raise ApiError(403, f"{dag_id} is paused, and you may not start it: ask who operates it.") from None


async def _start(caller: Caller, draft: Draft, wanted: Mapping[str, Any]) -> None:
    """Start the run; what failed may have been done all the same, and then says at the next try that it is there."""
    path, tries = f"dags/{part(draft.template)}/dagRuns", 3
    for left in reversed(range(tries)):
        try:
            await caller.airflow.once("POST", path, wanted)
        except ApiError as error:
            if error.status == 503 and left:
                continue
            is_ours = left < tries - 1 and isinstance(await find_job(caller, draft.id), Run)
            if not is_ours:
                raise
        return


def _task(row: dict[str, Any]) -> dict[str, Any]:
    number = row["map_index"]
    return {"taskId": str(number) if number >= 0 else row["task_id"], "role": row["task_id"], "state": row["state"]}
