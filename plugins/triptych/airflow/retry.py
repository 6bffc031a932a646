"""A repair of one of Airflow's runs from outside: the next plan is put, the run told of it, and tasks are cleared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from triptych.airflow.rest import DONE, UNFINISHED, AirflowClient, AirflowError, poll
from triptych.blocks import Block, Role
from triptych.errors import UnfinishedRunError
from triptych.jobs.workspace import open_workspace
from triptych.settings import Settings
from triptych.stages import PLAN_KEY, Stage
from triptych.stages.repair import Change, NewCode, Repaired, repair
from triptych.storage import Stores

STOP_S = 120.0
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
    if stop and _unfinished(client, dag_id, run_id):
        _stop(client, dag_id, run_id)
    if unfinished := _unfinished(client, dag_id, run_id):
        more = " ..." if len(unfinished) > SHOWN else ""
        msg = (
            f"The run {run_id} of {dag_id} is unfinished: {', '.join(unfinished[:SHOWN])}{more}. Wait for its end, or "
            "end it by --stop."
        )
        raise UnfinishedRunError(msg)
    # Who may not clear is told so before there is a plan that nobody goes on with.
    client.clear(dag_id, run_id, [Stage.ASSEMBLE.value], only_failed=False, dry_run=True)
    stores = Stores(settings)
    workspace = open_workspace(settings, stores, dag_id, run_id)
    repaired = repair(settings, workspace, stores, Change(blocks, new_code))
    wanted = _to_clear(client, dag_id, run_id, new_code)
    try:
        client.set_xcom(dag_id, run_id, Stage.PARTITION, PLAN_KEY, str(repaired.ref))
    except AirflowError as error:
        if error.status != 404:
            raise
        # It was killed after it had put its plan and before it told of it. Again, it tells of the newest.
        wanted = [stage.value for stage in Stage]
    cleared = client.clear(dag_id, run_id, wanted, only_failed=False)
    return Retried(repaired, tuple((task["task_id"], task["map_index"]) for task in cleared))


def _unfinished(client: AirflowClient, dag_id: str, run_id: str) -> list[str]:
    """What of the run is: `app[3] is running`, [-1] for no mapped one; the run itself where no task is."""
    tasks = [task for task in client.tasks(dag_id, run_id) if task["state"] in UNFINISHED]
    if tasks:
        return [f"{task['task_id']}[{task['map_index']}] is {task['state']}" for task in tasks]
    state = client.run_state(dag_id, run_id)
    return [] if state in DONE else [f"it is {state}"]


def _stop(client: AirflowClient, dag_id: str, run_id: str) -> None:
    client.fail_run(dag_id, run_id)
    if not poll(lambda: not _unfinished(client, dag_id, run_id), STOP_S, 1.0):
        msg = f"The run {run_id} of {dag_id} did not end within {STOP_S:.0f} s. Try again."
        raise AirflowError(msg)


def _to_clear(client: AirflowClient, dag_id: str, run_id: str, new_code: NewCode) -> list[str | tuple[str, int]]:
    """With KEEP each pack that did not end well, however: a run that is stopped skips those that wait."""
    if new_code is NewCode.RERUN:
        return [Stage.APP.value, Stage.ASSEMBLE.value]
    packs: list[str | tuple[str, int]] = [
        (task["task_id"], task["map_index"])
        for task in client.tasks(dag_id, run_id)
        if task["task_id"] == Stage.APP and task["state"] != "success" and task["map_index"] >= 0
    ]
    return [*packs, Stage.ASSEMBLE.value]
