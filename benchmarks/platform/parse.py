"""Seconds to parse the DAG file, with 1 and 100 apps, and in a task process that needs one of the 100.

    python benchmarks/platform/parse.py

Each figure is the best of three fresh processes, less the time to import `airflow.sdk` alone.
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
import airflow.sdk
started = time.perf_counter()
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), {"__name__": "dags"})
print(time.perf_counter() - started)
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        include = Path(name, "include")
        for count, wanted in ((1, ""), (100, ""), (100, "app_7")):
            for number in range(count):
                _write_app(include, f"app_{number}")
            best_s = min(_parse_s(include, Path(name), wanted) for _ in range(3))
            print(f"{count:4} app(s){' in a task process' if wanted else '':20} {best_s:6.3f} s")


def _write_app(include: Path, name: str) -> None:
    folder = include / "apps" / name
    (folder / "app").mkdir(parents=True, exist_ok=True)
    (folder / "app" / "main.py").write_text("")
    manifest = {"name": name, "version": "1.0", "platform_config": {"container": "python:3.11-slim"}}
    schema = {"type": "object", "properties": {f"p{n}": {"type": "integer", "default": n} for n in range(5)}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "schema.json").write_text(json.dumps(schema))
    (folder / "template.json").write_text(json.dumps({"partitioner": "replicate"}))


def _parse_s(include: Path, home: Path, wanted: str) -> float:
    # The names that Airflow's own task runner sets: airflow.sdk.definitions._internal.contextmanager.
    task = {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": wanted, "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "app"} if wanted else {}
    env = {
        **os.environ,
        **task,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__TRIPTYCH__INCLUDE": str(include),
        "PYTHONPATH": str(PROJECT / "plugins"),
    }
    arguments = [sys.executable, "-c", CHILD, str(PROJECT / "dags" / "triptych_jobs.py")]
    done = subprocess.run(arguments, env=env, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    main()
