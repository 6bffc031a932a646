"""The three stages of a job, a module each: `partition`, `run_pack`, `assemble`.

Each can run again: what is committed stays, only what is missing is done. They alone take a whole `Job`; what stands
beside them (`sources`, `chunk_list`, `results`, `destination`, `sessions`) takes a workspace, stores and limits.
"""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """A stage, in order; the tasks of a job's DAG bear these ids."""

    PARTITION = "partition"
    APP = "app"
    ASSEMBLE = "assemble"


PLAN_KEY = "plan"
"""Of the XCom of `partition` by which the later stages know their plan; a repair writes it anew."""


def left_undone(tasks: Iterable[Mapping[str, Any]], lacking: Collection[int] = ()) -> list[str | tuple[str, int]]:
    """Of a run's tasks, as Airflow's API lists them, what has to run again, as its `clearTaskInstances` takes them.

    Each pack that did not end well, however, and `assemble`: a run that is stopped skips the packs that wait. Where
    `partition` did not end well, all of it. `lacking` are the map indices of packs that have no result in the workspace
    for each of their chunks, whatever Airflow calls them: one of the two was restored from a backup.
    """
    found = list(tasks)
    if any(task["task_id"] == Stage.PARTITION and task["state"] != "success" for task in found):
        return [stage.value for stage in Stage]
    packs: list[str | tuple[str, int]] = [
        (task["task_id"], task["map_index"])
        for task in found
        if task["task_id"] == Stage.APP
        and task["map_index"] >= 0
        and (task["state"] != "success" or task["map_index"] in lacking)
    ]
    return [*packs, Stage.ASSEMBLE.value]
