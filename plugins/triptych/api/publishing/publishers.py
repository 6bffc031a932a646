"""Who may publish, and under which names.

Whoever publishes an app chooses which Airflow connections its container gets as secrets. So it takes the right to
change connections, as an operator has; no right to DAGs alone is enough.
"""

from __future__ import annotations

from triptych.api.answers import ApiError
from triptych.api.callers import Caller
from triptych.api.inside import part
from triptych.api.judging import TAG, own_template
from triptych.api.threads import in_thread


async def require_publisher(caller: Caller) -> None:
    """ApiError unless Airflow's auth manager lets the user change connections."""
    if not await is_publisher(caller):
        raise ApiError(403, "You may not publish: it takes the right to change Airflow's connections.")


async def is_publisher(caller: Caller) -> bool:
    """Whether they may."""
    from airflow.api_fastapi.app import get_auth_manager

    manager = get_auth_manager()
    return bool(await in_thread(manager.is_authorized_connection, method="PUT", user=caller.user))


async def require_free_id(caller: Caller, template_id: str) -> None:
    """ApiError where a DAG of this id is there that is no published template's: it would take that one's place."""
    if await in_thread(own_template, template_id) is not None:
        raise ApiError(400, f"{template_id}: is a template in an include folder of this Airflow. Choose another id.")
    try:
        dag = await caller.airflow.get(f"dags/{part(template_id)}")
    except ApiError as error:
        if error.status == 404:
            return
        raise
    if TAG not in [tag["name"] for tag in dag.get("tags", ())]:
        raise ApiError(400, f"{template_id}: is a DAG of this Airflow, and no template's. Choose another id.")
    await caller.require("PUT", "RUN", template_id)
