"""`triptych job retry` on a real Airflow: new code for a run that failed, that still runs, or that is done."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import docker
import pytest

from tests.support.workspaces import counted
from triptych.airflow.rest import poll
from triptych.blocks import read_catalog
from triptych.demo.embedded import USER, EmbeddedAirflow
from triptych.jobs.workspace import open_workspace
from triptych.settings import PROJECT, Settings, read_settings
from triptych.stages.repair import Change, repair
from triptych.storage import Stores

pytestmark = [pytest.mark.airflow, pytest.mark.docker]
SCRIPT = 'echo {mark} > "$TASK_RESULTS_DIR/r"'
WAIT_S = 180.0


def _change(airflow: EmbeddedAirflow, app: str, mark: str) -> None:
    """From here on the app's script writes the mark, and never fails."""
    (airflow.home / "include" / "apps" / app / "app" / "main.sh").write_text(SCRIPT.format(mark=mark))


def _retry(airflow: EmbeddedAirflow, run_id: str, *options: str) -> subprocess.CompletedProcess[str]:
    """The command, as an operator types it beside this Airflow."""
    own = {"PASSWORD_OF_ADMIN": airflow.password, "PYTHONPATH": str(PROJECT / "plugins")}
    login = ["--airflow", airflow.url, "--user", USER, "--password-env", "PASSWORD_OF_ADMIN"]
    return subprocess.run(
        [sys.executable, "-m", "triptych", "job", "retry", run_id, *login, *options],
        env={**airflow.env, **own},
        cwd=airflow.home,
        capture_output=True,
        text=True,
        check=False,
    )


def _settings(airflow: EmbeddedAirflow) -> Settings:
    keys = ("workspace", "scratch", "include", "allowed_roots")
    return read_settings({key: airflow.env[f"AIRFLOW__TRIPTYCH__{key.upper()}"] for key in keys})


def _workspace(airflow: EmbeddedAirflow, dag_id: str, run_id: str) -> Path:
    return airflow.home / "workspace" / dag_id / run_id


def _plans(airflow: EmbeddedAirflow, dag_id: str, run_id: str) -> dict[int, str]:
    """Of each chunk, the plan under which its result was made, as the name of the result's object says."""
    done = counted(_workspace(airflow, dag_id, run_id))
    return {number: tried["files"][0]["object"].split("/")[1] for number, tried in sorted(done.items())}


def _output(airflow: EmbeddedAirflow, dag_id: str, run_id: str) -> list[str]:
    folder = airflow.home / "workspace" / "outputs" / dag_id / run_id
    return [path.read_text().strip() for path in sorted(folder.rglob("*r"))]


def _tries(airflow: EmbeddedAirflow, dag_id: str, run_id: str) -> Mapping[tuple[str, int], int]:
    return {(t["task_id"], t["map_index"]): t["try_number"] for t in airflow.client.tasks(dag_id, run_id)}


def _plan_of_the_run(airflow: EmbeddedAirflow, dag_id: str, run_id: str) -> str:
    path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/partition/xcomEntries/plan"
    return str(airflow.client.get(path)["value"])


def _succeeds(airflow: EmbeddedAirflow, dag_id: str, run_id: str) -> None:
    if airflow.client.wait_for_run(dag_id, run_id) != "success":
        tasks = [(t["task_id"], t["map_index"], t["try_number"]) for t in airflow.client.tasks(dag_id, run_id)]
        pytest.fail("\n".join(airflow.client.log(dag_id, run_id, *task) for task in tasks))


def test_keep_then_rerun_with_new_code(airflow: EmbeddedAirflow, tmp_path: Path) -> None:
    run_id = airflow.client.trigger("mended", {})
    assert airflow.client.wait_for_run("mended", run_id) == "failed"
    states = {(t["task_id"], t["map_index"]): t["state"] for t in airflow.client.tasks("mended", run_id)}
    assert states[("partition", -1)] == "success", airflow.client.log("mended", run_id, "partition")
    assert states[("app", 1)] == "failed"
    first = _tries(airflow, "mended", run_id)
    backup = shutil.copytree(_workspace(airflow, "mended", run_id), tmp_path / "backup")
    _change(airflow, "mended", "second")

    # A command that was killed after it had put the plan, and before it told the run of it.
    settings = _settings(airflow)
    stores = Stores(settings)
    blocks = read_catalog(settings.include).template("mended").blocks
    put = repair(settings, open_workspace(settings, stores, "mended", run_id), stores, Change(blocks))
    assert put.is_new

    told = _retry(airflow, run_id, "--new-code", "keep", "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["plan"] == {"generation": 1, "sha256": put.ref.sha256}
    cleared = {(each["task"], each["map"]) for each in json.loads(told.stdout)["cleared"]}
    assert cleared == {("app", 1), ("assemble", -1)}
    _succeeds(airflow, "mended", run_id)
    assert _plan_of_the_run(airflow, "mended", run_id) == str(put.ref)
    again = _tries(airflow, "mended", run_id)
    assert {task for task in again if again[task] > first[task]} == {("app", 1), ("assemble", -1)}
    assert _plans(airflow, "mended", run_id) == {0: "0", 1: "1", 2: "0"}
    assert _output(airflow, "mended", run_id) == ["done", "second", "done"]

    # All of it cleared by hand, `partition` too: the plan stays, and nothing runs again.
    airflow.client.clear("mended", run_id, only_failed=False)
    _succeeds(airflow, "mended", run_id)
    assert _plan_of_the_run(airflow, "mended", run_id) == str(put.ref)
    assert _plans(airflow, "mended", run_id) == {0: "0", 1: "1", 2: "0"}

    # The backup is restored, which has no result of chunk 1, and no output. To Airflow all is done.
    shutil.rmtree(_workspace(airflow, "mended", run_id))
    shutil.rmtree(airflow.home / "workspace" / "outputs" / "mended" / run_id)
    shutil.copytree(backup, _workspace(airflow, "mended", run_id))
    told = _retry(airflow, run_id, "--new-code", "keep", "--json")
    assert told.returncode == 0, told.stderr
    cleared = {(each["task"], each["map"]) for each in json.loads(told.stdout)["cleared"]}
    assert cleared == {("app", 1), ("assemble", -1)}
    _succeeds(airflow, "mended", run_id)
    assert _plans(airflow, "mended", run_id) == {0: "0", 1: "1", 2: "0"}
    assert _output(airflow, "mended", run_id) == ["done", "second", "done"]

    _change(airflow, "mended", "third")
    told = _retry(airflow, run_id, "--dag", "mended", "--new-code", "rerun")
    assert told.returncode == 0, told.stderr
    assert "0 of 3 chunk(s) have a result. 4 task(s) of mended were cleared" in told.stderr
    _succeeds(airflow, "mended", run_id)
    assert _plans(airflow, "mended", run_id) == {0: "2", 1: "2", 2: "2"}
    assert _output(airflow, "mended", run_id) == ["third"] * 3


def test_a_run_that_is_unfinished_is_refused_or_ended_first(airflow: EmbeddedAirflow) -> None:
    run_id = airflow.client.trigger("held", {})
    assert poll(lambda: set(counted(_workspace(airflow, "held", run_id))) == {0, 2}, WAIT_S, 0.5)
    refused = _retry(airflow, run_id, "--new-code", "keep")
    assert refused.returncode == 14
    assert f"The run {run_id} of held is unfinished: app[1] is running" in refused.stderr
    assert len(list((_workspace(airflow, "held", run_id) / "plans").iterdir())) == 1

    _change(airflow, "held", "new")
    told = _retry(airflow, run_id, "--new-code", "keep", "--stop")
    assert told.returncode == 0, told.stderr
    _succeeds(airflow, "held", run_id)
    assert _plans(airflow, "held", run_id) == {0: "0", 1: "1", 2: "0"}
    assert _output(airflow, "held", run_id) == ["done", "new", "done"]
    client = docker.APIClient(version="auto")
    mine = {"label": ["triptych.dag=held", f"triptych.run={run_id}"]}
    try:
        # The attempt that was ended removes its container when its supervisor hears of it.
        assert poll(lambda: client.containers(filters=mine) == [], WAIT_S, 0.5)
    finally:
        client.close()


def test_who_may_not_or_asks_for_no_run_is_told(airflow: EmbeddedAirflow) -> None:
    unknown = _retry(airflow, "no-such-run", "--new-code", "keep")
    assert unknown.returncode == 2
    assert "0 DAGs of" in unknown.stderr
    nobody = _retry(airflow, "no-such-run", "--new-code", "keep", "--user", "nobody")
    assert nobody.returncode == 1
    assert "401" in nobody.stderr
    assert "Traceback" not in unknown.stderr + nobody.stderr
