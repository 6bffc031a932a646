"""Changes of a job that was not run yet: its source, parameters, name and config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Request

from triptych.api.answers import ApiError
from triptych.api.bodies import conf_of, object_of, read_body, text_of
from triptych.api.callers import CallerDep
from triptych.api.changing import changed
from triptych.api.drafts import Draft
from triptych.api.finding import Run, find_draft, find_job
from triptych.api.routes.jobs import MOST_NAME, answer_of
from triptych.api.shapes import CONFIG, PARAMS, PLACES, TEXT, body
from triptych.api.threads import in_thread
from triptych.api.uploads import uploaded_source, with_source
from triptych.jobs.spec import config_schema
from triptych.schemas.properties import properties

router = APIRouter(tags=["jobs"])


@router.patch("/jobs/{job_id}/datasource", openapi_extra=body(PLACES))
@router.post("/jobs/datasource/{job_id}", openapi_extra=body(PLACES), include_in_schema=False)
async def change_source(job_id: str, request: Request, caller: CallerDep) -> dict[str, Any]:
    """Name another source, another destination, or both; what is left out stays."""
    given = conf_of(await read_body(request, tuple(PLACES)))
    return await answer_of(await changed(caller, job_id, lambda draft: with_source(draft, given)), request)


@router.patch("/jobs/{job_id}/params", openapi_extra=body(PARAMS))
@router.post("/jobs/params/{job_id}", openapi_extra=body(PARAMS), include_in_schema=False)
async def change_params(job_id: str, request: Request, caller: CallerDep) -> dict[str, Any]:
    """Give the parameters of a partitioner, an app, an assembler, or of several; those of the others stay."""
    given = await read_body(request, tuple(PARAMS))
    params = {role: object_of(given, role) for role in given}
    return await answer_of(await changed(caller, job_id, partial(_with_part, "params", params)), request)


@router.patch("/jobs/{job_id}/jobname", openapi_extra=body({"name": TEXT}))
async def change_name(job_id: str, request: Request, caller: CallerDep) -> dict[str, Any]:
    """Give the job another name."""
    given = await read_body(request, ("name", "jobName", "jobname"))
    name = next((text_of(given, key) for key in given), "")
    if not name:
        raise ApiError(400, "name: is missing.")
    return await answer_of(await changed(caller, job_id, lambda draft: replace(draft, name=name[:MOST_NAME])), request)


@router.patch("/jobs/{job_id}/configs", openapi_extra=body({"config": CONFIG}))
async def change_config(job_id: str, request: Request, caller: CallerDep) -> dict[str, Any]:
    """Change keys of the job's `config`, in an object of that name or by themselves; the others stay."""
    keys = properties(config_schema())
    given = await read_body(request, ("config", *keys))
    wanted = conf_of({"config": {**object_of(given, "config"), **{key: given[key] for key in keys if key in given}}})
    return await answer_of(await changed(caller, job_id, partial(_with_part, "config", wanted["config"])), request)


@router.get("/jobs/{job_id}/configs")
async def get_config(job_id: str, caller: CallerDep) -> dict[str, Any]:
    """What of the job's `config` was given."""
    found = await find_job(caller, job_id)
    conf = found.about.get("conf") if isinstance(found, Run) else found.conf
    return {"config": (conf or {}).get("config") or {}}


@router.patch("/jobs/{job_id}/uploadcompleted")
@router.post("/jobs/uploadcompleted/{job_id}", include_in_schema=False)
async def upload_completed(job_id: str, request: Request, caller: CallerDep) -> dict[str, Any]:
    """Say that the file is there which the source `file` waits for; an error when it is not."""
    draft = await find_draft(caller, job_id)
    if draft.upload is None:
        raise ApiError(400, "dataSource: is not to be uploaded: it is no `file` without a path.")
    await in_thread(uploaded_source, draft)
    return await answer_of(await changed(caller, job_id, lambda draft: replace(draft, is_uploaded=True)), request)


def _with_part(key: str, given: Mapping[str, Any], draft: Draft) -> Draft:
    """The draft whose `params` or `config` have these keys; what they do not name stays."""
    return replace(draft, conf={**draft.conf, key: {**draft.conf.get(key, {}), **given}})
