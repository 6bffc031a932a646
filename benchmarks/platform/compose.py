"""What it saves that the store puts the results of chunks together, on a real server (SeaweedFS).

    PYTHONPATH=plugins:. python benchmarks/platform/compose.py [--parts 16] [--mb 32] [--runs 9]

An output's SHA-256 is on record, and no digest of a whole follows from those of its parts: the bytes have to be read
whoever puts them together. So "composed", as `concat` does it, where the server copies the parts (UploadPartCopy) while
they are read and hashed, stands beside "streamed", as it did before and does where a store copies nothing, and beside
reading and hashing alone. Runs in turn; medians. CPU is the client's alone. All share one machine's disk and cores with
the server.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.servers import s3_client, seaweed
from triptych.settings import read_settings
from triptych.storage import Store, Stores
from triptych.storage.copying import HashingWriter, sha256_of

TARGET = "s3://tests/whole"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=16)
    parser.add_argument("--mb", type=int, default=32)
    parser.add_argument("--runs", type=int, default=9)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, seaweed(Path(name)) as server, s3_client(server, "tests"):
        os.environ |= {"AIRFLOW_CONN_BENCH": server.connection, "AIRFLOW_HOME": name}
        store = Stores(read_settings({})).open("s3://tests", "bench")
        parts = [f"part-{number}" for number in range(given.parts)]
        for part in parts:
            store.put(f"s3://tests/{part}", os.urandom(given.mb * 1_000_000))
        ways = _ways(store, parts)
        taken = {way: list[tuple[float, float]]() for way in ways}
        for _ in range(given.runs):
            for way, move in ways.items():
                started, cpu = time.monotonic(), time.process_time()
                move()
                taken[way].append((time.monotonic() - started, time.process_time() - cpu))
    print("| way | s | client's CPU s |")
    print("| --- | ---: | ---: |")
    for way, runs in taken.items():
        seconds, cpu = (statistics.median(each) for each in zip(*runs, strict=True))
        print(f"| {way} | {seconds:.2f} | {cpu:.2f} |")


def _ways(store: Store, parts: Sequence[str]) -> Mapping[str, Callable[[], object]]:
    infos = [store.stat(f"s3://tests/{part}") for part in parts]

    def put_together(*, composed: bool) -> None:
        with store.stage(TARGET, "") as stage:
            out = HashingWriter(stage)
            for info in infos:
                blocks = store.stream(info.uri)
                if composed:
                    stage.copy(info.uri, 0, info.size, _counted(blocks, out))
                else:
                    for block in blocks:
                        out.write(block)
        store.release(stage.staged, None)
        store.delete(TARGET)

    return {
        "streamed: read, hashed and sent": lambda: put_together(composed=False),
        "composed: read and hashed, copied by the server at once": lambda: put_together(composed=True),
        "read and hashed alone": lambda: sha256_of(block for info in infos for block in store.stream(info.uri)),
    }


def _counted(blocks: Iterable[bytes], out: HashingWriter) -> Iterator[bytes]:
    for block in blocks:
        out.count(block)
        yield block


if __name__ == "__main__":
    main()
