"""Airflow's SimpleAuthManager with one more right to give: users named `trigger...` see DAGs and start runs.

Neither its roles nor Airflow itself have such a user; FAB's and Keycloak's permissions make one. Which endpoint asks
for which permission stays Airflow's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
    from airflow.api_fastapi.auth.managers.models.resource_details import ConfigurationDetails, DagDetails
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

_MAY: set[tuple[ResourceMethod, DagAccessEntity | None]] = {
    ("GET", None),
    ("GET", DagAccessEntity.RUN),
    ("POST", DagAccessEntity.RUN),
}


class TriggerOnlyAuthManager(SimpleAuthManager):  # type: ignore[misc]  # Airflow gives it no type.
    """Give such a user the role `viewer`: what that may not do, this one may not, but for starting runs."""

    def is_authorized_dag(
        self,
        *,
        method: ResourceMethod,
        user: SimpleAuthManagerUser,
        access_entity: DagAccessEntity | None = None,
        details: DagDetails | None = None,
    ) -> bool:
        """See and trigger, within the user's teams."""
        if not user.username.startswith("trigger"):
            own = super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
            return bool(own)
        in_team = super().is_authorized_dag(method="GET", user=user, access_entity=access_entity, details=details)
        return bool(in_team) and (method, access_entity) in _MAY

    def is_authorized_configuration(
        self, *, method: ResourceMethod, user: SimpleAuthManagerUser, details: ConfigurationDetails | None = None
    ) -> bool:
        """Not for those who only trigger."""
        own = super().is_authorized_configuration(method=method, user=user, details=details)
        return bool(own) and not user.username.startswith("trigger")
