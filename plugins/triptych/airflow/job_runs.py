"""Jobs as an Airflow knows them, by its REST API: their runs, their tasks, and their end. No workspace is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from triptych.airflow.rest import DONE, UNFINISHED, AirflowClient, AirflowError, poll
from triptych.jobs.views.job_line import JobLine, JobState, Wanted
from triptych.stages import Stage

STOP_S = 120.0
"""For so long a run that is ended is waited for."""
TAG = "triptych"
"""Of each DAG that the factory makes."""
_STATES: Mapping[str, JobState] = {
    "queued": JobState.QUEUED,
    "running": JobState.RUNNING,
    "success": JobState.DONE,
    "failed": JobState.FAILED,
}


@dataclass(frozen=True)
class TaskLine:
    """One task of a run: its state, None before it is scheduled, and how often it was begun; `map_index` -1 for one
    that is not mapped.
    """

    task: str
    map_index: int
    state: str | None
    tries: int
    seconds: float | None
    worker: str | None

    @property
    def label(self) -> str:
        """`app[3]`; a task that is not mapped by its name alone."""
        return self.task if self.map_index < 0 else f"{self.task}[{self.map_index}]"


@dataclass(frozen=True)
class AirflowJob:
    """A job as its Airflow tells it: the run, and its tasks, in the order of the stages."""

    line: JobLine
    tasks: Sequence[TaskLine]
    conf: Mapping[str, Any]
    page: str
    """Of the run, in Airflow's own pages."""
    output: str | None
    """Its URI, where `assemble` has told it."""

    def tasks_by_state(self) -> dict[str, int]:
        """How many of the tasks of the stage `app` are in which state."""
        return dict(Counter(task.state or "none" for task in self.tasks if task.task == Stage.APP))

    @property
    def failed(self) -> list[TaskLine]:
        """The tasks that failed by themselves, not for another."""
        return [task for task in self.tasks if task.state == "failed"]


def list_runs(client: AirflowClient, wanted: Wanted, most: int | None) -> tuple[list[JobLine], int]:
    """At most so many jobs, the last launched first, and how many there are."""
    states = [name for name, state in _STATES.items() if state in wanted.states]
    if wanted.states and not states:
        return [], 0
    dag_ids = [dag["dag_id"] for dag in client.dags(TAG)] if wanted.template is None else [wanted.template]
    if not dag_ids:
        return [], 0
    since = datetime.fromtimestamp(wanted.since, UTC).isoformat() if wanted.since else None
    rows, total = client.newest_runs(dag_ids, states, since, most)
    return [_line(row["dag_id"], row["dag_run_id"], row) for row in rows], total


def run_line(client: AirflowClient, dag_id: str, run_id: str) -> JobLine:
    """The run alone, in one request; AirflowError with status 404 when there is none."""
    return _line(dag_id, run_id, client.run(dag_id, run_id))


def read_job(client: AirflowClient, dag_id: str, run_id: str) -> AirflowJob:
    """The run with its tasks; AirflowError with status 404 when there is none."""
    row = client.run(dag_id, run_id)
    tasks = sorted(map(_task, client.tasks(dag_id, run_id)), key=_by_stage)
    said = client.xcom(dag_id, run_id, Stage.ASSEMBLE, "return_value")
    output = said.get("uri") if isinstance(said, dict) else None
    conf = row.get("conf")
    return AirflowJob(
        _line(dag_id, run_id, row),
        tasks,
        conf if isinstance(conf, dict) else {},
        page_of(client, dag_id, run_id),
        output if isinstance(output, str) else None,
    )


def page_of(client: AirflowClient, dag_id: str, run_id: str) -> str:
    """Where Airflow shows the run to people."""
    return f"{client.url}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"


def unfinished(client: AirflowClient, dag_id: str, run_id: str) -> list[str]:
    """What of the run is: `app[3] is running`, [-1] for no mapped one; the run itself where no task is."""
    tasks = [task for task in client.tasks(dag_id, run_id) if task["state"] in UNFINISHED]
    if tasks:
        return [f"{task['task_id']}[{task['map_index']}] is {task['state']}" for task in tasks]
    state = client.run_state(dag_id, run_id)
    return [] if state in DONE else [f"it is {state}"]


def stop(client: AirflowClient, dag_id: str, run_id: str) -> bool:
    """End the run: what runs of it is killed, what waits is skipped; whether there was anything to end.

    Each worker removes its container as it hears of it, within seconds. AirflowError when the run does not end.
    """
    if not unfinished(client, dag_id, run_id):
        return False
    client.fail_run(dag_id, run_id)
    if not poll(lambda: not unfinished(client, dag_id, run_id), STOP_S, 1.0):
        msg = f"The run {run_id} of {dag_id} did not end within {STOP_S:.0f} s. Try again."
        raise AirflowError(msg)
    return True


def _line(dag_id: str, run_id: str, row: Mapping[str, Any]) -> JobLine:
    state = _STATES.get(row["state"], JobState.UNFINISHED)
    queued, began, ended = (_time(row.get(key)) for key in ("queued_at", "start_date", "end_date"))
    ended = ended if state.has_ended else None
    told = [each for each in (queued, began, ended) if each is not None]
    launched = queued if queued is not None else began
    return JobLine(dag_id, run_id, state, max(told, default=None), None, launched, ended, None, "")


def _task(row: Mapping[str, Any]) -> TaskLine:
    seconds, worker, tries = row.get("duration"), row.get("hostname"), row.get("try_number")
    return TaskLine(
        row["task_id"],
        row["map_index"],
        row["state"],
        tries if isinstance(tries, int) else 0,
        float(seconds) if isinstance(seconds, int | float) else None,
        worker if isinstance(worker, str) and worker else None,
    )


def _by_stage(task: TaskLine) -> tuple[int, str, int]:
    stages = [stage.value for stage in Stage]
    return stages.index(task.task) if task.task in stages else len(stages), task.task, task.map_index


def _time(text: object) -> float | None:
    """Seconds since the epoch of a time as Airflow writes it; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
