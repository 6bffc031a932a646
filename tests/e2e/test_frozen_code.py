"""A job runs the code that it began with, through a real Airflow: blocks edited, broken or gone while it runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import write_app
from triptych.airflow.rest import poll
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

pytestmark = pytest.mark.airflow
CHUNKS = 16
PARTS: dict[str, Any] = {
    "partitioner": "replicate",
    "assembler": "lines",
    "params": {"partitioner": {"replicas": CHUNKS}},
    "config": {"chunksPerTask": 1},
}
APP = """
import os
from pathlib import Path

import helper

open({gate!r}).close()  # A pipe: until somebody opens it to write.
text = helper.WORD + " app, chunk " + os.environ["CHUNK_NUMBER"]
Path(os.environ["TASK_RESULTS_DIR"], "line").write_text(text)
"""
LINES = """
import helper


def assemble(results, output, params):
    with output.open("lines.txt") as out:
        for result in results:
            out.write(result.open().read() + b", " + helper.WORD + b" assembler\\n")
"""
OLD = [f"old app, chunk {number}, old assembler" for number in range(CHUNKS)]
ROWS = """
SELECT s.dag_id, s.id, s.dag_hash, s.data, s.created_at, s.last_updated, d.is_stale, d.is_paused, d.has_import_errors
FROM serialized_dag s JOIN dag d USING (dag_id) ORDER BY s.dag_id, s.created_at
"""


class Held:
    """One app whose chunks wait until `finish`, in an Airflow without containers."""

    def __init__(self, airflow: EmbeddedAirflow, name: str) -> None:
        self.airflow, self.name = airflow, name
        self.include = airflow.home / "include"
        self.app = self.include / "apps" / name
        self.engine = self.include / "engines" / "lines"
        self.run_id = ""

    def launch(self) -> None:
        """Until `partition` is done, and chunks wait."""
        self.run_id = self.airflow.client.trigger(self.name, {})
        assert poll(lambda: self._states("partition") == ["success"], 240, 0.5), self._log("partition")
        assert poll(lambda: "running" in self._states("app"), 240, 0.5)

    def finish(self) -> list[str]:
        """Let the chunks go; the output's lines."""
        # Opened for both, it never blocks, and whoever opens it to read goes on.
        gate = os.open(_gate(self.airflow, self.name), os.O_RDWR)
        try:
            state = self.airflow.client.wait_for_run(self.name, self.run_id)
        finally:
            os.close(gate)
        assert state == "success", [self._log("app", 0), self._log("assemble")]
        assert self._states("app") == ["success"] * CHUNKS
        (output,) = self.airflow.home.glob(f"workspace/outputs/{self.name}/*/lines.txt")
        return output.read_text().splitlines()

    def tries(self) -> set[int]:
        """How often the tasks of the run were tried."""
        return {task["try_number"] for task in self.airflow.client.tasks(self.name, self.run_id)}

    def _states(self, task_id: str) -> list[str]:
        tasks = self.airflow.client.tasks(self.name, self.run_id)
        return [task["state"] for task in tasks if task["task_id"] == task_id]

    def _log(self, task_id: str, map_index: int = -1) -> str:
        return self.airflow.client.log(self.name, self.run_id, task_id, map_index)


def _gate(airflow: EmbeddedAirflow, name: str) -> str:
    return str(airflow.home / f"gate-{name}")


def _write(airflow: EmbeddedAirflow, name: str) -> None:
    os.mkfifo(_gate(airflow, name))
    include = airflow.home / "include"
    write_app(include, APP.format(gate=_gate(airflow, name)), name=name, template=PARTS)
    (include / "apps" / name / "app" / "helper.py").write_text('WORD = "old"\n')


def _write_assembler(include: Path) -> None:
    code = include / "engines" / "lines" / "app"
    code.mkdir(parents=True)
    about = {"name": "lines", "version": "1.0", "type": "assembler", "platform": "python"}
    (code.parent / "manifest.json").write_text(json.dumps(about))
    (code / "main.py").write_text(LINES)
    (code / "helper.py").write_text('WORD = b"old"\n')


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAirflow]:
    """An Airflow whose tasks run chunks as local processes, with an include folder of its own."""
    home = tmp_path_factory.mktemp("frozen")
    env = {
        "AIRFLOW__TRIPTYCH__INCLUDE": str(home / "include"),
        "AIRFLOW__TRIPTYCH__RUNNER": "process",
        "AIRFLOW__TRIPTYCH__RETRY_DELAY": "1",
        # A DAG that changed is stored with its tags: not up to half a minute later, beside what a test does then.
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
    }
    airflow = EmbeddedAirflow(home, PROJECT, env)
    _write_assembler(home / "include")
    for name in ("edited", "spoilt", "gone", "tested"):
        _write(airflow, name)
    with airflow as running:
        for name in ("edited", "spoilt", "gone", "tested"):
            running.client.wait_for_dag(name)
        yield running


def _edit(held: Held) -> None:
    """The app's own module, a comment in the assembler's script, and its module."""
    (held.app / "app" / "helper.py").write_text('WORD = "new"\n')
    script = held.engine / "app" / "main.py"
    script.write_text(f"# A comment.\n{script.read_text()}")
    (held.engine / "app" / "helper.py").write_text('WORD = b"new"\n')


def _spoil(held: Held) -> None:
    """The manifest and the code, until Airflow has stored what became of the DAG."""
    (held.app / "manifest.json").write_text('{"name": "spoilt"')
    (held.app / "app" / "main.py").unlink()

    def is_broken() -> bool:
        tags = held.airflow.client.get(f"dags/{held.name}")["tags"]
        return "broken" in [tag["name"] for tag in tags]

    assert poll(is_broken, 240, 1.0)


@pytest.mark.parametrize(("name", "change"), [("edited", _edit), ("spoilt", _spoil)])
def test_what_becomes_of_the_code_changes_no_job_that_runs(
    alone: EmbeddedAirflow, name: str, change: Callable[[Held], None]
) -> None:
    held = Held(alone, name)
    shutil.copytree(held.engine, alone.home / f"kept-{name}")
    held.launch()
    change(held)
    lines = held.finish()
    shutil.rmtree(held.engine)
    shutil.copytree(alone.home / f"kept-{name}", held.engine)
    assert lines == OLD
    assert held.tries() == {1}


def test_a_broken_dag_says_why_when_it_is_launched(alone: EmbeddedAirflow) -> None:
    held = Held(alone, "spoilt")
    (held.app / "manifest.json").write_text('{"name": "spoilt"')
    run_id = alone.client.trigger("spoilt", {})
    assert alone.client.wait_for_run("spoilt", run_id) == "failed"
    assert "manifest.json: line 1, column" in alone.client.log("spoilt", run_id, "partition")
    assert {task["try_number"] for task in alone.client.tasks("spoilt", run_id) if task["task_id"] == "partition"} == {
        1
    }


def test_workers_need_no_include_folder(alone: EmbeddedAirflow) -> None:
    """The DAG processor's machine has one; it stands still here, as it would read the same folder."""
    held = Held(alone, "gone")
    held.launch()
    os.kill(alone.pid("dag-processor"), signal.SIGSTOP)
    try:
        held.include.rename(alone.home / "away")
        try:
            assert held.finish() == OLD
        finally:
            (alone.home / "away").rename(held.include)
    finally:
        os.kill(alone.pid("dag-processor"), signal.SIGCONT)
    assert held.tries() == {1}


@pytest.mark.parametrize(
    ("command", "done"),
    [
        (["dags", "test", "tested"], "outputs/tested/*/lines.txt"),
        (["tasks", "test", "tested", "partition"], "tested/*/plans/0.json"),
    ],
)
def test_airflows_own_test_commands_work_and_store_nothing(
    alone: EmbeddedAirflow, command: list[str], done: str
) -> None:
    """They parse with the DAG's id alone, and store what they find: it must be what was there, of every DAG."""
    before = _stored(alone)
    made = set(alone.home.glob(f"workspace/{done}"))
    gate = os.open(_gate(alone, "tested"), os.O_RDWR)
    try:
        tried = subprocess.run(
            [sys.executable, "-m", "airflow", *command],
            env=alone.env,
            cwd=alone.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    finally:
        os.close(gate)
    assert tried.returncode == 0, tried.stdout[-5000:]
    new = set(alone.home.glob(f"workspace/{done}")) - made
    assert len(new) == 1, tried.stdout[-5000:]
    assert _stored(alone) == before


def _stored(airflow: EmbeddedAirflow) -> dict[str, Any]:
    """The newest stored form of each DAG, as the database has it."""
    with closing(sqlite3.connect(airflow.home / "airflow.db", timeout=60)) as database:
        return {row[0]: row[1:] for row in database.execute(ROWS)}
