"""`/uploads`: where a caller's files are to be sent, and the address that takes them where the store signs none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from anyio import CancelScope
from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile

from triptych.api import tokens
from triptych.api.answers import ApiError, done
from triptych.api.bodies import read_body, text_of
from triptych.api.callers import CallerDep
from triptych.api.judging import find_dag
from triptych.api.kept import stores
from triptych.api.shapes import TEXT, body
from triptych.api.threads import in_thread
from triptych.api.tokens import Audience
from triptych.api.uploads import new_upload, upload_uri
from triptych.settings import get_settings
from triptych.storage import BLOCK_BYTES

router = APIRouter(tags=["jobs"])
links = APIRouter(tags=["links"])


@router.post("/uploads", openapi_extra=body({"templateId": TEXT, "name": TEXT}, ("templateId",)))
async def new(request: Request, caller: CallerDep) -> dict[str, Any]:
    """Where to send a file for a job of this template: PUT it to `tempUrl`; `path` is the job's source, or an input."""
    given = await read_body(request, ("templateId", "name"))
    dag_id = (await find_dag(caller, text_of(given, "templateId")))["dag_id"]
    await caller.require("POST", "RUN", dag_id)
    return await in_thread(new_upload, text_of(given, "name"), request)


@links.put("/uploads", openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}}})
@links.post("/uploads", include_in_schema=False)
async def upload(request: Request, token: str = "") -> dict[str, Any]:
    """Store the body, or the first file of a form, as the file that the address in `tempUrl` is for."""
    claims = tokens.read(Audience.UPLOAD, token, 403)
    await _store(await _content(request), upload_uri(str(claims["area"]), str(claims["name"])))
    return done()


async def _content(request: Request) -> AsyncIterator[bytes]:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return request.stream()
    form = await request.form(max_files=1)
    file = next((value for value in form.values() if isinstance(value, UploadFile)), None)
    if file is None:
        raise ApiError(400, "The form holds no file.")
    return _blocks(file)


async def _blocks(file: UploadFile) -> AsyncIterator[bytes]:
    while block := await file.read(BLOCK_BYTES):
        yield block


async def _store(blocks: AsyncIterator[bytes], uri: str) -> None:
    """All of it, or, when the client leaves or sends too much, nothing."""
    most, seen = get_settings().api_upload_bytes, 0
    context = stores().workspace().writer(uri)
    out = await in_thread(context.__enter__)
    try:
        async for block in blocks:
            seen += len(block)
            if seen > most:
                raise ApiError(413, f"An upload has {most >> 30} GiB at most ([triptych] api_upload_gib).")
            if block:
                await in_thread(out.write, block)
    except BaseException as error:
        with CancelScope(shield=True):
            await in_thread(context.__exit__, type(error), error, error.__traceback__)
        raise
    await in_thread(context.__exit__, None, None, None)
