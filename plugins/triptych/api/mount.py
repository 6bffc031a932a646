"""What Airflow's API server mounts: cheap to make, since schedulers and workers load plugins, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triptych.api.prefix import AIRFLOW_KEY

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class JobsApi:
    """An ASGI app that becomes the Jobs API when it is first asked."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._app is None:
            from triptych.api.app import make_app

            self._app = make_app()
        await self._app({**scope, AIRFLOW_KEY: scope["app"]}, receive, send)
