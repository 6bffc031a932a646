"""A scheduler loads what the tasks need that are forked from it, before it forks any; nobody else does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.source_tree import imports, modules
from triptych.settings import PROJECT

STARTED = """
import json, os, sys
if sys.argv[1] == "scheduler":
    import airflow.jobs.scheduler_job_runner
from airflow.jobs.job import Job
Job()  # Airflow calls the listeners of plugins here, before the executor starts.
print(json.dumps([sorted(sys.modules), len(os.listdir("/proc/self/task"))]))
"""


def _started(home: Path, component: str, executor: str = "LocalExecutor", **env: str) -> tuple[set[str], int]:
    """The modules, and the number of threads, of a component that has just started."""
    own = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__EXECUTOR": executor,
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__TRIPTYCH__WORKSPACE": (home / "workspace").as_uri(),
        "AIRFLOW__TRIPTYCH__SCRATCH": str(home / "scratch"),
        "PYTHONPATH": str(PROJECT / "plugins"),
        **env,
    }
    command = [sys.executable, "-c", STARTED, component]
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=True)
    loaded, threads = json.loads(done.stdout.splitlines()[-1])
    return set(loaded), threads


def test_a_scheduler_has_all_that_its_tasks_import_and_no_thread_that_a_fork_would_lose(tmp_path: Path) -> None:
    loaded, threads = _started(tmp_path, "scheduler", AIRFLOW__TRIPTYCH__WORKSPACE="s3://bucket/ws")
    (operators,) = (module for module in modules().values() if module.name == "triptych.airflow.operators")
    needed = {each.target for each in imports(operators) if each.target in modules()}
    assert {"triptych.stages.run_pack", "triptych.reports", "triptych.jobs.plan"} <= needed
    of_settings = {"triptych.running.docker", "triptych.storage.s3", "airflow.providers.amazon.aws.hooks.s3"}
    assert {*needed, *of_settings, "triptych.storage.files"} - loaded == set()
    assert threads == 1
    engines = {name for name in loaded if name.startswith("triptych.engines.") and name.count(".") > 2}
    assert {name for name in engines if not name.startswith("triptych.engines.runtime")} == set()


@pytest.mark.parametrize(("component", "executor"), [("triggerer", "LocalExecutor"), ("scheduler", "CeleryExecutor")])
def test_where_no_task_is_forked_nothing_is_loaded(tmp_path: Path, component: str, executor: str) -> None:
    loaded, _ = _started(tmp_path, component, executor)
    assert "triptych.airflow.checkup.at_start" in loaded
    assert {"triptych.airflow.operators", "triptych.stages.run_pack", "triptych.running.docker"} & loaded == set()
