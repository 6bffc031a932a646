"""Apps in a DAG bundle of Git, beside the DAG file: a job runs the commit that was the newest when it was launched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from triptych.airflow.rest import poll
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

pytestmark = pytest.mark.airflow
WAIT_S = 240.0
APP = """
: < "{gate}" # A pipe: until somebody opens it to write.
echo "{word} of $CHUNK_COUNT" > "$TASK_RESULTS_DIR/line"
"""
HELD, PAUSED = "held", "paused"


@dataclass(frozen=True)
class Repository:
    """A repository with a branch `main`, and where it is edited."""

    folder: Path
    bare: Path
    gate: Path

    @classmethod
    def made(cls, home: Path) -> Repository:
        repository = cls(home / "edited", home / "apps.git", home / "gate")
        os.mkfifo(repository.gate)
        repository.folder.mkdir()
        _git(home, "init", "--quiet", "--bare", "--initial-branch=main", str(repository.bare))
        repository.git("init", "--quiet", "--initial-branch=main")
        repository.git("remote", "add", "origin", str(repository.bare))
        for name in ("triptych_jobs.py", ".airflowignore"):
            shutil.copy(PROJECT / "dags" / name, repository.folder / name)
        return repository

    def git(self, *arguments: str) -> str:
        return _git(self.folder, *arguments)

    def write(self, name: str, word: str, chunks: int) -> None:
        shutil.rmtree(self.folder / "include" / "apps" / name, ignore_errors=True)
        template = {
            "partitioner": "replicate",
            "assembler": "concat",
            "params": {"partitioner": {"replicas": chunks}, "assembler": {"name": "lines"}},
            "config": {"chunksPerTask": 1},
        }
        script = APP.format(gate=self.gate, word=word)
        write_app(self.folder / "include", script, name=name, entrypoint="main.sh", template=template)

    def push(self) -> str:
        """Commit all there is; the commit."""
        self.git("add", "--all")
        self.git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message", "changed")
        self.git("push", "--quiet", "origin", "main")
        return self.git("rev-parse", "HEAD").strip()

    @contextmanager
    def open_gate(self) -> Iterator[None]:
        # Opened for both, it never blocks, and whoever opens it to read goes on.
        gate = os.open(self.gate, os.O_RDWR)
        try:
            yield
        finally:
            os.close(gate)


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = Repository.made(tmp_path_factory.mktemp("repository"))
    for name in (HELD, PAUSED):
        made.write(name, "old", 3)
    made.push()
    return made


@pytest.fixture(scope="module")
def airflow(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAirflow]:
    home = tmp_path_factory.mktemp("bundled")
    bundle = {
        "name": "apps",
        "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
        "kwargs": {"repo_url": str(repository.bare), "tracking_ref": "main", "refresh_interval": 1},
    }
    env = {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
        "AIRFLOW__TRIPTYCH__INCLUDE": str(home / "none"),
        "AIRFLOW__TRIPTYCH__RUNNER": "process",
        "AIRFLOW__TRIPTYCH__RETRY_DELAY": "1",
    }
    (home / "none").mkdir()
    with EmbeddedAirflow(home, PROJECT, env) as running:
        for name in (HELD, PAUSED):
            running.client.wait_for_dag(name)
        yield running


def _lines(airflow: EmbeddedAirflow, dag_id: str, run_id: str) -> list[str]:
    """Of the output, once the run has succeeded."""
    state = airflow.client.wait_for_run(dag_id, run_id)
    tasks = airflow.client.tasks(dag_id, run_id)
    logs = [airflow.client.log(dag_id, run_id, task["task_id"], task["map_index"]) for task in tasks]
    assert state == "success", logs
    (output,) = airflow.home.glob(f"workspace/outputs/{dag_id}/{run_id}/**/lines")
    return output.read_text().splitlines()


def test_a_job_ends_with_the_commit_that_it_began_with(airflow: EmbeddedAirflow, repository: Repository) -> None:
    client = airflow.client
    held = client.trigger(HELD, {})
    assert poll(lambda: client.count_tasks(HELD, held, "app", "running") > 0, WAIT_S, 0.5)
    # Not even its first task has begun when the commit comes.
    paused = client.trigger(PAUSED, {}, unpause=False)

    repository.write(HELD, "new", 2)
    repository.write(PAUSED, "new", 3)  # Its script alone is another: to Airflow the DAG is the same.
    pushed = repository.push()
    names = (HELD, PAUSED)
    assert poll(lambda: all(client.get(f"dags/{name}")["bundle_version"] == pushed for name in names), WAIT_S, 0.5)

    with repository.open_gate():
        assert _lines(airflow, HELD, held) == ["old of 3"] * 3
        client.pause(PAUSED, paused=False)
        assert _lines(airflow, PAUSED, paused) == ["old of 3"] * 3
        assert _lines(airflow, HELD, client.trigger(HELD, {})) == ["new of 2"] * 2
        assert _lines(airflow, PAUSED, client.trigger(PAUSED, {})) == ["new of 3"] * 3
