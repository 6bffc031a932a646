"""Efficiency of 1, 2 and 4 Celery workers on chunks of one length: the same work for each slot, on machines of a test.

PYTHONPATH=. python benchmarks/platform/workers.py [CHUNKS_PER_SLOT] [SECONDS_PER_CHUNK]

As root, with Docker, PostgreSQL and Redis: see tests/support/workers. Chunks sleep, so that two cores do for all
workers. Ideal is the sleep alone. "Chunks" is from the start of the first to the end of the last, as the records have
it; "job" is from the run's start to its end, with its cut and its output.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.support.workers.cluster import SLOTS, Cluster, Job, running_cluster

WORKERS = (1, 2, 4)


def main() -> None:
    per_slot = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    folder = Path(tempfile.mkdtemp(prefix="workers-"))
    folder.chmod(0o711)
    ideal_s = per_slot * seconds
    print(f"{per_slot} chunks of {seconds:g} s for each of {SLOTS} slots a worker; ideal: {ideal_s:.0f} s.", flush=True)
    print("| workers | chunks | chunks, s | efficiency | job, s | efficiency |", flush=True)
    print("| ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    try:
        with running_cluster(folder) as cluster:
            for count in WORKERS:
                grow(cluster, count)
                chunks = per_slot * SLOTS * count
                job = cluster.launch(chunks, per_slot, seconds)
                cluster.finish(job, 20 * ideal_s + 600)
                cluster.check(job)
                chunks_s, whole_s = span_s(cluster, job), cluster.took_s(job)
                told = f"{chunks_s:.1f} | {ideal_s / chunks_s:.2f} | {whole_s:.1f} | {ideal_s / whole_s:.2f}"
                print(f"| {count} | {chunks} | {told} |", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def grow(cluster: Cluster, count: int) -> None:
    """So many workers, all ready."""
    for number in range(len(cluster.machines), count):
        cluster.add(f"w{number + 1}").wait_until_ready()


def span_s(cluster: Cluster, job: Job) -> float:
    """From the start of the job's first chunk to the end of its last."""
    done = cluster.done(job)
    return float(max(each["started"] + each["seconds"] for each in done) - min(each["started"] for each in done))


if __name__ == "__main__":
    main()
