"""What it would save to have the store put the results of chunks together, on a real server (SeaweedFS).

    PYTHONPATH=plugins:. python benchmarks/platform/compose.py [--parts 16] [--mb 32] [--runs 9]

An output's SHA-256 is on record, and no digest of a whole follows from those of its parts: the bytes have to be read
whoever puts them together. So "streamed", as `concat` does it, stands beside "composed", where the server copies the
parts (UploadPartCopy) while they are read and hashed, and beside the two halves of that alone. Runs in turn; medians.
CPU is the client's alone, "sent" what leaves it. All of them share one machine's disk and cores with the server.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.support.servers import s3_client, seaweed
from triptych.settings import read_settings
from triptych.storage import Store, Stores
from triptych.storage.copying import copy_stream, sha256_of

PARTS_AT_ONCE = 4
TARGET = "s3://tests/whole"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=16)
    parser.add_argument("--mb", type=int, default=32)
    parser.add_argument("--runs", type=int, default=9)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, seaweed(Path(name)) as server, s3_client(server, "tests") as client:
        os.environ |= {"AIRFLOW_CONN_BENCH": server.connection, "AIRFLOW_HOME": name}
        store = Stores(read_settings({})).open("s3://tests", "bench")
        parts = [f"part-{number}" for number in range(given.parts)]
        for part in parts:
            store.put(f"s3://tests/{part}", os.urandom(given.mb * 1_000_000))
        ways = _ways(store, client, parts)
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


def _ways(store: Store, client: Any, parts: Sequence[str]) -> Mapping[str, Callable[[], object]]:
    def blocks() -> Iterator[bytes]:
        for part in parts:
            yield from store.stream(f"s3://tests/{part}")

    def compose() -> None:
        where = {"Bucket": "tests", "Key": "whole"}
        upload = client.create_multipart_upload(**where)["UploadId"]

        def copied(number: int) -> dict[str, object]:
            source = {"Bucket": "tests", "Key": parts[number - 1]}
            answer = client.upload_part_copy(**where, UploadId=upload, PartNumber=number, CopySource=source)
            return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}

        with ThreadPoolExecutor(PARTS_AT_ONCE) as pool:
            made = list(pool.map(copied, range(1, len(parts) + 1)))
        client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": made})

    def both() -> None:
        with ThreadPoolExecutor(1) as pool:
            composing = pool.submit(compose)
            sha256_of(blocks())
            composing.result()

    return {
        "streamed: read, hashed and sent": lambda: copy_stream(blocks(), store, TARGET),
        "composed: read and hashed, copied by the server at once": both,
        "read and hashed alone": lambda: sha256_of(blocks()),
        "copied by the server alone": compose,
    }


if __name__ == "__main__":
    main()
