"""Trivial chunks through Triptych beside a hand-written DAG with one mapped DockerOperator per chunk, on one Airflow.

    PYTHONPATH=plugins:. python benchmarks/platform/chunks.py [N ...] [--peers-at M] [--runs R]
    PYTHONPATH=plugins:. python benchmarks/platform/chunks.py --small [--runs R]

Peers, in the same run: the hand-written DAG, `xargs -P2 docker run`, and plain processes under `xargs -P2`, at
M chunks; plain processes under GNU parallel, where it is installed, at N; and a DAG of three empty tasks beside a job
of 5 chunks, in turn, with the ratio of each pair: `--small` has these two only. Per run: seconds from the trigger to
the end, and CPU seconds of Airflow's own processes, their tasks with them, but not of the engine and its containers: so
what else the machine does hardly counts. Each DAG runs before it is measured, so that the app's chunks are known to be
short. Printed are medians, and the range.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.include_folders import write_app
from triptych.demo.embedded import COMPONENTS, EmbeddedAirflow
from triptych.settings import PROJECT

IMAGE = "python:3.11-slim"
PEERS = """
from airflow.providers.docker.operators.docker import DockerOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

for count in COUNTS:
    with DAG(f"hand_written_{count}", schedule=None) as dag:
        DockerOperator.partial(
            task_id="app", image="IMAGE", command="true", auto_remove="success", network_mode="none",
            mount_tmp_dir=False,
        ).expand(environment=[{"CHUNK_NUMBER": str(number)} for number in range(count)])
    globals()[f"hand_written_{count}"] = dag
with DAG("empty", schedule=None) as empty:
    first, second, third = (PythonOperator(task_id=name, python_callable=print) for name in "abc")
    first >> second >> third
"""
PARALLEL = "parallel --will-cite -j2 sh -c :"
SMALL = 5
LONGEST_S = 7200.0
Run = Callable[[], tuple[float, float]]
"""Wall seconds, and CPU seconds; NaN where nobody counts them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", type=int, nargs="*", default=[1000])
    parser.add_argument("--peers-at", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="only a job of 5 chunks beside three empty tasks")
    arguments = parser.parse_args()
    peers_at: int = arguments.peers_at
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        dags = home / "dags"
        dags.mkdir()
        shutil.copy(PROJECT / "dags" / "triptych_jobs.py", dags)
        (dags / "peers.py").write_text(PEERS.replace("COUNTS", repr([2, peers_at])).replace("IMAGE", IMAGE))
        write_app(home / "include", ":", name="trivial", entrypoint="main.sh", template={"partitioner": "replicate"})
        env = {"AIRFLOW__CORE__DAGS_FOLDER": str(dags), "AIRFLOW__TRIPTYCH__INCLUDE": str(home / "include")}
        with EmbeddedAirflow(home, PROJECT, env) as airflow:
            for dag_id in ("trivial", "empty", "hand_written_2", f"hand_written_{peers_at}"):
                airflow.client.wait_for_dag(dag_id)
            for dag_id, count in (("trivial", 2), ("trivial", 20), ("empty", 3)):
                run(airflow, dag_id, count)
            cases: list[tuple[str, int, Run]] = [
                ("DAG of three empty tasks", 3, lambda: run(airflow, "empty", 3)),
                ("Triptych", SMALL, lambda: run(airflow, "trivial", SMALL)),
            ]
            if not arguments.small:
                run(airflow, "hand_written_2", 2)
                cases += [
                    *(("Triptych", count, _of(airflow, count)) for count in arguments.counts),
                    ("hand-written DAG", peers_at, lambda: run(airflow, f"hand_written_{peers_at}", peers_at)),
                    _shell(f"xargs -P2 -I@ docker run --rm {IMAGE} true", peers_at),
                    *(_shell(PARALLEL, count) for count in arguments.counts if shutil.which("parallel")),
                    _shell("xargs -P2 -I@ sh -c :", peers_at),
                ]
            measured: dict[int, list[tuple[float, float]]] = {index: [] for index in range(len(cases))}
            for _ in range(arguments.runs):
                for index, (shown, count, measure) in enumerate(cases):
                    measured[index].append(measure())
                    print(f"{shown}, {count}: {measured[index][-1]}", file=sys.stderr, flush=True)
    print(f"load {os.getloadavg()[0]:.1f}\n\n| what | chunks | seconds | s per chunk | CPU s per chunk |")
    print("| --- | ---: | --- | ---: | ---: |")
    for index, (shown, count, _) in enumerate(cases):
        walls, cpus = ([each[part] for each in measured[index]] for part in (0, 1))
        wall, cpu = statistics.median(walls), statistics.median(cpus)
        print(
            f"| {shown} | {count} | {wall:.1f} ({min(walls):.1f} to {max(walls):.1f}) | {wall / count:.4f} | "
            f"{cpu / count:.4f} |"
        )
    ratios = [[job[part] / empty[part] for empty, job in zip(measured[0], measured[1], strict=True)] for part in (0, 1)]
    wall, cpu = map(statistics.median, ratios)
    print(f"\nA job of {SMALL} chunks beside three empty tasks, medians of pairs: {wall:.2f} by time, {cpu:.2f} by CPU")


def _of(airflow: EmbeddedAirflow, count: int) -> Run:
    return lambda: run(airflow, "trivial", count)


def _shell(command: str, count: int) -> tuple[str, int, Run]:
    """A case: the command, which gets so many numbers to do something for each."""

    def measure() -> tuple[float, float]:
        started = time.monotonic()
        subprocess.run(f"seq {count} | {command}", shell=True, check=True)
        return time.monotonic() - started, float("nan")

    return f"`{command}`", count, measure


def run(airflow: EmbeddedAirflow, dag_id: str, count: int) -> tuple[float, float]:
    """Wall seconds, and CPU seconds of Airflow's processes, of one run that must succeed."""
    started, cpu = time.monotonic(), cpu_s(airflow)
    ended_well(airflow, dag_id, {"partitioner.replicas": count} if dag_id == "trivial" else {})
    return time.monotonic() - started, cpu_s(airflow) - cpu


def ended_well(
    airflow: EmbeddedAirflow, dag_id: str, conf: Mapping[str, Any], on_poll: Callable[[], None] = lambda: None
) -> str:
    """The id of a run that was launched, waited for, about once a second, and has succeeded; else the program ends."""
    run_id = airflow.client.trigger(dag_id, dict(conf))
    if airflow.client.wait_for_run(dag_id, run_id, LONGEST_S, on_poll) != "success":
        sys.exit(f"{dag_id} failed; see {airflow.home}/logs.")
    return run_id


def cpu_s(airflow: EmbeddedAirflow) -> float:
    """User and system time of the components' process groups, with all children that have ended (proc(5), stat)."""
    groups = {airflow.pid(component) for component in COMPONENTS}
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # It has ended meanwhile.
        if int(fields[2]) in groups:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
