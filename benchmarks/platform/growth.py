"""One job of trivial range chunks, larger and larger: its seconds, CPU and memory beside those of the smallest.

    PYTHONPATH=plugins:. python benchmarks/platform/growth.py [N ...]

Airflow on PostgreSQL; source, workspace and destination on SeaweedFS; each chunk is a line, which its script copies in
a container, and `concat` puts together again: the output must be the source. Per job: seconds as Airflow has them, CPU
seconds of Airflow's own processes with their tasks (not of the engine, its containers, the database and the store),
and the most memory (VmRSS, looked at once a second) of the scheduler and of any task's process. A small job goes first.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.platform.chunks import cpu_s, ended_well
from tests.support.include_folders import write_app
from tests.support.postgres import running_postgres
from tests.support.servers import s3_client, s3_connection, seaweed
from tests.support.store_requests import SCRIPT
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

BUCKET = "growth"
DAG = "trivial"
FIRST = 20


@dataclass
class Peaks:
    """The most memory, in KiB, of the scheduler and of a process that it began."""

    airflow: EmbeddedAirflow
    scheduler: int = 0
    task: int = 0

    def look(self) -> None:
        group = self.airflow.pid("scheduler")
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if os.getpgid(int(path.name)) != group:
                    continue
                found = re.search(r"VmRSS:\s+(\d+) kB", (path / "status").read_text())
            except OSError:
                continue  # It has ended meanwhile.
            kib = int(found.group(1)) if found else 0
            if int(path.name) == group:
                self.scheduler = max(self.scheduler, kib)
            else:
                self.task = max(self.task, kib)


@dataclass
class World:
    """An Airflow and its store."""

    airflow: EmbeddedAirflow
    s3: Any

    def run(self, chunks: int) -> str:
        """A row of the table, of a job that must end with the bytes of its source."""
        text = "".join(f"line {number}\n" for number in range(chunks)).encode()
        self.s3.put_object(Bucket=BUCKET, Key=f"in/{chunks}.txt", Body=text)
        places = {
            "dataSource": {"uri": f"s3://{BUCKET}/in/{chunks}.txt", "conn_id": "store"},
            "dataDestination": {"uri": f"s3://{BUCKET}/out/{chunks}/", "conn_id": "store"},
        }
        client, peaks, cpu = self.airflow.client, Peaks(self.airflow), cpu_s(self.airflow)
        run_id = ended_well(self.airflow, DAG, {**places, "partitioner.items_per_chunk": 1}, peaks.look)
        cpu = cpu_s(self.airflow) - cpu
        run = client.run(DAG, run_id)
        began, ended = (datetime.fromisoformat(run[key]) for key in ("start_date", "end_date"))
        wall = (ended - began).total_seconds()
        tasks = Counter(each["task_id"] for each in client.tasks(DAG, run_id))["app"]
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"out/{chunks}/")["Contents"]
        [key] = [each["Key"] for each in listed if "/_triptych/" not in each["Key"]]
        if self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() != text:
            sys.exit(f"The output of {chunks} chunks is not their source.")
        return (
            f"| {chunks:,} | {tasks} | {wall:.1f} | {1000 * wall / chunks:.1f} | {1000 * cpu / chunks:.1f} "
            f"| {peaks.scheduler >> 10} | {peaks.task >> 10} | {os.getloadavg()[0]:.1f} |"
        )


def main() -> None:
    counts = [int(text) for text in sys.argv[1:]] or [1_000, 10_000, 100_000]
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        home.chmod(0o711)  # PostgreSQL is another user's.
        template = {"partitioner": "rows", "assembler": "concat"}
        write_app(home / "include", SCRIPT, name=DAG, entrypoint="main.sh", template=template)
        with running_postgres(home / "postgres") as postgres, seaweed(home) as store:
            env = {
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.url,
                "AIRFLOW_CONN_STORE": s3_connection(store.endpoint, attempts=5),
                "AIRFLOW__TRIPTYCH__ALLOWED_CONNECTIONS": "store",
                "AIRFLOW__TRIPTYCH__WORKSPACE": f"s3://{BUCKET}/ws",
                "AIRFLOW__TRIPTYCH__WORKSPACE_CONN_ID": "store",
                "AIRFLOW__TRIPTYCH__INCLUDE": str(home / "include"),
            }
            with s3_client(store, BUCKET) as s3, EmbeddedAirflow(home / "airflow", PROJECT, env) as airflow:
                world = World(airflow, s3)
                airflow.client.wait_for_dag(DAG)
                world.run(FIRST)
                print(
                    "| chunks | tasks | s | ms by chunk | CPU ms by chunk | scheduler, MiB | largest task, MiB | load |"
                )
                print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
                for chunks in counts:
                    print(world.run(chunks), flush=True)


if __name__ == "__main__":
    main()
