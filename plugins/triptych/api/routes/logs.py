"""`/customer/logs` and `/customer/events`: what a job's tasks say, and what becomes of jobs, as it does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Annotated, Any

from anyio import move_on_after, sleep
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from triptych.api import views
from triptych.api.answers import ApiError
from triptych.api.bodies import read_body, text_of
from triptych.api.callers import ACCESS_S, Caller, CallerDep
from triptych.api.callers import caller as known_caller
from triptych.api.drafts import Draft
from triptych.api.finding import Run, find_job, find_run, state_of, triptych_dags
from triptych.api.outputs import workspace_of
from triptych.api.shapes import TEXT, body
from triptych.api.threads import in_thread
from triptych.errors import TriptychError
from triptych.harmless import harmless
from triptych.jobs.views.following import Follower
from triptych.stages import Stage

router = APIRouter(tags=["logs"])
MOST_TASKS = 50
"""So many tasks' logs are in one answer; others are asked for by their ids."""
_LEVELS = {"trace": "TRACE", "debug": "DEBUG", "info": "INFO", "warning": "WARN", "error": "ERROR", "critical": "FATAL"}
_SERVICES = {"partitioner": Stage.PARTITION, "taskrunner": Stage.APP, "assembler": Stage.ASSEMBLE}
_LIST = {"type": "array", "items": TEXT}
_EVERY_S = 2.0
_NEWEST = 100
"""Runs that the stream of events looks at."""


@router.post(
    "/logs", openapi_extra=body({"jobId": TEXT, "taskIds": _LIST, "levels": _LIST, "services": _LIST}, ("jobId",))
)
async def logs(request: Request, caller: CallerDep) -> dict[str, Any]:
    """The newest log of each of a job's tasks, as far as it is written.

    `taskIds` are numbers of packs, `services` partitioner, taskrunner and assembler; what is left out means all.
    """
    given = await read_body(request, ("jobId", "taskIds", "levels", "services"))
    run = await find_run(caller, text_of(given, "jobId"))
    await caller.require("GET", "TASK_LOGS", run.dag_id)
    wanted = {key: _texts(given, key) for key in ("taskIds", "levels", "services")}
    levels = {level.upper() for level in wanted["levels"]}
    found: dict[str, Any] = {"partitioner": [], "assembler": [], "taskrunner": {}}
    tasks = await caller.airflow.pages(f"{run.path}/taskInstances", "task_instances")
    asked = [task for task in tasks if task["try_number"] and _is_asked(task, wanted["services"], wanted["taskIds"])]
    for task in asked[:MOST_TASKS]:
        lines = await _log(caller, run, task, levels)
        if task["task_id"] == Stage.APP:
            found["taskrunner"][str(max(0, task["map_index"]))] = {"logs": lines}
        else:
            found["partitioner" if task["task_id"] == Stage.PARTITION else "assembler"] = lines
    return found


@router.get("/events", response_class=StreamingResponse)
async def events(
    caller: CallerDep, job_id: Annotated[str, Query(alias="jobId")] = "", progress: bool = False
) -> StreamingResponse:
    """Server-sent events: a message whenever a job's state is another, of one job or of all that one sees.

    The first messages say how things are. The stream of one job ends with it; any ends with an hour. Of one job that
    was run, `progress=true` has a message (`job_progress`) whenever more of its chunks are done, or failed.
    """
    found = await find_job(caller, job_id) if job_id else None
    follower = None
    if progress and isinstance(found, Run):
        follower = Follower(workspace_of(found.dag_id, found.run_id))
    messages = _messages(caller, job_id, follower)
    # A proxy is to pass each on as it comes (nginx's word for it).
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(messages, media_type="text/event-stream", headers=headers)


def _texts(given: Mapping[str, Any], key: str) -> Collection[str]:
    value = given.get(key, [])
    if not isinstance(value, list):
        raise ApiError(400, f"{key}: must be a list of texts.")
    return {str(each) for each in value}


def _is_asked(task: Mapping[str, Any], services: Collection[str], task_ids: Collection[str]) -> bool:
    stages = [stage for name, stage in _SERVICES.items() if not services or name in services]
    if task["task_id"] not in stages:
        return False
    return not task_ids or (task["task_id"] == Stage.APP and str(task["map_index"]) in task_ids)


async def _log(caller: Caller, run: Run, task: Mapping[str, Any], levels: Collection[str]) -> list[dict[str, Any]]:
    path = f"{run.path}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
    try:
        answer = await caller.airflow.get(path, {"map_index": task["map_index"], "full_content": True})
    except ApiError as error:
        if error.status != 404:
            raise
        return []
    content = answer.get("content")
    lines = [_line(item, task) for item in content if isinstance(item, dict)] if isinstance(content, list) else []
    return [line for line in lines if line["log"] and (not levels or line["level"] in levels)]


def _line(item: Mapping[str, Any], task: Mapping[str, Any]) -> dict[str, Any]:
    """One line as clients have it: no value is null."""
    details = [f"{each.get('exc_type')}: {each.get('exc_value')}" for each in item.get("error_detail") or ()]
    return {
        "log": harmless("\n".join([str(item.get("event") or ""), *details]).strip()),
        "timestamp": str(item.get("timestamp") or ""),
        "level": _LEVELS.get(str(item.get("level")), "UNKNOWN"),
        "container": f"{task['task_id']}-{max(0, task['map_index'])}",
    }


async def _messages(caller: Caller, job_id: str, follower: Follower | None) -> AsyncIterator[str]:
    told: dict[str, str] = {}
    counts: Mapping[str, str] = {}
    with move_on_after(ACCESS_S):
        while not await caller.request.is_disconnected():
            try:
                # Again each time: a stream ends with the token, or the API key, that it was opened with.
                states = await _states(await known_caller(caller.request), job_id)
            except ApiError as error:
                status = {"code": error.status, "message": error.message, "details": []}
                yield f"data: {json.dumps({'error': status})}\n\n"
                return
            # Before a state that is the last one: of a job that has ended nothing more comes.
            if follower and (seen := await in_thread(_counts, follower)) != counts:
                counts = seen
                yield _message("job_progress", {"@type": "type.triptych/JobProgress", "jobId": job_id, **counts})
            for identity, state in states.items():
                if told.get(identity) != state:
                    yield _message("job_state", {"@type": "type.triptych/JobState", "jobId": identity, "state": state})
            told |= states
            if job_id and told.get(job_id) in views.ENDED:
                return
            yield ": waiting\n\n"
            await sleep(_EVERY_S)


def _message(event: str, data: Mapping[str, str]) -> str:
    return f"data: {json.dumps({'result': {'event': event, 'data': data}})}\n\n"


def _counts(follower: Follower) -> Mapping[str, str]:
    """How many chunks there are, are done, and have failed so far; nothing while nobody knows."""
    try:
        seen = follower.look()
    except TriptychError:
        return {}  # Removed by now, or of another version: its state is told all the same.
    if seen is None:
        return {}
    return {"numChunks": str(seen.chunks), "numDone": str(seen.done), "numFailed": str(seen.failed)}


async def _states(caller: Caller, job_id: str) -> dict[str, str]:
    """By the jobs' ids."""
    if job_id:
        found = await find_job(caller, job_id)
        return {job_id: views.NEW if isinstance(found, Draft) else await state_of(caller, found)}
    dags = [dag["dag_id"] for dag in await triptych_dags(caller)]
    if not dags:
        return {}
    wanted = {"dag_ids": dags, "page_limit": _NEWEST, "order_by": "-id"}
    rows = (await caller.airflow.call("POST", "dags/~/dagRuns/list", wanted))["dag_runs"]
    return {views.job_id(row): await state_of(caller, Run(row)) for row in reversed(rows)}
