"""Which runs an Airflow has not ended yet, for retention: asked by its REST API, or by a task of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from triptych.airflow.exchange import AirflowError
from triptych.airflow.rest import AirflowClient
from triptych.jobs.workspace import folder_name
from triptych.retention.running_runs import CannotTellError

STATES = ("queued", "running")
"""Of runs that have not ended."""
_HASHED = "="
"""In the name of a folder: the id that it stands for is not known from it (`folder_name`)."""


class RestRuns:
    """Those of the Airflow that this client speaks to."""

    def __init__(self, client: AirflowClient) -> None:
        self._client = client

    def unfinished(self, dag: str, runs: Sequence[str]) -> set[str]:
        """One listing for all runs; none are of a DAG that Airflow does not have any more."""
        try:
            found = self._client.runs(_dag_id(dag), states=STATES)
        except AirflowError as error:
            if error.status == 404:
                return set()
            msg = f"Airflow does not say whether it runs: {error}"
            raise CannotTellError(msg) from error
        return set(runs) & {folder_name(run["dag_run_id"]) for run in found}


class TaskRuns:
    """Those of the Airflow whose task this is; `count` is its `get_dr_count`, the public way of a task to ask."""

    def __init__(self, count: Callable[..., int]) -> None:
        self._count = count

    def unfinished(self, dag: str, runs: Sequence[str]) -> set[str]:
        """One request for a DAG of which nothing runs; else one more for each run. What has no plain id then stays."""
        dag_id = _dag_id(dag)
        if not self._count(dag_id=dag_id, states=list(STATES)):
            return set()
        return {run for run in runs if _HASHED in run or self._count(dag_id=dag_id, run_ids=[run], states=list(STATES))}


def _dag_id(folder: str) -> str:
    if _HASHED in folder:
        msg = "its DAG's id is not known from its folder, so Airflow cannot be asked"
        raise CannotTellError(msg)
    return folder
