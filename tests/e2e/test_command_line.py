"""`triptych job` and `triptych chunk` on a real Airflow: a failure is found, debugged and repaired by them alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.include_folders import write_app
from triptych.airflow.rest import poll
from triptych.demo.embedded import USER, EmbeddedAirflow
from triptych.settings import PROJECT

pytestmark = [pytest.mark.airflow, pytest.mark.docker]
WAIT_S = 180.0
SHY = """
echo "reading $(wc -c < "$TASK_DIR/data.bin") bytes"
grep -q shy "$TASK_DIR/data.bin" && { echo "who is $CHUNK_NUMBER?" >&2; exit 4; }
tr a-z A-Z < "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/said"
"""
MENDED = 'tr a-z A-Z < "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/said"\n'
BY_LINE = {
    "partitioner": "rows",
    "assembler": "concat",
    "params": {"partitioner": {"format": "lines", "items_per_chunk": 1}},
    "config": {"chunksPerTask": 2},
}
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(airflow: EmbeddedAirflow, tmp_path: Path) -> Command:
    """The command on a machine that knows of this Airflow nothing but what a profile says."""
    own = {"PYTHONPATH": str(PROJECT / "plugins"), "AIRFLOW_HOME": str(tmp_path / "none")}
    own |= {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    env = {**{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}, **own}

    def call(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        whole = [sys.executable, "-m", "triptych", *arguments]
        return subprocess.run(
            whole, env=env, cwd=tmp_path, input=stdin, capture_output=True, text=True, check=False, timeout=300
        )

    login = ["--airflow", airflow.url, "--user", USER, "--password-stdin"]
    near = ["--workspace", (airflow.home / "workspace").as_uri()]
    for name, options in (("near", near), ("far", [])):
        made = call("profile", "add", name, *login, *options, stdin=f"{airflow.password}\n")
        assert made.returncode == 0, made.stderr
    return call


def _json(done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def test_two_failed_chunks_are_found_debugged_and_repaired(
    airflow: EmbeddedAirflow, command: Command, tmp_path: Path
) -> None:
    include = airflow.home / "include"
    write_app(include, SHY, entrypoint="main.sh", name="shy", manifest={"retries": 0}, template=BY_LINE)
    lines = airflow.home / "lines.txt"
    lines.write_text("one\nshy two\nthree\nfour\nshy five\n")
    airflow.client.wait_for_dag("shy")
    run = airflow.client.trigger("shy", {"dataSource": lines.as_uri()})

    watched = command("job", "watch", run, "--profile", "near", "--json")
    assert watched.returncode == 8, watched.stderr
    last = json.loads(watched.stdout.splitlines()[-1])
    assert (last["state"], last["chunks"], last["done"], last["failed"]) == ("failed", 5, 3, 2)

    listed = _json(command("job", "list", "--profile", "near", "--state", "failed", "--template", "shy", "--json"))
    assert [(job["run"], job["sums"]["failed"]) for job in listed] == [(run, 2)]
    told = _json(command("job", "show", run, "--profile", "near", "--failed", "--json"))
    assert sorted(chunk["chunk"] for chunk in told["chunks"]) == [1, 4]
    assert all(chunk["reason"].startswith("exit code 4") for chunk in told["chunks"])
    assert told["state"] == "failed"
    printed = command("job", "logs", run, "--profile", "near", "--failed")
    assert sorted(printed.stdout.splitlines()) == [
        *("reading 8 bytes", "reading 9 bytes", "who is 1?", "who is 4?"),
    ]

    got = _json(command("chunk", "get", run, "1", "--profile", "near", "--json"))
    assert Path(got["folder"], "data.bin").read_bytes() == b"shy two\n"
    assert got["state"] == "failed"
    here = ("chunk", "run", run, "1", "--profile", "near", "--include", str(include))
    again = command(*here)
    assert (again.returncode, "who is 1?" in again.stdout) == (8, True), again.stderr
    (include / "apps" / "shy" / "app" / "main.sh").write_text(MENDED)
    mended = command(*here, "--new-code", "--to", "tried")
    assert mended.returncode == 0, mended.stderr
    assert (tmp_path / "tried" / "said").read_text() == "SHY TWO\n"

    retried = _json(
        command(
            *("job", "retry", run, "--profile", "near", "--new-code", "keep", "--json"),
            *("--include", str(include), "--include", str(PROJECT / "include")),
        )
    )
    assert retried["kept"] == 3
    done = command("job", "watch", run, "--profile", "near")
    assert done.returncode == 0, done.stderr
    output = Path(done.stdout.strip())
    texts = [path.read_text() for path in output.rglob("*") if path.is_file() and "_triptych" not in path.parts]
    assert texts == ["ONE\nSHY TWO\nTHREE\nFOUR\nSHY FIVE\n"]

    # Once more, with a change; nothing but Airflow is needed for that.
    new = _json(command("job", "rerun", run, "--profile", "far", "-p", "partitioner.items_per_chunk=5", "--json"))
    assert (new["of"], new["conf"]["dataSource"], new["is_paused"]) == (run, lines.as_uri(), False)
    assert command("job", "watch", new["run"], "--profile", "far").returncode == 0
    assert _json(command("job", "show", new["run"], "--profile", "near", "--json"))["sums"]["done"] == 1


def test_a_run_is_cancelled_and_told_of_without_its_workspace(airflow: EmbeddedAirflow, command: Command) -> None:
    include = airflow.home / "include"
    holds = 'test "$CHUNK_NUMBER" != 1 || exec tail -f /dev/null; echo done > "$TASK_RESULTS_DIR/r"'
    three = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 3}}, "config": {"chunksPerTask": 1}}
    write_app(include, holds, entrypoint="main.sh", name="waits", manifest={"retries": 0}, template=three)
    airflow.client.wait_for_dag("waits")
    run = airflow.client.trigger("waits", {})
    engine = docker.APIClient(version="auto")
    mine = {"label": ["triptych.dag=waits", f"triptych.run={run}"]}
    far = ("--profile", "far")
    try:

        def hangs() -> bool:
            tasks = {task["map_index"]: task["state"] for task in airflow.client.tasks("waits", run)}
            ended = tasks.get(0) == tasks.get(2) == "success"
            return ended and tasks[1] == "running" and len(engine.containers(filters=mine)) == 1

        assert poll(hangs, WAIT_S, 0.5)
        shown = _json(command("job", "show", run, *far, "--json"))
        assert (shown["state"], shown["workspace"], shown["sums"]) == ("running", None, None)
        assert [(task["label"], task["state"]) for task in shown["airflow"]["tasks"]][:4] == [
            ("partition", "success"),
            ("app[0]", "success"),
            ("app[1]", "running"),
            ("app[2]", "success"),
        ]
        for asked in (("job", "logs", run, "--chunk", "1"), ("chunk", "get", run, "1")):
            refused = command(*asked, *far)
            assert (refused.returncode, "AIRFLOW__TRIPTYCH__WORKSPACE" in refused.stderr) == (2, True)
        assert run in [job["run"] for job in _json(command("job", "list", *far, "--state", "running", "--json"))]
        told = _json(command("job", "cancel", run, *far, "--json"))
        assert told == {"run": run, "template": "waits", "was_running": True}
        assert airflow.client.run_state("waits", run) == "failed"
        # The attempt that was ended removes its container when its supervisor hears of it.
        assert poll(lambda: engine.containers(filters=mine, all=True) == [], WAIT_S, 0.5)
    finally:
        engine.close()
    assert _json(command("job", "cancel", run, *far, "--json"))["was_running"] is False
    assert command("job", "watch", run, *far).returncode == 15
    logged = command("job", "logs", run, *far, "--task", "partition")
    assert (logged.returncode, "partition, success, try 1:" in logged.stderr) == (0, True), logged.stderr
    assert logged.stdout
    page = command("job", "open", run, *far)
    assert page.stdout.strip().startswith(f"{airflow.url}/dags/waits/runs/")
    # Goes on with the code of its launch, which needs no workspace either; ended again, so that nothing stays.
    cleared = _json(command("job", "retry", run, *far, "--json"))["cleared"]
    # Airflow calls every pack of a task failed when one of them is ended; those that are done have nothing to do again.
    assert {("app", 1), ("assemble", -1)} <= {(each["task"], each["map"]) for each in cleared}
    assert command("job", "cancel", run, *far).returncode == 0
