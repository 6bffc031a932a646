"""Files that a caller sends for one job: into a temporary area of the workspace, by an address that is signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from triptych.api import tokens
from triptych.api.addresses import address
from triptych.api.answers import ApiError
from triptych.api.callers import is_from_console
from triptych.api.drafts import LIFETIME_S, Draft
from triptych.api.kept import stores
from triptych.api.tokens import Audience
from triptych.errors import ObjectNotFoundError, UnsupportedError
from triptych.jobs.temporary import area_named, temporary_area
from triptych.jobs.uploads import SCHEME
from triptych.jobs.workspace import make_workspace
from triptych.schemas.descriptors import name_of
from triptych.schemas.diagnostics import Json
from triptych.settings import get_settings

if TYPE_CHECKING:
    from fastapi import Request

ADDRESS_S = 86400
"""How long an address takes what is uploaded."""
_DESCRIPTORS = ("file", "local")
_SIGNING = ("s3", "gs")
"""Schemes whose stores take a plain PUT. Azure wants a header, of which clients of job services know nothing."""
_UNNAMED = "upload.bin"


def is_to_be_uploaded(source: Json) -> bool:
    """Whether a source is `file` and says no path: what the caller will send."""
    if not isinstance(source, Mapping) or str(name_of(source)[1]).lower() not in _DESCRIPTORS:
        return False
    params = source.get("params")
    return not (isinstance(params, Mapping) and params.get("path"))


def with_source(draft: Draft, conf: Mapping[str, Any]) -> Draft:
    """The draft with this conf over its own; a source that is to be uploaded becomes an area for it, and no source."""
    merged = {**draft.conf, **conf}
    if "dataSource" not in conf:
        return replace(draft, conf=merged)
    if not is_to_be_uploaded(conf["dataSource"]):
        return replace(draft, conf=merged, upload=None, is_uploaded=False)
    params = conf["dataSource"].get("params") or {}
    given = params.get("name") if isinstance(params, Mapping) else ""
    del merged["dataSource"]
    return replace(draft, conf=merged, upload=_place_for(str(given or "")), is_uploaded=False)


def new_upload(name: str, request: Request) -> dict[str, Any]:
    """Where a file of this name is to be sent, and how any job names it then: as its source, or as a side input."""
    area, kept = _place_for(name)
    path = f"{SCHEME}{area}/{quote(kept)}"
    return {"name": kept, "tempUrl": _upload_address((area, kept), request), "path": path}


def upload_params(draft: Draft, request: Request) -> dict[str, Any] | None:
    """What a client is told of the source of such a draft; None for any other."""
    if draft.upload is None:
        return None
    return {"name": draft.upload[1], "tempUrl": "" if draft.is_uploaded else _upload_address(draft.upload, request)}


def uploaded_source(draft: Draft) -> dict[str, Any]:
    """The conf of the draft with what was uploaded as its source; ApiError when nothing was."""
    if draft.upload is None:
        return dict(draft.conf)
    area, name = draft.upload
    try:
        stores().workspace().stat(upload_uri(area, name))
    except ObjectNotFoundError:
        raise ApiError(400, "dataSource: nothing was uploaded yet. PUT it to dataSource.params.tempUrl.") from None
    path = f"{SCHEME}{area}/{quote(name)}"
    return {**draft.conf, "dataSource": {"dataSourceDescriptor": "file", "params": {"path": path}}}


def upload_uri(area: str, name: str) -> str:
    """Where in the workspace the file of an upload lies."""
    return f"{area_named(get_settings(), area).uri}{quote(name)}"


def _place_for(name: str) -> tuple[str, str]:
    """A new area, and what a file of this name is called there; both outlive a draft that waits for it."""
    area = temporary_area(get_settings(), LIFETIME_S + get_settings().temporary_s)
    return area.name, (PurePosixPath(name or _UNNAMED).name or _UNNAMED)[:200]


def _upload_address(upload: tuple[str, str], request: Request) -> str:
    """By the store itself, where that takes a plain PUT, else one of ours; ours for the console, too.

    A bucket need not know of other sites' pages.
    """
    uri = upload_uri(*upload)
    make_workspace(get_settings())
    if uri.partition(":")[0] in _SIGNING and not is_from_console(request):
        try:
            return stores().workspace().signed_url(uri, "PUT", ADDRESS_S)
        except UnsupportedError:
            pass
    claims = {"area": upload[0], "name": upload[1]}
    return address(request, f"/uploads?token={tokens.sign(Audience.UPLOAD, claims, ADDRESS_S)}")
