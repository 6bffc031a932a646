"""`/customer/datasource/test`: whether what a job would read is there, by the job's own rules of who reaches what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Request

from triptych.api.answers import ApiError
from triptych.api.bodies import read_body
from triptych.api.callers import CallerDep
from triptych.api.finding import triptych_dags
from triptych.api.kept import stores
from triptych.api.shapes import PLACES, body
from triptych.api.threads import in_thread
from triptych.jobs.locations import listed
from triptych.jobs.sources import SourceEntry, resolve_sources
from triptych.jobs.spec import source_locations
from triptych.schemas.diagnostics import Json
from triptych.schemas.locations import connection_of
from triptych.settings import get_settings

router = APIRouter(tags=["jobs"])
MOST_FILES = 1000
"""Of a folder that is listed."""


@router.post(
    "/datasource/test",
    openapi_extra=body({"dataSource": PLACES["dataSource"], "listFiles": {"type": "boolean"}}, ("dataSource",)),
)
@router.post("/jobs/datasource/info", include_in_schema=False)
async def test_source(request: Request, caller: CallerDep) -> dict[str, Any]:
    """Look at a source as a job would: its files and their size, or the sentence that says what is wrong.

    It may name the connections of `[triptych] allowed_connections`; those that only a template lists, its jobs test.
    """
    given = await read_body(request, ("dataSource", "listFiles"))
    dags = [dag["dag_id"] for dag in await triptych_dags(caller)]
    if not [dag_id for dag_id in dags if await caller.may("POST", "RUN", dag_id)]:
        raise ApiError(403, "You may run no job here, and so test none of their sources.")
    files = await in_thread(_files, given.get("dataSource"))
    first = files[0]
    shown = files[:MOST_FILES] if given.get("listFiles") is True else []
    return {
        "filename": unquote(first.uri.rpartition("/")[2]),
        "path": first.uri,
        "size": str(sum(file.size for file in files)),
        "properties": {"files": str(len(files))},
        "tempUrl": "",
        "files": _folder(shown),
    }


def _files(source: Json) -> Sequence[SourceEntry]:
    locations = source_locations(source)
    if not locations:
        raise ApiError(400, "dataSource: names no data.")
    known = {*get_settings().allowed_connections, None}
    for item in listed(source):
        if connection_of(item) not in known:
            raise ApiError(403, "dataSource: names a connection, or none, that no caller may name here.")
    if any(each.uri.startswith("upload://") for each in locations):
        raise ApiError(400, "dataSource: is an upload: a job tests it when it is run.")
    return resolve_sources(locations, stores())


def _folder(files: Sequence[SourceEntry]) -> Mapping[str, Any]:
    rows = [
        {"id": file.etag, "name": unquote(file.uri.rpartition("/")[2]), "path": file.uri, "size": str(file.size)}
        for file in files
    ]
    return {"name": "", "path": "", "directories": [], "files": rows}
