"""A job on several Celery workers, foretold by what jobs on one of them took: the model of docs/explanation/scale.md.

    PYTHONPATH=plugins:. python benchmarks/platform/foretold.py [CHUNKS] [SECONDS_PER_CHUNK] [WORKERS]

As root, with Docker, PostgreSQL and Redis: see tests/support/workers. Three jobs on one worker give the constants: a
short one, a longer one, and the longer one in more tasks. Then CHUNKS (100,000) chunks of SECONDS_PER_CHUNK (0.1) on
WORKERS (4) are foretold, run and held against it; no constant comes from that job. Chunks sleep, so that two cores do
for all workers; "cores busy" is the share of them that everything here took, and 1 would mean that it no longer does.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from benchmarks.platform.workers import grow, span_s
from tests.support.workers.cluster import SLOTS, Cluster, running_cluster

SHORT, LONG = 500, 4_000
MORE_TASKS = 20
TASK_S = 300.0
"""Seconds of chunks in a task of the job that is foretold: what `auto` makes of a long one."""


@dataclass(frozen=True)
class Seen:
    """A job that ended: from the first chunk's start to the last's end, all of it, and what of the cores it took."""

    chunks: int
    tasks: int
    span_s: float
    job_s: float
    cpu_s: float


@dataclass(frozen=True)
class Model:
    """Seconds of a job, by what is done once, once a chunk by `partition` and `assemble`, and in slots at a time."""

    once_s: float
    serial_s: float
    """A chunk's share of what the two do."""
    slot_s: float
    """A chunk's time in its slot."""
    task_s: float
    """Of one more task in a slot."""
    chunk_cpu_s: float
    once_cpu_s: float

    @classmethod
    def of(cls, short: Seen, long: Seen, divided: Seen) -> Model:
        """From jobs of one worker, of which `short` and `long` have a task for each slot."""
        more = long.chunks - short.chunks
        serial_s = ((long.job_s - long.span_s) - (short.job_s - short.span_s)) / more
        slot_s = SLOTS * (long.span_s - short.span_s) / more
        chunk_cpu_s = (long.cpu_s - short.cpu_s) / more
        return cls(
            once_s=short.job_s - short.chunks * (serial_s + slot_s / SLOTS),
            serial_s=serial_s,
            slot_s=slot_s,
            task_s=SLOTS * (divided.span_s - long.span_s) / (divided.tasks - SLOTS),
            chunk_cpu_s=chunk_cpu_s,
            once_cpu_s=short.cpu_s - short.chunks * chunk_cpu_s,
        )

    def job_s(self, chunks: int, tasks: int, slots: int) -> float:
        """So many chunks in so many tasks, while the cores suffice."""
        rounds = ceil(tasks / slots) - 1
        return self.once_s + chunks * (self.serial_s + self.slot_s / slots) + rounds * self.task_s

    def cpu_s(self, chunks: int) -> float:
        """Of everything on this machine."""
        return self.once_cpu_s + chunks * self.chunk_cpu_s


def main() -> None:
    chunks = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.1
    workers = int(sys.argv[3]) if len(sys.argv) > 3 else 4
    folder = Path(tempfile.mkdtemp(prefix="foretold-"))
    folder.chmod(0o711)
    print("| workers | chunks | tasks | chunks, s | job, s | cores busy | load |", flush=True)
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    try:
        with running_cluster(folder) as cluster:
            grow(cluster, 1)
            _run(cluster, 2 * SLOTS, 2, seconds)  # The first of a cluster pays for what is loaded once.
            short, long, divided = (
                _run(cluster, count, tasks, seconds)
                for count, tasks in ((SHORT, SLOTS), (LONG, SLOTS), (LONG, MORE_TASKS))
            )
            model = Model.of(short, long, divided)
            print(f"{model}", flush=True)
            grow(cluster, workers)
            slots = workers * SLOTS
            tasks = slots * max(1, round(chunks * seconds / slots / TASK_S))
            told_s, told_cpu_s = model.job_s(chunks, tasks, slots), model.cpu_s(chunks)
            share = told_cpu_s / told_s / (os.cpu_count() or 1)
            print(f"foretold: {chunks:,} chunks, {tasks} tasks, {slots} slots: {told_s:.0f} s, {share:.2f}", flush=True)
            seen = _run(cluster, chunks, tasks, seconds)
            print(f"{seen.job_s:.0f} s; foretold {told_s / seen.job_s - 1:+.1%}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(cluster: Cluster, chunks: int, tasks: int, seconds: float) -> Seen:
    """A job that must come out exact, told as a row of the table."""
    busy_s = _busy_s()
    job = cluster.launch(chunks, ceil(chunks / tasks), seconds)
    cluster.finish(job, 20 * chunks * seconds + 600)
    busy_s = _busy_s() - busy_s
    cluster.check(job)
    seen = Seen(chunks, tasks, span_s(cluster, job), cluster.took_s(job), busy_s)
    share = busy_s / seen.job_s / (os.cpu_count() or 1)
    print(
        f"| {len(cluster.machines)} | {chunks:,} | {tasks} | {seen.span_s:.1f} | {seen.job_s:.1f} | {share:.2f} "
        f"| {os.getloadavg()[0]:.1f} |",
        flush=True,
    )
    return seen


def _busy_s() -> float:
    """CPU seconds of this machine since it started, of everything (proc_stat(5))."""
    user, nice, system, _idle, _iowait, interrupts, soft, *_ = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
