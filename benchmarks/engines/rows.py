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
from triptych.engines.runtime.loading import loaded_engine
from triptych.engines.runtime.resources import Resources, using
from triptych.jobs.sources import resolve_sources
from triptych.jobs.spec import block_params, source_locations
from triptych.settings import PROJECT, read_settings
from triptych.stages.sources import engine_sources
from triptych.storage import Stores

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
        stores = Stores(read_settings({"allowed_roots": str(folder)}))
        sources = engine_sources(resolve_sources(source_locations(table.as_uri()), stores), stores, folder)
        show("rows of CSV", lambda: cut(sources, "csv"))
        show("rows of lines", lambda: cut(sources, "lines"))
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        show("wc -l", lambda: _command("wc", "-l", str(table)))
        show("split -l", lambda: _command("split", "-l", str(ROWS_PER_CHUNK), str(table), str(folder / "part-")))
        print(f"peak memory of rows: {peak_mib:.0f} MiB")


def cut(sources: Sequence[Source], format_: str) -> None:
    engine = read_catalog([PROJECT / "include"]).find(Role.PARTITIONER, "rows")
    params = block_params(engine, {"items_per_chunk": ROWS_PER_CHUNK, "format": format_})
    with (
        tempfile.TemporaryDirectory() as scratch,
        using(Resources(Path(scratch), 1 << 29)),
        loaded_engine(engine, "partition") as partition,
    ):
        for _ in partition(sources, params):
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


if __name__ == "__main__":
    main()
