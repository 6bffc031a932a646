"""`/customer/jobs/templates/{id}/form`: the fields by which a person launches a job, as Airflow's own form has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from triptych.api.callers import CallerDep
from triptych.api.finding import Run, find_run
from triptych.api.inside import part
from triptych.api.judging import find_dag, own_template
from triptych.api.threads import in_thread
from triptych.blocks import Role
from triptych.schemas.properties import leaves

router = APIRouter(tags=["jobs"])
_FOR_REST = "REST"
"""The section of the fields that say again, as one object, what the others say."""
_PARTS = (*Role, "config", "inputs")


@router.get("/jobs/templates/{template_id}/form")
async def form(template_id: str, caller: CallerDep) -> dict[str, Any]:
    """The fields of a template's job. `path` says where in a job's body a value goes: `["params", "app", "size"]`."""
    dag = await find_dag(caller, template_id)
    await caller.require("POST", "RUN", dag["dag_id"])
    details = await caller.airflow.get(f"dags/{part(dag['dag_id'])}/details")
    paths = await in_thread(_own_paths, dag["dag_id"])
    params = details.get("params") or {}
    fields = [_field(name, each, paths) for name, each in params.items() if _section(each) != _FOR_REST]
    about = dag.get("description") or ""
    return {"templateId": dag["dag_id"], "description": about, "isPaused": bool(dag.get("is_paused")), "fields": fields}


@router.get("/jobs/{job_id}/given")
async def given(job_id: str, caller: CallerDep) -> dict[str, Any]:
    """What a job was launched with, by the paths of its form's fields with dots between: for another one like it."""
    run: Run = await find_run(caller, job_id)
    conf: Mapping[str, Any] = run.about.get("conf") or {}
    return {"templateId": run.dag_id, "conf": {key: value for key, value in conf.items() if value is not None}}


def _section(param: Mapping[str, Any]) -> str:
    return str((param.get("schema") or {}).get("section") or "")


def _own_paths(template_id: str) -> dict[str, list[str]]:
    """Of each parameter's field where its value goes, as its schema has it: a key may hold a dot."""
    template = own_template(template_id)
    if template is None:
        return {}
    return {
        f"{role}.{leaf.name}": ["params", role.value, *leaf.path]
        for role, block in template.blocks.items()
        for leaf in leaves(block.schema)
    }


def _field(name: str, param: Mapping[str, Any], paths: Mapping[str, list[str]]) -> dict[str, Any]:
    schema = param.get("schema") or {}
    title = str(schema.get("title") or name)
    is_required = title.endswith(_REQUIRED)
    return {
        "name": name,
        "path": paths.get(name) or _path(name),
        "title": title.removesuffix(_REQUIRED),
        "description": param.get("description") or schema.get("description_md") or "",
        "section": _section(param),
        "isRequired": is_required,
        "default": param.get("value"),
        "schema": {key: each for key, each in schema.items() if key not in ("section", "title", "description_md")},
    }


_REQUIRED = " (required)"
"""How the form marks what a job cannot start without."""


def _path(name: str) -> list[str]:
    """Of a field whose template is not here, and of those that are no block's."""
    first, dot, rest = name.partition(".")
    if not dot or first not in _PARTS:
        return [name]
    if first == "inputs":
        return [first, rest]
    return [*(["params"] if first in tuple(Role) else []), first, *rest.split(".")]
