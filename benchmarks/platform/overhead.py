"""What a job takes beyond the seconds of its scripts, on two cores: equal chunks, and a table grouped and joined.

    PYTHONPATH=plugins:. python benchmarks/platform/overhead.py [--chunks 500] [--seconds 1] [--gb 1] [--runs 3]

"Equal": each chunk burns so many seconds of CPU in a container; ideal is their sum over the cores, and the peer the
same script under `xargs -P`. "Grouped": a CSV file of so many gigabytes, cut by `rows`, each chunk grouped by DuckDB
in a container on one core (the image of `tpch_star`, which `make demo APP=tpch_star` builds), put together by
`group_by`; the peers are DuckDB in one process on all cores, and Dask where it is installed. All must say the same.
"Scripts" are the seconds of all chunks, by the job's records, over the cores; "Airflow" the CPU seconds of its
processes with their tasks meanwhile, idle or not.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from benchmarks.platform.chunks import cpu_s, ended_well
from tests.support.include_folders import write_app
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

CORES = len(os.sched_getaffinity(0))
BURN = """
import os, pathlib, time
while time.process_time() < SECONDS:
    pass
pathlib.Path(os.environ.get("TASK_RESULTS_DIR", "/tmp"), "done").touch()
"""
GROUPED = "SELECT key, count(*) AS n, sum(amount) AS amount FROM read_csv('{path}', columns = {columns}) GROUP BY key"
COLUMNS = {"key": "VARCHAR", "amount": "DECIMAL(12, 2)", "note": "VARCHAR"}
GROUP = f"""
import os, duckdb
query = {GROUPED!r}.format(path=os.environ["TASK_DIR"] + "/data.bin", columns={COLUMNS!r})
with duckdb.connect(config={{"threads": 1}}) as database:
    database.execute(f"COPY ({{query}} ORDER BY key) TO '{{os.environ['TASK_RESULTS_DIR']}}/sums.csv' (HEADER)")
"""
DASK = """
import sys
import dask.dataframe as dd
table = dd.read_csv(sys.argv[1], usecols=["key", "amount"])
groups = table.groupby("key").amount.agg(["count", "sum"])
print(len(groups.compute(scheduler="processes", num_workers=int(sys.argv[2]))))
"""
KEYS = 1000
BLOCK_ROWS = 500_000
Groups = dict[str, tuple[int, int]]
"""Rows, and the sum in hundredths, of each key."""


@dataclass(frozen=True)
class Took:
    """A run, its seconds from the launch to the end, those of its scripts over the cores, and Airflow's CPU seconds."""

    run_id: str
    wall: float
    scripts: float
    airflow: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--gb", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    print("| what | s | scripts, s | beyond, s | scripts by all | Airflow, CPU s | load |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        include = home / "include"
        burn = BURN.replace("SECONDS", str(arguments.seconds))
        write_app(include, burn, name="equal", template={"partitioner": "replicate"})
        image = {"platform_config": {"container": "triptych/tpch_star:1.0"}}
        tabled = {"partitioner": "rows", "assembler": "group_by"}
        write_app(include, GROUP, name="grouped", manifest=image, template=tabled)
        env = {"AIRFLOW__TRIPTYCH__INCLUDE": str(include), "AIRFLOW__TRIPTYCH__ALLOWED_ROOTS": str(home)}
        with EmbeddedAirflow(home / "airflow", PROJECT, env) as airflow:
            for dag_id in ("equal", "grouped"):
                airflow.client.wait_for_dag(dag_id)
            job(airflow, "equal", {"partitioner.replicas": 2 * CORES})
            table = home / "table.csv"
            truth = write_table(table, int(arguments.gb * 1e9))
            for _ in range(arguments.runs):
                if arguments.chunks:
                    equal(airflow, burn, arguments.chunks, arguments.seconds)
                if truth:
                    grouped(airflow, table, truth)


def equal(airflow: EmbeddedAirflow, burn: str, chunks: int, seconds: float) -> None:
    """A job of equal chunks, then the same script as often by processes alone."""
    took = job(airflow, "equal", {"partitioner.replicas": chunks})
    show(f"{chunks} chunks of {seconds:g} s of CPU", took.wall, chunks * seconds / CORES, took.airflow)
    script = airflow.home / "burn.py"
    script.write_text(burn)
    started, cpu = time.monotonic(), cpu_s(airflow)
    subprocess.run(f"seq {chunks} | xargs -P{CORES} -I@ {sys.executable} {script}", shell=True, check=True)
    show("the same under xargs", time.monotonic() - started, chunks * seconds / CORES, cpu_s(airflow) - cpu)


def grouped(airflow: EmbeddedAirflow, table: Path, truth: Groups) -> None:
    """A job over the table, then DuckDB on all cores, then Dask."""
    conf = {
        "dataSource": table.as_uri(),
        "partitioner.target_mib": 64,
        "assembler.by": ["key"],
        "assembler.aggregates": ["n:sum", "amount:sum"],
    }
    took = job(airflow, "grouped", conf)
    show(f"{table.stat().st_size / 1e9:.2f} GB grouped by chunk", took.wall, took.scripts, took.airflow)
    with next((airflow.home / "workspace" / "outputs" / "grouped" / took.run_id).rglob("grouped.csv")).open() as data:
        found = {key: (int(rows), hundredths(amount)) for key, rows, amount in list(csv.reader(data))[1:]}
    started = time.monotonic()
    with duckdb.connect(config={"threads": CORES}) as database:
        rows = database.execute(GROUPED.format(path=table, columns=COLUMNS)).fetchall()
    wall = time.monotonic() - started
    show("DuckDB, one process", wall, wall)
    if not found == truth == {key: (rows_of, hundredths(str(amount))) for key, rows_of, amount in rows}:
        sys.exit("The groups are not those of the table.")
    if find_spec("dask") is None:
        print("Dask is not installed: pip install 'dask[dataframe]'.", file=sys.stderr)
        return
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", DASK, table, str(CORES)], check=True, capture_output=True, text=True)
    wall = time.monotonic() - started
    show("Dask, processes", wall, wall)
    if int(done.stdout) != len(truth):
        sys.exit(f"Dask has {done.stdout} groups.")


def show(what: str, wall: float, scripts: float, airflow: float | None = None) -> None:
    """A row of the table."""
    load, of_airflow = os.getloadavg()[0], "" if airflow is None else f"{airflow:.1f}"
    print(
        f"| {what} | {wall:.1f} | {scripts:.1f} | {wall - scripts:.1f} | {scripts / wall:.3f} | "
        f"{of_airflow} | {load:.1f} |",
        flush=True,
    )


def job(airflow: EmbeddedAirflow, dag_id: str, conf: Mapping[str, Any]) -> Took:
    """Run it; it must succeed."""
    started, cpu = time.monotonic(), cpu_s(airflow)
    run_id = ended_well(airflow, dag_id, conf)
    wall, cpu = time.monotonic() - started, cpu_s(airflow) - cpu
    newest: dict[Path, Path] = {}
    for path in sorted((airflow.home / "workspace" / dag_id / run_id / "commits").rglob("*")):
        if path.is_file():
            newest[path.parent] = path
    done = [tried for path in newest.values() for tried in json.loads(path.read_bytes()).get("done", ())]
    return Took(run_id, wall, sum(tried["seconds"] for tried in done) / CORES, cpu)


def write_table(path: Path, size: int) -> Groups:
    """Some `size` bytes of CSV, and what its groups are; nothing for nothing."""
    random = np.random.default_rng(18)
    rows, sums = np.zeros(KEYS, np.int64), np.zeros(KEYS, np.int64)
    note = "x" * 40
    if not size:
        return {}
    with path.open("w") as table:
        table.write("key,amount,note\n")
        while table.tell() < size:
            keys, amounts = random.integers(0, KEYS, BLOCK_ROWS), random.integers(0, 1_000_000, BLOCK_ROWS)
            rows += np.bincount(keys, minlength=KEYS)
            np.add.at(sums, keys, amounts)
            pairs = zip(keys.tolist(), amounts.tolist(), strict=True)
            table.writelines(f"k{key:04d},{cents // 100}.{cents % 100:02d},{note}\n" for key, cents in pairs)
    return {f"k{key:04d}": (int(rows[key]), int(sums[key])) for key in range(KEYS) if rows[key]}


def hundredths(text: str) -> int:
    """`12.30` as 1230; two digits behind the point, or fewer."""
    whole, _, part = text.partition(".")
    return int(whole + part.ljust(2, "0"))


if __name__ == "__main__":
    main()
