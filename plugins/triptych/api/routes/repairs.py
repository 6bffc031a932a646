"""`/customer/jobs/{id}/retry`: a job that has ended goes on with what is left undone, by Airflow's own clearing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request

from triptych.api import views
from triptych.api.answers import ApiError, done
from triptych.api.bodies import read_body, text_of
from triptych.api.callers import Caller, CallerDep
from triptych.api.finding import Run, find_run
from triptych.api.inside import part
from triptych.api.judging import own_template
from triptych.api.kept import stores
from triptych.api.outputs import workspace_of
from triptych.api.shapes import TEXT, body
from triptych.api.threads import in_thread
from triptych.blocks import Template
from triptych.settings import get_settings
from triptych.stages import PLAN_KEY, Stage, left_undone
from triptych.stages.repair import Change, NewCode, Repaired, repair

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod

router = APIRouter(tags=["jobs"])


@router.post(
    "/jobs/{job_id}/retry", openapi_extra=body({"newCode": {**TEXT, "enum": [each.value for each in NewCode]}})
)
async def retry_job(job_id: str, request: Request, caller: CallerDep) -> dict[str, Any]:
    """Run again what did not end well; what has a result stays. With nothing failed, the output is made again.

    With `newCode` by the code as the API server has it now: `keep` what is done, or `rerun` all of it.
    """
    given = text_of(await read_body(request, ("newCode",)), "newCode")
    if given not in ("", *NewCode):
        raise ApiError(400, f"newCode: is one of {', '.join(NewCode)}, or left out.")
    run = await find_run(caller, job_id)
    tasks = await caller.airflow.pages(f"{run.path}/taskInstances", "task_instances")
    if views.OF_RUNS.get(str(run.about["state"])) not in views.ENDED:
        raise ApiError(400, f"The job {job_id} has not ended: wait for its end, or abort it first.")
    if alive := [task for task in tasks if task["state"] in ("running", "restarting")]:
        raise ApiError(400, f"The job {job_id} was stopped, and {len(alive)} task(s) of it end still: try again soon.")
    # Who may not clear is told so before there is a plan that nobody goes on with.
    await _clear(caller, run, [Stage.ASSEMBLE.value], is_only_asked=True)
    wanted = left_undone(tasks)
    if given:
        repaired = await in_thread(_repaired, run, await _template(run), NewCode(given))
        path = f"{run.path}/taskInstances/{Stage.PARTITION}/xcomEntries/{PLAN_KEY}"
        await caller.airflow.call("PATCH", path, {"value": str(repaired.ref), "map_index": -1})
        if given == NewCode.RERUN:
            wanted = [Stage.APP.value, Stage.ASSEMBLE.value]
        else:
            wanted = left_undone(tasks, repaired.lacking)
    cleared = await _clear(caller, run, wanted, is_only_asked=False)
    if note := views.aborted_note(run.about):
        kept = str(run.about["note"]).removesuffix(note).rstrip("\n")
        await caller.airflow.call("PATCH", run.path, {"note": kept or None})
    return {**done(), "cleared": [{"task": task["task_id"], "map": task["map_index"]} for task in cleared]}


@router.get("/jobs/{job_id}/rights")
async def rights(job_id: str, caller: CallerDep) -> dict[str, bool]:
    """What one may do with a job: start another, abort it, have it retried, read its logs, and its data."""
    run = await find_run(caller, job_id)
    asked: dict[str, tuple[ResourceMethod, str]] = {
        "run": ("POST", "RUN"),
        "abort": ("PUT", "RUN"),
        "retry": ("PUT", "TASK_INSTANCE"),
        "logs": ("GET", "TASK_LOGS"),
        "data": ("GET", "XCOM"),
    }
    return {word: await caller.may(*right, run.dag_id) for word, right in asked.items()}


async def _clear(
    caller: Caller, run: Run, tasks: list[str | tuple[str, int]], *, is_only_asked: bool
) -> list[dict[str, Any]]:
    wanted = {
        "dry_run": is_only_asked,
        "dag_run_id": run.run_id,
        "only_failed": False,
        "reset_dag_runs": True,
        "task_ids": tasks,
    }
    answer = await caller.airflow.call("POST", f"dags/{part(run.dag_id)}/clearTaskInstances", wanted)
    found: list[dict[str, Any]] = answer["task_instances"]
    return found


async def _template(run: Run) -> Template:
    template = await in_thread(own_template, run.dag_id)
    if template is None:
        text = f"newCode: the API server has no template {run.dag_id}: use `triptych job retry`, where its code is."
        raise ApiError(400, text)
    return template


def _repaired(run: Run, template: Template, new_code: NewCode) -> Repaired:
    workspace = workspace_of(run.dag_id, run.run_id)
    return repair(get_settings(), workspace, stores(), Change(template.blocks, new_code))
