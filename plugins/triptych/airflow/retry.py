"""A repair of one of Airflow's runs from outside: the next plan is put, the run told of it, and tasks are cleared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from triptych.airflow.job_runs import stop as end_run
from triptych.airflow.job_runs import unfinished
from triptych.airflow.rest import AirflowClient, AirflowError
from triptych.blocks import Block, Role
from triptych.errors import UnfinishedRunError
from triptych.jobs.workspace import open_workspace
from triptych.settings import Settings
from triptych.stages import PLAN_KEY, Stage, left_undone
from triptych.stages.repair import Change, NewCode, Repaired, repair
from triptych.storage import Stores

SHOWN = 5


@dataclass(frozen=True)
class Retried:
    """What the run goes on with, and the (task, map index) of those that were cleared; -1 for no mapped one."""

    repaired: Repaired
    cleared: tuple[tuple[str, int], ...]


def retry(
    client: AirflowClient,
    settings: Settings,
    blocks: Mapping[Role, Block],
    dag_id: str,
    run_id: str,
    new_code: NewCode,
    *,
    stop: bool,
) -> Retried:
    """Let the run go on with these blocks. Interrupted anywhere, the same call goes on.

    `settings.workspace` is that of Airflow's. UnfinishedRunError while a task of it is unfinished; with `stop` the run
    is failed first.
    """
    check_ended(client, dag_id, run_id, stop=stop)
    # Who may not clear is told so before there is a plan that nobody goes on with.
    client.clear(dag_id, run_id, [Stage.ASSEMBLE.value], only_failed=False, dry_run=True)
    stores = Stores(settings)
    workspace = open_workspace(settings, stores, dag_id, run_id)
    repaired = repair(settings, workspace, stores, Change(blocks, new_code))
    wanted = _to_clear(client, dag_id, run_id, new_code, repaired)
    try:
        client.set_xcom(dag_id, run_id, Stage.PARTITION, PLAN_KEY, str(repaired.ref))
    except AirflowError as error:
        if error.status != 404:
            raise
        # It was killed after it had put its plan and before it told of it. Again, it tells of the newest.
        wanted = [stage.value for stage in Stage]
    cleared = client.clear(dag_id, run_id, wanted, only_failed=False)
    return Retried(repaired, tuple((task["task_id"], task["map_index"]) for task in cleared))


def clear_failed(client: AirflowClient, dag_id: str, run_id: str, *, stop: bool) -> tuple[tuple[str, int], ...]:
    """Let the run go on with the code that it has: what did not end well is cleared, and told as `Retried.cleared`.

    Raises as `retry` does. A run of which nothing failed has its output made again, from the results that are there.
    """
    check_ended(client, dag_id, run_id, stop=stop)
    cleared = client.clear(dag_id, run_id, left_undone(client.tasks(dag_id, run_id)), only_failed=False)
    return tuple((task["task_id"], task["map_index"]) for task in cleared)


def check_ended(client: AirflowClient, dag_id: str, run_id: str, *, stop: bool) -> None:
    """UnfinishedRunError while a task of the run is unfinished; with `stop` it is ended first."""
    if stop:
        end_run(client, dag_id, run_id)
    if found := unfinished(client, dag_id, run_id):
        more = " ..." if len(found) > SHOWN else ""
        msg = (
            f"The run {run_id} of {dag_id} is unfinished: {', '.join(found[:SHOWN])}{more}. Wait for its end, or "
            "end it by --stop."
        )
        raise UnfinishedRunError(msg)


def _to_clear(
    client: AirflowClient, dag_id: str, run_id: str, new_code: NewCode, repaired: Repaired
) -> list[str | tuple[str, int]]:
    if new_code is NewCode.RERUN:
        return [Stage.APP.value, Stage.ASSEMBLE.value]
    return left_undone(client.tasks(dag_id, run_id), repaired.lacking)
