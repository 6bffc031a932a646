"""`/dev`, and `/customer/jobs/templates`: the building blocks that are here. Whoever sees a DAG sees its blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query

from triptych.api import views
from triptych.api.answers import ApiError
from triptych.api.callers import Caller, CallerDep
from triptych.api.finding import triptych_dags
from triptych.api.judging import find_dag
from triptych.api.publishing.publishers import is_publisher
from triptych.api.publishing.pushes import about, registry
from triptych.api.routes.jobs import rows_wanted
from triptych.api.threads import in_thread
from triptych.blocks import Block, Role, Template, read_catalog
from triptych.blocks.model import name_of
from triptych.blocks.versions import highest_match
from triptych.settings import get_settings

router = APIRouter(tags=["jobs"])
developer = APIRouter(tags=["catalog"])
Limit = Annotated[str, Query(alias="pagination.limit")]
Offset = Annotated[str, Query(alias="pagination.offset")]


@router.get("/jobs/templates")
async def job_templates(caller: CallerDep, limit: str = "", offset: str = "") -> dict[str, Any]:
    """The templates that one sees: what a job's `templateId` may be."""
    start, count = rows_wanted(offset, limit)
    rows = await _templates(caller)
    return views.page(rows[start : start + count], len(rows), start)


@developer.get("/templates")
async def templates(caller: CallerDep, limit: Limit = "", offset: Offset = "") -> dict[str, Any]:
    """As `/customer/jobs/templates`."""
    return await job_templates(caller, limit, offset)


@developer.get("/templates/{template_id}")
async def template(template_id: str, caller: CallerDep) -> dict[str, Any]:
    """One template."""
    return _about_template(await find_dag(caller, template_id))


@developer.get("/apps")
async def apps(caller: CallerDep, limit: Limit = "", offset: Offset = "") -> dict[str, Any]:
    """The apps of the templates that one sees, and, for those who may publish, all that are published."""
    start, count = rows_wanted(offset, limit)
    found = await _rows(caller, (Role.APP,))
    rows = found[start : start + count]
    return {"apps": rows, "pagination": views.pagination(len(found), start, len(rows))}


@developer.get("/engines")
async def engines(caller: CallerDep, limit: Limit = "", offset: Offset = "") -> dict[str, Any]:
    """The partitioners and assemblers likewise."""
    start, count = rows_wanted(offset, limit)
    found = await _rows(caller, (Role.PARTITIONER, Role.ASSEMBLER))
    rows = found[start : start + count]
    return {"engines": rows, "pagination": views.pagination(len(found), start, len(rows))}


@developer.get("/apps/{tag}")
async def app(tag: str, caller: CallerDep) -> dict[str, Any]:
    """One app, by `name` or `name@1.2`."""
    return {"app": await _row(caller, (Role.APP,), tag)}


@developer.get("/engines/{tag}")
async def engine(tag: str, caller: CallerDep) -> dict[str, Any]:
    """One engine, likewise."""
    return {"engine": await _row(caller, (Role.PARTITIONER, Role.ASSEMBLER), tag)}


@developer.get("/apps/{tag}/status")
async def app_status(tag: str, caller: CallerDep) -> dict[str, Any]:
    """Whether jobs use it: active; of a published one also inactive, or outdated since it was pushed again."""
    return {"status": (await _row(caller, (Role.APP,), tag))["status"]}


@developer.get("/engines/{tag}/status")
async def engine_status(tag: str, caller: CallerDep) -> dict[str, Any]:
    """The same of an engine."""
    return {"status": (await _row(caller, (Role.PARTITIONER, Role.ASSEMBLER), tag))["status"]}


async def _templates(caller: Caller) -> list[dict[str, Any]]:
    return [_about_template(dag) for dag in await triptych_dags(caller)]


def _about_template(dag: Mapping[str, Any]) -> dict[str, Any]:
    """What the DAG says of its template: its blocks are tags of it."""
    tags = [tag["name"].partition(":") for tag in dag.get("tags", ())]
    roles = {role: tag for role, _, tag in tags if role in tuple(Role)}
    identity, about = dag["dag_id"], dag.get("description") or ""
    return {"id": identity, "name": identity, "description": about, "owner": ", ".join(dag.get("owners", ())), **roles}


async def _blocks(caller: Caller, roles: tuple[Role, ...]) -> list[Block]:
    """Of the templates that one sees, in these roles; each once."""
    found: dict[tuple[Role, str], Block] = {}
    for each in await in_thread(_own_templates, {dag["dag_id"] for dag in await triptych_dags(caller)}):
        found |= {(role, each.blocks[role].tag): each.blocks[role] for role in roles}
    return [found[key] for key in sorted(found)]


def _own_templates(ids: set[str]) -> list[Template]:
    return [template for template in read_catalog(get_settings().include).templates if template.id in ids]


async def _rows(caller: Caller, roles: tuple[Role, ...]) -> list[dict[str, Any]]:
    """Those of `_blocks`, and what is published: of one tag in both the former, which jobs use."""
    seen = {(each["type"], each["id"]): each for each in map(_about_block, await _blocks(caller, roles))}
    if get_settings().registry and await is_publisher(caller):
        for each in await in_thread(lambda: registry().publications()):
            if each.key.role in roles:
                seen.setdefault((each.key.word, each.key.tag), about(each))
    return [seen[key] for key in sorted(seen)]


async def _row(caller: Caller, roles: tuple[Role, ...], tag: str) -> dict[str, Any]:
    """The one of this tag among those; of several versions the highest that matches."""
    found = {row["version"]: row for row in await _rows(caller, roles) if row["name"] == name_of(tag)}
    version = highest_match(tag, found)
    if version is None:
        raise ApiError(404, f"{tag}: there is no such {' or '.join(roles)} here.")
    return found[version]


def _about_block(block: Block) -> dict[str, Any]:
    gpu = list(block.gpu) if isinstance(block.gpu, tuple) else []
    return {
        "id": block.tag,
        "name": block.name,
        "version": str(block.version),
        "type": str(block.role),
        "description": block.description,
        "status": "active",
        "isPublic": False,
        "platform": str(block.platform),
        "platformConfig": {"container": block.image or "", "secrets": list(block.secrets)},
        "deviceRequirements": {"minCpu": block.min_cpu, "minMemory": block.min_memory_gib, "gpu": gpu},
        "entrypoint": block.entrypoint,
    }
