"""`rows` on a large CSV beside `wc -l` and `split -l`: seconds, and the peak memory of the Python process.

python benchmarks/engines/rows.py [GB]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from triptych.blocks import Role, read_catalog
from triptych.engines.api import Source
from triptych.engines.runtime.loading import load_engine
from triptych.jobs.job import Job, open_job, resolve_sources
from triptych.jobs.spec import build_job_spec
from triptych.settings import PROJECT, read_settings
from triptych.stages.fan_out import engine_sources

ROW = b'1234567,"a name, quoted",2026-11-24T00:00:00Z,3.14159,some more text to fill the row\n'
ROWS_PER_CHUNK = 1_000_000
REPEATS = 3


def main() -> None:
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = folder / "table.csv"
        with table.open("wb") as out:
            out.write(b"id,name,at,value,text\n")
            block = ROW * 10_000
            for _ in range(int(gigabytes * 1e9 / len(block))):
                out.write(block)
        print(f"{table.stat().st_size / 1e9:.2f} GB, {ROWS_PER_CHUNK:,} rows a chunk, best of {REPEATS}")
        job = _job(folder, table)
        sources = engine_sources(job, resolve_sources(job), folder)
        show("rows of CSV", lambda: cut(job, sources, "csv"))
        show("rows of lines", lambda: cut(job, sources, "lines"))
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        show("wc -l", lambda: _command("wc", "-l", str(table)))
        show("split -l", lambda: _command("split", "-l", str(ROWS_PER_CHUNK), str(table), str(folder / "part-")))
        print(f"peak memory of rows: {peak_mib:.0f} MiB")


def cut(job: Job, sources: Sequence[Source], kind: str) -> None:
    partition = load_engine(job.template.blocks[Role.PARTITIONER], "partition")
    for _ in partition(sources, {**job.spec.params[Role.PARTITIONER], "format": kind}):
        pass


def show(what: str, work: Callable[[], object]) -> None:
    best_s = min(_seconds(work) for _ in range(REPEATS))
    print(f"{what:13} {best_s:8.2f} s")


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _command(*arguments: str) -> None:
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)


def _job(folder: Path, table: Path) -> Job:
    settings = read_settings({"workspace": (folder / "workspace").as_uri(), "allowed_roots": str(folder)})
    template = read_catalog([PROJECT / "include"]).template("wordcount")
    params = {"partitioner": {"items_per_chunk": ROWS_PER_CHUNK}}
    spec = build_job_spec(template, {"dataSource": table.as_uri(), "params": params})
    return open_job(settings, template, spec, "bench", "run")


if __name__ == "__main__":
    main()
