"""What a store's distance costs each chunk of a pack: its bytes fetched and its result kept, beside what runs or not.

PYTHONPATH=plugins:. python benchmarks/jobs/latency.py [CHUNKS] [--delays 0 20] [--runs 3]

One pack of chunks that are objects of a source, in front of SeaweedFS with a proxy that delays every request. The
script sleeps 50 ms in a process, so that the machine's load hardly counts. Printed are the medians, with the range, of
the time from one script's begin to the next one's, less those 50 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

import boto3

from tests.support.command_line import command_line
from tests.support.fault_proxy import fault_proxy
from tests.support.include_folders import write_app
from tests.support.servers import LOGIN, PASSWORD, Server, seaweed
from tests.support.store_requests import through

SLEEP_S = 0.05
SCRIPT = 'sleep 0.05; cat "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/out.txt"'
BUCKET = "latency"
TEMPLATE = {"partitioner": "passthrough"}


def main() -> None:
    """Each delay in turn, as often as asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chunks", type=int, nargs="?", default=100)
    parser.add_argument("--delays", type=float, nargs="*", default=[0.0, 20.0], help="in milliseconds")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    measured: dict[float, list[float]] = {delay: [] for delay in arguments.delays}
    with tempfile.TemporaryDirectory() as name, seaweed(Path(name)) as store:
        write_app(Path(name, "include"), SCRIPT, name="sleeps", entrypoint="main.sh", template=TEMPLATE)
        for _ in range(arguments.runs):
            for delay in arguments.delays:
                number = sum(map(len, measured.values()))
                measured[delay].append(_dead_s(store, Path(name), arguments.chunks, delay / 1e3, number))
    print(f"load {os.getloadavg()[0]:.1f}\n\n| delay, ms | dead time by chunk, ms | range |\n| ---: | ---: | --- |")
    for delay, times in measured.items():
        low, middle, high = min(times), statistics.median(times), max(times)
        print(f"| {delay:g} | {middle * 1e3:.1f} | {low * 1e3:.1f} to {high * 1e3:.1f} |")


def _dead_s(store: Server, home: Path, chunks: int, delay_s: float, number: int) -> float:
    """Seconds of each chunk in which its pack ran no script, or waited for one to begin and end."""
    keys = {"aws_access_key_id": LOGIN, "aws_secret_access_key": PASSWORD, "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=store.endpoint, **keys)
    bucket = f"{BUCKET}-{number}"
    client.create_bucket(Bucket=bucket)
    for chunk in range(chunks):
        client.put_object(Bucket=bucket, Key=f"in/{chunk:05}.txt", Body=b"line\n")
    with fault_proxy(store.endpoint) as proxy:
        proxy.delay_s = delay_s
        env = through(proxy, bucket, home)
        with command_line(env, home) as command:
            launch = ["run", "sleeps", "--quiet", "--keep", "--runner", "process", "--connection", "store"]
            launch += ["--source", f"s3://{bucket}/in/", "-p", f"config.chunksPerTask={chunks}"]
            ended = command(*launch, "--destination", f"s3://{bucket}/out/")
    if ended.code:
        msg = f"The job ended with {ended.code}: {ended.text}"
        raise RuntimeError(msg)
    names = [each["Key"] for each in client.list_objects_v2(Bucket=bucket, Prefix="ws/sleeps/")["Contents"]]
    last = max(name for name in names if "/commits/" in name)
    tries = json.loads(client.get_object(Bucket=bucket, Key=last)["Body"].read())["done"]
    client.close()
    assert len(tries) == chunks
    # From one script's begin to the next one's, whatever of that a try counts as its own.
    starts = sorted(each["started"] for each in tries)
    return float(starts[-1] - starts[0]) / (chunks - 1) - SLEEP_S


if __name__ == "__main__":
    main()
