"""Runs of a scheduled DAG for days of the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from triptych.airflow.rest import AirflowClient, AirflowError, poll


def backfill(client: AirflowClient, dag_id: str, days: Sequence[str]) -> None:
    """Run each day from the first to the last, those that have run before again, and wait until all succeeded."""
    asked = {"dag_id": dag_id, "from_date": f"{days[0]}T00:00:00Z", "to_date": f"{days[-1]}T00:00:00Z"}
    made: list[Mapping[str, Any]] = []
    # SQLite, which a scheduler writes to meanwhile, may be locked: Airflow says so, and takes back what it has made.
    # Paused, as a scheduler that has begun one of those runs would end by that.
    client.pause(dag_id, paused=True)
    assert poll(lambda: _is_begun(client, {**asked, "reprocess_behavior": "completed"}, made), 120, 1.0)
    (begun,) = made
    client.pause(dag_id, paused=False)

    def finished() -> bool:
        found: Any = client.get(f"backfills/{begun['id']}")
        return found["completed_at"] is not None

    assert poll(finished, 240, 1.0)
    runs = [run["dag_run_id"] for run in client.runs(dag_id) if run["run_type"] == "backfill"]
    assert len(runs) == len(days)
    for run in runs:
        assert client.wait_for_run(dag_id, run) == "success", client.log(dag_id, run, "partition")


def _is_begun(client: AirflowClient, asked: Mapping[str, str], made: list[Mapping[str, Any]]) -> bool:
    try:
        made.append(client.call("POST", "backfills", asked))
    except AirflowError as error:
        if error.status != 503:
            raise
        return False
    return True
