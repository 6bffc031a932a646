"""Edge workers, as Airflow's database has them: each tells the API server that it lives, and what it takes."""

from __future__ import annotations

from triptych.airflow.checkup.live_workers import Kind, LiveWorker, NotAskedError
from triptych.checkup import Standing

EDGE = Kind("edge", "airflow edge worker", counts_slots=True)
_TAKING = ("starting", "running", "idle")
"""States of one that takes tasks; who has said nothing for long is `unknown`, by the executor."""


def ask_edge() -> list[LiveWorker]:
    """Those that take tasks, by name; NotAskedError where the database does not tell, or the provider is missing."""
    try:
        from airflow.providers.edge3.models.edge_worker import EdgeWorkerModel
    except ModuleNotFoundError as error:
        said = f"The executor is that of edge workers, and {error.name} is not installed here."
        raise NotAskedError(Standing.WRONG, said, "pip install 'triptych[edge]'") from error
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    asked = select(EdgeWorkerModel).where(EdgeWorkerModel.state.in_(_TAKING)).order_by(EdgeWorkerModel.worker_name)
    try:
        with create_session() as session:
            return [
                LiveWorker(
                    each.worker_name,
                    int(each.concurrency or (each.sysinfo or {}).get("concurrency") or 0),
                    frozenset(each.queues) if each.queues else None,
                )
                for each in session.scalars(asked)
            ]
    except SQLAlchemyError as error:
        said = "Airflow's database tells nothing of edge workers here."
        remedy = "Run it where Airflow's scheduler runs; there, `airflow db migrate` makes what is missing."
        raise NotAskedError(Standing.SKIPPED, said, remedy) from error
