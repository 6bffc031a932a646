"""The DAG of retention is there where a setting wants it, and asks its own Airflow by the public way of a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from triptych.airflow.judgement import check_storable
from triptych.airflow.maintenance import DAG_ID, build_maintenance
from triptych.airflow.unfinished import TaskRuns
from triptych.jobs.workspace import folder_name
from triptych.retention.running_runs import CannotTellError
from triptych.settings import get_settings


@pytest.fixture
def schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__MAINTENANCE_SCHEDULE", "0 3 * * *")
    get_settings.cache_clear()


def test_without_a_schedule_there_is_no_such_dag(include: object) -> None:
    assert build_maintenance() == {}


def test_with_a_schedule_there_is_one_that_airflow_can_store(include: object, schedule: None) -> None:
    [(dag_id, dag)] = build_maintenance().items()
    assert (dag_id, dag.dag_id, dag.schedule) == (DAG_ID, "triptych_maintenance", "0 3 * * *")
    assert not dag.is_paused_upon_creation
    assert dag.params["dry_run"] is False
    check_storable(dag)


class _Counted:
    """What `get_dr_count` says of an Airflow with these runs that have not ended; how often it was asked."""

    def __init__(self, *runs: str) -> None:
        self.runs, self.asked = runs, 0

    def __call__(self, dag_id: str, run_ids: Sequence[str] | None = None, states: Sequence[str] | None = None) -> int:
        self.asked += 1
        assert (dag_id, states) == ("tried", ["queued", "running"])
        return len([run for run in self.runs if run_ids is None or run in run_ids])


@pytest.mark.parametrize(
    ("unfinished", "found", "requests"),
    [
        ((), set(), 1),
        (("b",), {"b", folder_name("an odd id")}, 3),
        (("young",), {folder_name("an odd id")}, 3),
    ],
)
def test_a_task_asks_once_where_nothing_runs(unfinished: tuple[str, ...], found: Any, requests: int) -> None:
    """An id that is not known from its folder stays while any run of its DAG is unfinished."""
    count = _Counted(*unfinished)
    assert TaskRuns(count).unfinished("tried", ["a", "b", folder_name("an odd id")]) == found
    assert count.asked == requests


def test_a_dag_whose_id_is_not_known_cannot_be_asked_for() -> None:
    with pytest.raises(CannotTellError, match="not known from its folder"):
        TaskRuns(_Counted()).unfinished(folder_name("an odd id"), ["a"])
