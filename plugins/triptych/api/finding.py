"""A job by its id: Airflow is asked first, since a draft that was run is a draft no more, whatever still lies about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from triptych.api import views
from triptych.api.answers import ApiError
from triptych.api.callers import Caller
from triptych.api.drafts import Draft, Drafts
from triptych.api.inside import part
from triptych.api.judging import TAG, own_template
from triptych.api.outputs import chunk_count, first_failure
from triptych.api.threads import in_thread
from triptych.stages import Stage


@dataclass(frozen=True)
class Run:
    """A job that was run: what Airflow's API says of the run."""

    about: Mapping[str, Any]

    @property
    def dag_id(self) -> str:
        """Of its template's DAG."""
        return str(self.about["dag_id"])

    @property
    def run_id(self) -> str:
        """As Airflow knows it."""
        return str(self.about["dag_run_id"])

    @property
    def path(self) -> str:
        """Of Airflow's API."""
        return f"dags/{part(self.dag_id)}/dagRuns/{part(self.run_id)}"


async def find_job(caller: Caller, identity: str) -> Run | Draft:
    """ApiError when there is none, or none for these eyes."""
    run = await _find_run(caller, identity)
    if run is not None:
        return run
    draft = await in_thread(Drafts(caller.id).find, identity)
    if draft is None or not await caller.may("GET", "RUN", draft.template):
        raise ApiError(404, f"There is no job {identity}.")
    return draft


async def find_run(caller: Caller, identity: str) -> Run:
    """The job of this id, which was run; ApiError for a draft, too."""
    found = await find_job(caller, identity)
    if isinstance(found, Draft):
        raise ApiError(404, f"The job {identity} was not run yet: POST /v1/customer/jobs/{identity}/run.")
    return found


async def find_draft(caller: Caller, identity: str) -> Draft:
    """The job of this id, which was not run yet, and may be by this user; ApiError for any other."""
    found = await find_job(caller, identity)
    if isinstance(found, Run):
        raise ApiError(400, f"The job {identity} was run already: it cannot be changed any more. Create another.")
    await caller.require("POST", "RUN", found.template)
    return found


async def state_of(caller: Caller, run: Run) -> str:
    """The state of its job: of one that runs, whether it is cut still."""
    state = views.OF_RUNS.get(str(run.about["state"]), views.RUNNING)
    if state != views.RUNNING:
        return state
    try:
        task = await caller.airflow.get(f"{run.path}/taskInstances/{Stage.PARTITION}")
    except ApiError:
        return state
    return views.RUNNING if task.get("state") == "success" else views.PARTITIONING


async def view_of(caller: Caller, run: Run, *, is_whole: bool) -> dict[str, Any]:
    """The job of a run; whole with the reason of its failure, and the number of its chunks."""
    state = await state_of(caller, run)
    template = await in_thread(own_template, run.dag_id)
    error = "" if state != views.FAILED else "The job failed: GET it by its id, and it says why."
    chunks = 0
    if is_whole:
        error = await why_failed(caller, run) if state == views.FAILED else ""
        chunks = await in_thread(chunk_count, run.dag_id, run.run_id)
    return views.of_run(run.about, state, template, error, chunks)


async def why_failed(caller: Caller, run: Run) -> str:
    """Why a run failed, as far as the user may read the logs of its tasks."""
    note = views.aborted_note(run.about)
    if note or not await caller.may("GET", "TASK_LOGS", run.dag_id):
        return note or "The job failed."
    return (
        await in_thread(first_failure, run.dag_id, run.run_id)
        or await _last_error(caller, run)
        or "The job failed: the logs of its tasks say why."
    )


async def triptych_dags(caller: Caller) -> list[dict[str, Any]]:
    """The DAGs of templates that this user sees."""
    return await caller.airflow.pages("dags", "dags", {"tags": [TAG], "order_by": "dag_id"})


async def _find_run(caller: Caller, identity: str) -> Run | None:
    dag_id, between, run_id = identity.partition(views.BETWEEN)
    if between:
        try:
            return Run(await caller.airflow.get(f"dags/{part(dag_id)}/dagRuns/{part(run_id)}"))
        except ApiError as error:
            if error.status in (403, 404):
                return None
            raise
    if not views.is_uuid(identity):
        return None
    # The oldest: who knows a job's id can start another run of that id, in a DAG of their own.
    rows = await caller.airflow.pages("dags/~/dagRuns", "dag_runs", {"run_id_prefix_pattern": identity})
    return next((Run(row) for row in rows if row["dag_run_id"] == identity), None)


async def _last_error(caller: Caller, run: Run) -> str:
    """What the log of a failed task says last of an error; empty where it says nothing."""
    try:
        failed = await caller.airflow.get(f"{run.path}/taskInstances", {"state": ["failed"], "limit": 1})
        for task in failed["task_instances"]:
            path = f"{run.path}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
            log = await caller.airflow.get(path, {"map_index": task["map_index"], "full_content": True})
            return _error_in(log.get("content"))
    except ApiError:
        return ""
    return ""


def _error_in(content: object) -> str:
    items = [item for item in content if isinstance(item, dict)] if isinstance(content, list) else []
    for item in reversed(items):
        for detail in item.get("error_detail") or ():
            return str(detail.get("exc_value") or "")
    errors = [str(item.get("event")) for item in items if item.get("level") in ("error", "critical")]
    return errors[-1] if errors else ""
