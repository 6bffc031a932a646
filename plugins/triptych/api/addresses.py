"""Absolute addresses of this API, for links that are followed by others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triptych.api.prefix import PREFIX

if TYPE_CHECKING:
    from fastapi import Request


def address(request: Request, path: str) -> str:
    """The URL of a path of ours: below Airflow's `[api] base_url`, else where the request came to."""
    from airflow.configuration import conf

    configured = conf.get("api", "base_url", fallback="").rstrip("/")
    return f"{configured}{PREFIX}{path}" if configured else f"{str(request.base_url).rstrip('/')}{path}"
