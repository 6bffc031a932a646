"""Seconds to parse the DAG file, with 1 and 100 apps, and in a task process that needs one of the 100.

    python benchmarks/platform/parse.py

Each figure is the best of three fresh processes, less the time to import what Airflow's DAG processor has imported by
then; and CPU seconds, which others on the machine disturb less. `first` is a parse before which no DAG was judged.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from triptych.settings import PROJECT

CHILD = """
import sys, time
import airflow.dag_processing.dagbag
import airflow.providers.docker.operators.docker
started, used = time.perf_counter(), time.process_time()
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), {"__name__": "dags", "__file__": sys.argv[1]})
print(time.perf_counter() - started, time.process_time() - used)
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        include = Path(name, "include")
        for count, wanted in ((1, ""), (100, ""), (100, "app_7")):
            for number in range(count):
                _write_app(include, f"app_{number}")
            first = [] if wanted else [("first", _parse_s(include, Path(name), wanted))]
            best = min(_parse_s(include, Path(name), wanted) for _ in range(3))
            for label, (wall_s, cpu_s) in (*first, ("in a task process" if wanted else "later", best)):
                print(f"{count:4} app(s) {label:20} {wall_s:6.3f} s, CPU {cpu_s:6.3f} s")


def _write_app(include: Path, name: str) -> None:
    folder = include / "apps" / name
    (folder / "app").mkdir(parents=True, exist_ok=True)
    (folder / "app" / "main.py").write_text("")
    manifest = {"name": name, "version": "1.0", "platform_config": {"container": "python:3.11-slim"}}
    schema = {"type": "object", "properties": {f"p{n}": {"type": "integer", "default": n} for n in range(5)}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "schema.json").write_text(json.dumps(schema))
    (folder / "template.json").write_text(json.dumps({"partitioner": "replicate"}))


def _parse_s(include: Path, home: Path, wanted: str) -> tuple[float, float]:
    """Wall and CPU seconds."""
    # The names that Airflow's own task runner sets: airflow.sdk.definitions._internal.contextmanager.
    task = {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": wanted, "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "app"} if wanted else {}
    env = {
        **os.environ,
        **task,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__TRIPTYCH__INCLUDE": str(include),
        "AIRFLOW__TRIPTYCH__SCRATCH": str(home / "scratch"),
        "PYTHONPATH": str(PROJECT / "plugins"),
    }
    arguments = [sys.executable, "-c", CHILD, str(PROJECT / "dags" / "triptych_jobs.py")]
    done = subprocess.run(arguments, env=env, capture_output=True, text=True, check=True)
    wall_s, cpu_s = done.stdout.split()[-2:]
    return float(wall_s), float(cpu_s)


if __name__ == "__main__":
    main()
