"""Trivial chunks through Triptych beside a hand-written DAG with one mapped DockerOperator per chunk, on one Airflow.

    python benchmarks/platform/chunks.py [N ...]

Per run: seconds from the trigger to the end, and CPU seconds of the whole machine (engine, containers, Airflow).
Both DAGs run once before they are measured.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.support.include_folders import write_app
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

HAND_WRITTEN = """
from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk import DAG

for count in COUNTS:
    with DAG(f"hand_written_{count}", schedule=None) as dag:
        DockerOperator.partial(
            task_id="app", image="python:3.11-slim", command="true", auto_remove="success", network_mode="none",
            mount_tmp_dir=False,
        ).expand(environment=[{"CHUNK_NUMBER": str(number)} for number in range(count)])
    globals()[f"hand_written_{count}"] = dag
"""


def main() -> None:
    counts = [int(text) for text in sys.argv[1:]] or [40, 200]
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        dags = home / "dags"
        dags.mkdir()
        shutil.copy(PROJECT / "dags" / "triptych_jobs.py", dags)
        (dags / "hand_written.py").write_text(HAND_WRITTEN.replace("COUNTS", repr([2, *counts])))
        write_app(home / "include", ":", name="trivial", entrypoint="main.sh", template={"partitioner": "replicate"})
        env = {"AIRFLOW__CORE__DAGS_FOLDER": str(dags), "AIRFLOW__TRIPTYCH__INCLUDE": str(home / "include")}
        with EmbeddedAirflow(home, PROJECT, env) as airflow:
            for dag_id in ("trivial", *(f"hand_written_{count}" for count in [2, *counts])):
                airflow.client.wait_for_dag(dag_id)
            run(airflow, "trivial", 2)
            run(airflow, "hand_written_2", 2)
            print("| DAG | chunks | seconds | s per chunk | CPU s per chunk |\n| --- | --- | --- | --- | --- |")
            for count in counts:
                for dag_id, shown in (("trivial", "Triptych"), (f"hand_written_{count}", "hand-written")):
                    wall_s, cpu_s = run(airflow, dag_id, count)
                    print(
                        f"| {shown} | {count} | {wall_s:.1f} | {wall_s / count:.3f} | {cpu_s / count:.3f} |", flush=True
                    )


def run(airflow: EmbeddedAirflow, dag_id: str, count: int) -> tuple[float, float]:
    """Wall seconds and the machine's CPU seconds of one run that must succeed."""
    conf = {"partitioner.replicas": count} if dag_id == "trivial" else {}
    started, cpu = time.monotonic(), _machine_cpu_s()
    run_id = airflow.client.trigger(dag_id, conf)
    if airflow.client.wait_for_run(dag_id, run_id) != "success":
        sys.exit(f"{dag_id} failed; see {airflow.home}/logs.")
    return time.monotonic() - started, _machine_cpu_s() - cpu


def _machine_cpu_s() -> float:
    """User, nice and system time of all cores (proc(5), /proc/stat), in hundredths of a second there."""
    user, nice, system = Path("/proc/stat").read_text().split()[1:4]
    return (int(user) + int(nice) + int(system)) / 100


if __name__ == "__main__":
    main()
