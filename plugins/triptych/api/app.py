"""The app itself: the endpoints, and what every failure becomes."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException

from triptych import __version__
from triptych.api.answers import Answer, ApiError, of_failure, refused
from triptych.api.console import page
from triptych.api.routes import (
    auth,
    catalog,
    changes,
    chunks,
    forms,
    jobs,
    logs,
    publishing,
    repairs,
    report,
    results,
    secrets,
    sources,
    uploads,
)
from triptych.errors import TriptychError
from triptych.settings import get_settings

_ABOUT = """Jobs over HTTP, as clients of job services send them. Each job is a DAG run of Airflow's.

Get a token for an API key (`POST /auth/access_token`), or use one of Airflow's own; send it in `Authorization`, alone
or after `Bearer`. Names in bodies may be written in camelCase or snake_case, whole numbers also as texts.
"""
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def make_app() -> FastAPI:
    """The app, for whoever mounts it at `prefix.PREFIX`."""
    app = FastAPI(
        title="Triptych Jobs API",
        version=__version__,
        description=_ABOUT,
        docs_url=None,  # Their pages would load scripts from other servers.
        redoc_url=None,
        default_response_class=Answer,
        exception_handlers={
            ApiError: _refused,
            TriptychError: _failed,
            RequestValidationError: _invalid,
            HTTPException: _as_http,
            Exception: _unexpected,
        },
    )
    customer = APIRouter()
    # Before the jobs: `/jobs/templates` is no job's id.
    for part in (
        catalog.router,
        forms.router,
        sources.router,
        uploads.router,
        changes.router,
        results.router,
        report.router,
        jobs.router,
        repairs.router,
        chunks.router,
        logs.router,
    ):
        customer.include_router(part)
    app.include_router(auth.router, prefix="/auth")
    app.include_router(secrets.router, prefix="/auth")
    app.include_router(customer, prefix="/customer")
    app.include_router(customer, prefix="/computing", include_in_schema=False)
    app.include_router(catalog.developer, prefix="/dev")
    app.include_router(publishing.router, prefix="/dev")
    app.include_router(results.links)
    app.include_router(uploads.links)
    app.include_router(page.router)
    if origins := get_settings().api_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=list(_METHODS),
            allow_headers=["Content-Type", "Authorization"],
        )
    return app


async def _refused(request: Request, error: ApiError) -> Response:
    return refused(error.status, error.message)


async def _failed(request: Request, error: TriptychError) -> Response:
    return of_failure(error)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    texts = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}." for each in error.errors()]
    return refused(400, "\n".join(texts))


async def _as_http(request: Request, error: HTTPException) -> Response:
    return refused(error.status_code, f"{request.method} {request.url.path}: {error.detail}.")


async def _unexpected(request: Request, error: Exception) -> Response:
    # Starlette raises it again once this is sent, and so it is logged.
    return refused(500, "This should not have happened: the API server's log says what did.")
