"""Tells of runs whose tasks want more slots than their pool has: Airflow would leave them `scheduled` for ever.

A listener (`on_dag_run_running`), called by the scheduler, which alone can read pools: a task cannot.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

from triptych.harmless import harmless_logger

if TYPE_CHECKING:
    from airflow.models import DagRun
    from sqlalchemy.orm import Session

TAG = "triptych"
"""Of each of our DAGs."""
ABOUT = "Triptych: "
"""What a note of ours on a run begins with."""
UNLIMITED = -1
_log = harmless_logger(__name__)


@hookimpl  # type: ignore[untyped-decorator]  # Airflow gives it no type.
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """Fail a run of ours that could never end, when it starts or starts again; its note, and the log, say why.

    In the scheduler's own transaction, which commits what is set here. A run that starts well loses an old note.
    """
    from airflow.utils.state import DagRunState
    from sqlalchemy.orm import object_session

    dag, session = dag_run.dag, object_session(dag_run)
    if dag is None or session is None or TAG not in dag.tags:
        return
    wanted = {(task.pool, task.task_id): task.pool_slots for task in dag.tasks}
    reasons = too_few(wanted, slots_of({pool for pool, _ in wanted}, session))
    if reasons:
        dag_run.note = ABOUT + " ".join(reasons)
        _log.error("Run %s of %s is failed: %s", dag_run.run_id, dag_run.dag_id, dag_run.note)
        dag_run.set_state(DagRunState.FAILED)
    elif (dag_run.note or "").startswith(ABOUT):
        dag_run.note = None


def slots_of(pools: Collection[str], session: Session) -> dict[str, int]:
    """How many slots those of the pools have that there are."""
    from airflow.models import Pool
    from sqlalchemy import select

    rows = session.execute(select(Pool.pool, Pool.slots).where(Pool.pool.in_(pools)))
    return {str(pool): int(slots) for pool, slots in rows}


def too_few(wanted: Mapping[tuple[str, str], int], slots: Mapping[str, int]) -> list[str]:
    """A sentence for each (pool, task) that wants more slots than the pool has in all, or whose pool is missing."""
    reasons = []
    for (pool, task), count in wanted.items():
        if pool not in slots:
            reasons.append(
                f"There is no pool {pool!r} for the task `{task}`: `airflow pools set {pool} SLOTS 'cores for apps'`."
            )
        elif UNLIMITED != slots[pool] < count:
            reasons.append(
                f"The task `{task}` takes {count} slots of the pool {pool!r}, one per core, and the pool has "
                f"{slots[pool]}: it would wait for ever. Enlarge the pool, or lower min_cpu in the app's manifest, "
                "then clear the run."
            )
    return reasons
