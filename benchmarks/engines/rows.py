"""`rows` on a large CSV, with quotes and without, beside `wc -l` and `split -l`: seconds, and its peak memory.

Each is tried in turn, REPEATS times; `wc -l` and `split -l` have the table with quotes.

python benchmarks/engines/rows.py [GB]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from triptych.blocks import Role, read_catalog
from triptych.engines.runtime.loading import loaded_engine
from triptych.engines.runtime.resources import Resources, using
from triptych.jobs.sources import resolve_sources
from triptych.jobs.spec import block_params, source_locations
from triptych.settings import PROJECT, read_settings
from triptych.stages.sources import engine_sources
from triptych.storage import Stores

QUOTED = b'1234567,"a name, quoted",2026-11-24T00:00:00Z,3.14159,some more text to fill the row\n'
PLAIN = QUOTED.replace(b'"', b"").replace(b"name,", b"name;")
ROWS_PER_CHUNK = 1_000_000
REPEATS = 5


def main() -> None:
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        quoted, plain = (_table(folder / file, row, gigabytes) for file, row in (("q.csv", QUOTED), ("p.csv", PLAIN)))
        print(f"{quoted.stat().st_size / 1e9:.2f} GB, {ROWS_PER_CHUNK:,} rows a chunk, best of {REPEATS}")
        with tempfile.TemporaryDirectory() as scratch, using(Resources(Path(scratch), 1 << 29)):
            works = {
                "rows of quoted CSV": _cut(quoted, "csv"),
                "rows of plain CSV": _cut(plain, "csv"),
                "rows of lines": _cut(quoted, "lines"),
            }
            for work in works.values():
                work()
            peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            show(
                {
                    **works,
                    "wc -l": lambda: _command("wc", "-l", str(quoted)),
                    "split -l": lambda: _command(
                        "split", "-l", str(ROWS_PER_CHUNK), str(quoted), str(folder / "part-")
                    ),
                }
            )
        print(f"peak memory of rows: {peak_mib:.0f} MiB")


def _table(path: Path, row: bytes, gigabytes: float) -> Path:
    with path.open("wb") as out:
        out.write(b"id,name,at,value,text\n")
        block = row * 10_000
        for _ in range(int(gigabytes * 1e9 / len(block))):
            out.write(block)
    return path


def _cut(table: Path, format_: str) -> Callable[[], object]:
    """What cuts the table; the catalogue is read before, since a job does so once."""
    stores = Stores(read_settings({"allowed_roots": str(table.parent)}))
    sources = engine_sources(resolve_sources(source_locations(table.as_uri()), stores), stores, _new_folder(table))
    engine = read_catalog([PROJECT / "include"]).find(Role.PARTITIONER, "rows")
    params = block_params(engine, {"items_per_chunk": ROWS_PER_CHUNK, "format": format_})

    def cut() -> None:
        with loaded_engine(engine, "partition") as partition:
            for _ in partition(sources, params):
                pass

    return cut


def _new_folder(table: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=table.parent))


def show(works: Mapping[str, Callable[[], object]]) -> None:
    seconds: dict[str, list[float]] = {what: [] for what in works}
    for _ in range(REPEATS):
        for what, work in works.items():
            seconds[what].append(_seconds(work))
    for what, each in seconds.items():
        print(f"{what:20} {min(each):8.3f} s")


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _command(*arguments: str) -> None:
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
