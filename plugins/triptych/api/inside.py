"""Airflow's own API, asked in the same process as the user of the request: its permissions, checks and audit hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
from anyio import sleep

from triptych.api.answers import ApiError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_API = "/api/v2/"
_TRIES = 4
"""Of a question that meets a database which another writes to: SQLite's, of the demo."""
_PAUSE_S = 0.3
_PAGE = 100
"""Airflow's own cap on `limit`."""
_STATUSES = {409: 400, 422: 400}
"""Those of Airflow's that clients do not know."""
Query = Mapping[str, str | int | bool | Sequence[str]]


class Airflow:
    """Airflow's API v2 as one user, known by one of Airflow's own tokens."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        # What Airflow's app raises is a bug of its own, which it has logged: the caller is told 503.
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._client = httpx.AsyncClient(transport=transport, base_url="http://airflow", headers=headers)

    async def get(self, path: str, query: Query | None = None) -> dict[str, Any]:
        """What is at `/api/v2/<path>`."""
        return await self.call("GET", path, query=query)

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Query | None = None
    ) -> dict[str, Any]:
        """What a request does that may be made twice; it is made again while the database is busy.

        ApiError with Airflow's own words when it is refused, 503 when Airflow fails.
        """
        for tried in range(_TRIES):
            try:
                return await self.once(method, path, body, query)
            except ApiError as error:
                if error.status != 503 or tried == _TRIES - 1:
                    raise
            await sleep(_PAUSE_S * (tried + 1))
        raise AssertionError

    async def once(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Query | None = None
    ) -> dict[str, Any]:
        """The same of what must not be made twice."""
        content = None if body is None else json.dumps(body).encode()
        answer = await self._client.request(method, f"{_API}{path}", content=content, params=dict(query or {}))
        if answer.status_code >= 500:
            raise ApiError(503, "Airflow's own API failed at this, perhaps for a moment: try again; its log says why.")
        if answer.status_code >= 400:
            raise ApiError(_STATUSES.get(answer.status_code, answer.status_code), _words(answer))
        return dict(answer.json()) if answer.content else {}

    async def pages(self, path: str, key: str, query: Query | None = None) -> list[dict[str, Any]]:
        """All rows of a list."""
        rows: list[dict[str, Any]] = []
        while True:
            page = await self.get(path, {**(query or {}), "limit": _PAGE, "offset": len(rows)})
            rows += page[key]
            if not page[key] or len(rows) >= page["total_entries"]:
                return rows


def part(identity: str) -> str:
    """An id as one part of a path; ApiError for those that would make it another path."""
    if identity in ("", ".", ".."):
        raise ApiError(404, f"{identity!r} is the id of nothing here.")
    return quote(identity.encode("utf-8", "replace"), safe="")


def _words(answer: httpx.Response) -> str:
    """What Airflow says is wrong, as one text."""
    try:
        detail = answer.json().get("detail")
    except (ValueError, AttributeError):
        detail = answer.text
    if isinstance(detail, list):
        return "\n".join(f"{'.'.join(map(str, each.get('loc', ())[1:]))}: {each.get('msg')}" for each in detail)
    return str(detail or f"Airflow answers {answer.status_code}.")
