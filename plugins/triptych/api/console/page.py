"""`/console/`: the console's page, its script and its style. For everybody: there are no data in them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from triptych.api.answers import ApiError
from triptych.api.prefix import CONSOLE, PREFIX

router = APIRouter(include_in_schema=False)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob:; "
    "connect-src 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
"""What the page may do: run its own script, and ask this server. What a container wrote can ask nobody for anything."""
_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "console.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "icon-dark.svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@router.get(CONSOLE)
async def without_slash() -> Response:
    """The page's own addresses are relative: it needs the slash."""
    return RedirectResponse(f"{CONSOLE.rpartition('/')[2]}/", 307)


@router.get(f"{CONSOLE}/{{name:path}}")
async def file(name: str) -> Response:
    """A file of the console; the page itself by no name."""
    kind = _TYPES.get(name or "index.html")
    if kind is None:
        raise ApiError(404, f"{PREFIX}{CONSOLE}/: has no such file.")
    return Response(_read(name or "index.html"), headers={**_HEADERS, "Content-Type": kind})


@cache
def _read(name: str) -> bytes:
    return files("triptych.api.console").joinpath("static", name).read_bytes()
