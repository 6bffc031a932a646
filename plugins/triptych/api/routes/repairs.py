"""`POST /customer/jobs/{id}/retry`: a job that has ended goes on with what is left undone."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from triptych.api import views
from triptych.api.answers import ApiError, done
from triptych.api.callers import CallerDep
from triptych.api.finding import find_run
from triptych.api.inside import part
from triptych.stages import left_undone

router = APIRouter(tags=["jobs"])


@router.post("/jobs/{job_id}/retry")
async def retry_job(job_id: str, caller: CallerDep) -> dict[str, Any]:
    """Run again what did not end well, with the code of the launch; what has a result stays.

    Of a job of which nothing failed the output is made again, from the results that are there.
    """
    run = await find_run(caller, job_id)
    if views.OF_RUNS.get(str(run.about["state"])) not in views.ENDED:
        raise ApiError(400, f"The job {job_id} has not ended: wait for its end, or abort it first.")
    tasks = await caller.airflow.pages(f"{run.path}/taskInstances", "task_instances")
    if alive := [task for task in tasks if task["state"] in ("running", "restarting")]:
        raise ApiError(400, f"The job {job_id} was stopped, and {len(alive)} task(s) of it end still: try again soon.")
    wanted = {
        "dry_run": False,
        "dag_run_id": run.run_id,
        "only_failed": False,
        "reset_dag_runs": True,
        "task_ids": left_undone(tasks),
    }
    await caller.airflow.call("POST", f"dags/{part(run.dag_id)}/clearTaskInstances", wanted)
    if note := views.aborted_note(run.about):
        kept = str(run.about["note"]).removesuffix(note).rstrip("\n")
        await caller.airflow.call("PATCH", run.path, {"note": kept or None})
    return done()
