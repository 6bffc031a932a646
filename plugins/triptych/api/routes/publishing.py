"""`/dev`, to publish: push, pull, activate and deactivate apps, engines and templates of the registry."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from triptych.api.answers import ApiError, done
from triptych.api.bodies import read_body, read_object, text_of
from triptych.api.callers import Caller, CallerDep
from triptych.api.publishing.publishers import require_free_id, require_publisher
from triptych.api.publishing.pushes import (
    MOST_BODY_BYTES,
    about,
    checked_id,
    fetched,
    push_archive,
    push_document,
    registry,
)
from triptych.api.shapes import TEXT, body
from triptych.api.threads import in_thread
from triptych.blocks import Role
from triptych.errors import ManifestError
from triptych.registry import Publication
from triptych.registry.pushing import Told

router = APIRouter(tags=["publishing"])
_ENGINES = (Role.PARTITIONER, Role.ASSEMBLER)
_FAMILIES: dict[str, tuple[Role | None, ...]] = {"apps": (Role.APP,), "engines": _ENGINES, "templates": (None,)}
_ARCHIVE = body(
    {
        "data": {**TEXT, "description": "A tar of the block's folder, not compressed, in base64."},
        "activate": {"type": "boolean", "description": "Let jobs run it at once."},
    },
    ("data",),
)
_DIGEST = {**TEXT, "description": "Of a content that the tag meant before, by its first digits, 8 or more."}
_TEMPLATE = body({"id": TEXT, "app": TEXT, "partitioner": TEXT, "assembler": TEXT}, ("id", "app"))


@router.get("/published")
async def published(caller: CallerDep) -> dict[str, Any]:
    """All that is published, for those who may publish."""
    await require_publisher(caller)
    found = await in_thread(lambda: registry().publications())
    return {"published": [about(each) for each in found]}


@router.post("/apps", openapi_extra=_ARCHIVE)
@router.post("/engines", openapi_extra=_ARCHIVE)
async def push(request: Request, caller: CallerDep) -> dict[str, Any]:
    """Publish an app or an engine, as its manifest says. Pushing a version again moves its tag: `before` says so."""
    await require_publisher(caller)
    given = await read_body(request, ("data", "activate"), MOST_BODY_BYTES)
    data, activates = given.get("data"), given.get("activate", False)
    if not isinstance(data, str) or not isinstance(activates, bool):
        raise ApiError(400, "data: must be a tar of the block's folder, in base64; activate: true or false.")
    return _told(await in_thread(push_archive, data, caller.id, activates=activates))


@router.post("/templates", openapi_extra=_TEMPLATE)
async def push_template(request: Request, caller: CallerDep) -> dict[str, Any]:
    """Publish a template, which is the body: its DAG appears with the next refresh of the DAG bundle."""
    await require_publisher(caller)
    given = await read_object(request)
    await require_free_id(caller, await in_thread(checked_id, given))
    return {**_told(await in_thread(push_document, given, caller.id)), **done()}


@router.get("/{family}/{tag}/download")
async def download(family: str, tag: str, caller: CallerDep, type: str = "") -> dict[str, Any]:
    """The content as `data`, in base64: a block's tar, or a template's JSON; `type` where a name is of both engines."""
    found = await _find(caller, family, tag, type)
    return {**about(found), "data": await in_thread(fetched, found)}


@router.post("/{family}/{tag}/activate", openapi_extra=body({"digest": _DIGEST}))
async def activate(family: str, tag: str, request: Request, caller: CallerDep, type: str = "") -> dict[str, Any]:
    """Let the next jobs run what the tag means now, or meant before; those that run end with what they began with."""
    found = await _find(caller, family, tag, type)
    digest = text_of(await read_body(request, ("digest",)), "digest")
    return {**about(await in_thread(registry().activate, found.key, digest)), **done()}


@router.post("/{family}/{tag}/deactivate")
async def deactivate(family: str, tag: str, caller: CallerDep, type: str = "") -> dict[str, Any]:
    """Let no further job run it."""
    found = await _find(caller, family, tag, type)
    return {**about(await in_thread(registry().deactivate, found.key)), **done()}


async def _find(caller: Caller, family: str, tag: str, type_: str) -> Publication:
    """ApiError where the user may not publish, and where nothing of this tag is published."""
    await require_publisher(caller)
    if family not in _FAMILIES:
        raise ApiError(404, f"{family}: must be apps, engines or templates.")
    roles = [role for role in _FAMILIES[family] if type_ in ("", role)]
    found = []
    for role in roles:
        try:
            found.append(await in_thread(registry().find, role, tag))
        except ManifestError:
            continue
    if len(found) != 1:
        reason = "is both a partitioner and an assembler: say ?type=" if found else "is not published"
        raise ApiError(400 if found else 404, f"{tag}: {reason}.")
    return found[0]


def _told(told: Told) -> dict[str, Any]:
    before = told.pushed.before
    return {
        **about(told.pushed.publication),
        "moved": told.pushed.has_moved,
        "before": vars(before) if before else None,
        "notes": list(told.notes),
    }
