"""Our external merge sort beside DuckDB's ORDER BY, which spills, too: the same records, keys and limit of memory.

    python benchmarks/engines/external_sort.py [MEGABYTES]

Tables of CSV, shuffled or each in order, as sorted_concat takes them; each sort in a process of its own. CPU s are of
all threads. The digest says whether both have written the same.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.engines import inputs
from tests.support.inputs import FileInput
from triptych.engines.runtime.resources import MIB, Resources, using
from triptych.engines.sorting.external_merge import BatchSource, keyed, record_bytes, write_merged
from triptych.engines.sorting.order import Order
from triptych.engines.sorting.sort_keys import SortColumn, directions
from triptych.engines.tables.csv_batches import csv_table

Write = Callable[[Iterator[pa.RecordBatch]], None]
BATCH_ROWS = 20_000
CASES = (("tables", ["id:number"]), ("tables", ["key", "at:date:desc"]), ("tables_in_order", ["id:number"]))
MEMORY_MIB = (512, 64)


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        _child(*json.loads(sys.argv[2]))
        return
    size = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 200_000_000
    print("| input | by | memory MiB | sort | s | CPU s | peak MiB | digest |")
    print("| --- | --- | ---: | --- | ---: | ---: | ---: | --- |", flush=True)
    for (writer, by), memory_mib in itertools.product(CASES, MEMORY_MIB):
        with tempfile.TemporaryDirectory() as folder:
            whole = getattr(inputs, writer)(Path(folder), size)
            for sort in SORTS:
                given = json.dumps([sort, str(whole), by, memory_mib])
                done = subprocess.run([sys.executable, __file__, "--child", given], check=True, stdout=subprocess.PIPE)
                print(
                    f"| `{writer}` | `{','.join(by)}` | {memory_mib} | {sort} | {done.stdout.decode().strip()} |",
                    flush=True,
                )


def _child(sort: str, folder: str, by: Sequence[str], memory_mib: int) -> None:
    columns = [SortColumn.of(text) for text in by]
    sources = [partial(_batches, path, columns) for path in sorted(Path(folder).glob("*.csv"))]
    with tempfile.TemporaryDirectory() as scratch, using(Resources(Path(scratch), memory_mib * MIB)):
        out = Path(scratch) / "out"

        def write(batches: Iterator[pa.RecordBatch]) -> None:
            with out.open("wb") as file:
                file.writelines(map(record_bytes, batches))

        started = time.perf_counter()
        SORTS[sort](sources, Order(directions(columns)), write, memory_mib)
        seconds = time.perf_counter() - started
        with out.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:8]
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(f"{seconds:.2f} | {time.process_time():.2f} | {int(peak[1]) >> 10 if peak else 0} | {digest}")


def _batches(path: Path, columns: Sequence[SortColumn]) -> Iterator[pa.RecordBatch]:
    item = FileInput(path)
    for batch, texts in csv_table(item, {}, format="csv").texts([column.name for column in columns]):
        keys = [key for column, text in zip(columns, texts, strict=True) for key in column.keys(text, item, "last")]
        yield keyed(keys, batch.records())


def _ours(sources: Sequence[BatchSource], order: Order, write: Write, memory_mib: int) -> None:
    write_merged(write, sources, order)


def _duckdb(sources: Sequence[BatchSource], order: Order, write: Write, memory_mib: int) -> None:
    """Stable by the record's number; DuckDB asks for batches in a thread of its own."""
    context, numbers = copy_context(), itertools.count()

    def numbered() -> Iterator[pa.RecordBatch]:
        for batch in itertools.chain.from_iterable(source() for source in sources):
            rows = np.fromiter(itertools.islice(numbers, len(batch)), np.int64, len(batch))
            yield batch.append_column("row", pa.array(rows))

    batches = numbered()
    first = next(batches)
    following = iter(partial(context.run, next, batches, None), None)
    reader = pa.RecordBatchReader.from_batches(first.schema, itertools.chain([first], following))
    words = {"ascending": "ASC", "descending": "DESC"}
    keys = ", ".join(f"key{key} {words[each]} NULLS LAST" for key, each in enumerate(order.directions))
    with tempfile.TemporaryDirectory() as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_mib}MiB",
            "temp_directory": spill,
            "arrow_large_buffer_size": True,
        }
        with duckdb.connect(":memory:", config=config) as connection:
            connection.register("batches", reader)
            ordered = connection.sql(f"SELECT record FROM batches ORDER BY {keys}, row")
            write(iter(ordered.to_arrow_reader(BATCH_ROWS)))


SORTS: dict[str, Callable[[Sequence[BatchSource], Order, Write, int], None]] = {"ours": _ours, "DuckDB": _duckdb}

if __name__ == "__main__":
    main()
