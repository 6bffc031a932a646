"""Who asks: every endpoint but that of API keys, and of links, depends on `caller`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, HTTPException, Request

from triptych.api import tokens
from triptych.api.answers import ApiError
from triptych.api.api_keys import airflow_token, user_of_key
from triptych.api.inside import Airflow
from triptych.api.prefix import AIRFLOW_KEY, CONSOLE_HEADER
from triptych.api.threads import in_thread
from triptych.api.tokens import Audience

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

ACCESS_S = 3600
_INSIDE_S = 120
"""How long Airflow's own token lasts that stands for ours inside."""


@dataclass(frozen=True)
class Caller:
    """A user of Airflow's, and Airflow's own API as that user finds it."""

    request: Request
    user: Any
    airflow: Airflow
    is_by_key: bool
    """Whether they have come by an API key, and not by a login of Airflow's."""

    @property
    def id(self) -> str:
        """By which Airflow knows the user."""
        return str(self.user.get_id())

    async def require(self, method: ResourceMethod, entity: str, dag_id: str) -> None:
        """ApiError unless Airflow's auth manager lets the user do this to that part (`RUN`, `XCOM`...) of the DAG."""
        if not await self.may(method, entity, dag_id):
            raise ApiError(403, f"You may not do this ({method} {entity}) to {dag_id}.")

    async def may(self, method: ResourceMethod, entity: str, dag_id: str) -> bool:
        """Whether they may, by the function that Airflow's own endpoints depend on."""
        from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
        from airflow.api_fastapi.core_api.security import requires_access_dag

        check = requires_access_dag(method, DagAccessEntity(entity), dag_id)
        try:
            await in_thread(check, self.request, self.user)
        except HTTPException:
            return False
        return True


async def caller(request: Request) -> Caller:
    """By the header `Authorization`, a token alone or after `Bearer`; Airflow's cookie will do for what only reads.

    401 for nobody. For what changes something the cookie will do only where the console's own page sends it: a page of
    another site could make a browser send the cookie, but neither our header with it, nor a word that it is this site.
    """
    from airflow.api_fastapi.core_api.security import resolve_user_from_token

    token = _token(request)
    if tokens.is_ours(token):
        claims = tokens.read(Audience.ACCESS, token)
        user = await in_thread(user_of_key, str(claims.get("key")))
        token = await in_thread(airflow_token, user, _INSIDE_S)
        return Caller(request, user, Airflow(request.scope[AIRFLOW_KEY], token), is_by_key=True)
    try:
        known: BaseUser = await resolve_user_from_token(token)
    except HTTPException as error:
        # Airflow answers 403 to what is no token; clients ask for another at 401.
        raise ApiError(401, f"{error.detail}. Get a token: POST /v1/auth/access_token with an API key.") from None
    return Caller(request, known, Airflow(request.scope[AIRFLOW_KEY], token), is_by_key=False)


def _token(request: Request) -> str:
    given = request.headers.get("Authorization", "").strip()
    scheme, _, rest = given.partition(" ")
    if given:
        return rest.strip() if scheme.lower() == "bearer" else given
    is_safe = request.method in ("GET", "HEAD") or is_from_console(request)
    return request.cookies.get("_token", "") if is_safe else ""


def is_from_console(request: Request) -> bool:
    """Whether our own page asks: by a header that others cannot send, and by the browser's word of whose page it is."""
    return CONSOLE_HEADER in request.headers and request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"


CallerDep = Annotated[Caller, Depends(caller)]
