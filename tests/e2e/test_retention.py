"""The DAG `triptych_maintenance` on a real Airflow: what is old goes, what Airflow has not ended stays."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.old_runs import set_back
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

pytestmark = [pytest.mark.airflow, pytest.mark.docker]
LINES = (PROJECT / "include" / "apps" / "linecount" / "test" / "lines.txt").as_uri()


def _maintain(airflow: EmbeddedAirflow, *, dry_run: bool) -> str:
    """What its task logged."""
    run_id = airflow.client.trigger("triptych_maintenance", {"dry_run": dry_run})
    ended = airflow.client.wait_for_run("triptych_maintenance", run_id)
    log = airflow.client.log("triptych_maintenance", run_id, "clean")
    assert ended == "success", log
    return log


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_maintenance_removes_what_is_old_and_leaves_what_airflow_has_not_ended(airflow: EmbeddedAirflow) -> None:
    done = airflow.client.trigger("upper", {"dataSource": LINES})
    assert airflow.client.wait_for_run("upper", done) == "success"
    # A run that waits for as long as its DAG is paused.
    airflow.client.pause("upper")
    made = airflow.client.call("POST", "dags/upper/dagRuns", {"logical_date": None, "conf": {"dataSource": LINES}})
    queued = str(made["dag_run_id"])
    runs = airflow.home / "workspace" / "upper"
    shutil.copytree(runs / done, runs / queued)
    set_back(runs, 8)
    outputs = airflow.home / "workspace" / "outputs" / "upper"
    set_back(outputs, 1000)
    before, results = _names(runs), _names(outputs)
    assert results

    told = _maintain(airflow, dry_run=True)
    assert f"Would go: run {(runs / done).as_uri()}/" in told
    assert "it succeeded more than 7 days ago, but it runs" in told
    assert _names(runs) == before

    told = _maintain(airflow, dry_run=False)
    assert f"Removed: run {(runs / done).as_uri()}/" in told
    assert _names(runs / done) == ["removed.json"]
    assert [f"{queued}/{name}" for name in _names(runs / queued)] == [name for name in before if queued in name]
    assert _names(outputs) == results

    airflow.client.fail_run("upper", queued)
    told = _maintain(airflow, dry_run=False)
    assert _names(runs / queued) == ["removed.json"], told

    # Whoever clears its tasks later is told what became of it.
    airflow.client.pause("upper", paused=False)
    airflow.client.clear("upper", done, ["assemble"], only_failed=False)
    assert airflow.client.wait_for_run("upper", done) == "failed"
    said = airflow.client.log("upper", done, "assemble", attempt=2)
    assert "retention removed this run's data on" in said
    assert "launch the job anew" in said
