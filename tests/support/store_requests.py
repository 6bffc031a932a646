"""How many requests a job of trivial range chunks makes to its store, counted at a proxy, all stages together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from tests.support.command_line import command_line
from tests.support.fault_proxy import FaultProxy, Request, fault_proxy
from tests.support.include_folders import write_app
from tests.support.servers import LOGIN, PASSWORD, Server, s3_connection
from triptych.settings import PROJECT

BUCKET = "requests"
SCRIPT = 'read -r line < "$TASK_DIR/data.bin"; echo "$line" > "$TASK_RESULTS_DIR/out.txt"'


@dataclass(frozen=True)
class Counted:
    """The requests of one job, by kind; `keys` are the paths of those that name an object."""

    chunks: int
    by_kind: Mapping[Request, int]
    keys: Sequence[tuple[Request, str]] = ()

    @property
    def per_chunk(self) -> float:
        """All requests of all stages, shared out."""
        return sum(self.by_kind.values()) / self.chunks


def count_requests(store: Server, home: Path, chunks: int, per_task: int | None = None) -> Counted:
    """Run a job over as many lines, a chunk each, in processes; source, workspace and destination lie in the store."""
    (counted,) = count_runs(store, home, chunks, per_task, 1, BUCKET, ["--runner", "process"], {})
    return counted


def through(proxy: FaultProxy, bucket: str, home: Path) -> dict[str, str]:
    """The command's configuration: the workspace in this bucket, and the connection `store` by the proxy."""
    return {
        "AIRFLOW__TRIPTYCH__WORKSPACE": f"s3://{bucket}/ws",
        "AIRFLOW__TRIPTYCH__WORKSPACE_CONN_ID": "store",
        "AIRFLOW__TRIPTYCH__SCRATCH": str(home / "scratch"),
        "AIRFLOW_CONN_STORE": s3_connection(proxy.endpoint),
        "TRIPTYCH_INCLUDE": f"{home / 'include'}:{PROJECT / 'include'}",
    }


def count_runs(
    store: Server,
    home: Path,
    chunks: int,
    per_task: int | None,
    times: int,
    bucket: str,
    options: Sequence[str],
    manifest: Mapping[str, Any],
) -> list[Counted]:
    """The same job so many times, one after the other, in a bucket of its own."""
    template = {"partitioner": "rows", "assembler": "concat"}
    write_app(home / "include", SCRIPT, name="trivial", entrypoint="main.sh", manifest=manifest, template=template)
    keys = {"aws_access_key_id": LOGIN, "aws_secret_access_key": PASSWORD, "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=store.endpoint, **keys)
    client.create_bucket(Bucket=bucket)
    text = "".join(f"line {number}\n" for number in range(chunks)).encode()
    client.put_object(Bucket=bucket, Key="in.txt", Body=text)
    launch = ["run", "trivial", "--quiet", "--workers", "2", "--connection", "store", *options]
    launch += ["--source", f"s3://{bucket}/in.txt", "-p", "partitioner.items_per_chunk=1"]
    launch += ["-p", f"config.chunksPerTask={per_task}"] if per_task else []
    counted = []
    with fault_proxy(store.endpoint) as proxy:
        env = through(proxy, bucket, home)
        with command_line(env, home) as command:
            for number in range(times):
                proxy.counted.clear()
                proxy.paths.clear()
                ended = command(*launch, "--destination", f"s3://{bucket}/out-{number}/")
                if ended.code:
                    raise RuntimeError(f"The job ended with {ended.code}: {ended.text}")
                counted.append(Counted(chunks, Counter(proxy.counted), tuple(proxy.paths)))
    for number in range(times):
        found = client.get_object(Bucket=bucket, Key=f"out-{number}/output.txt")["Body"].read()
        if found != text:
            raise RuntimeError(f"The job's output has {len(found):,} bytes and not the {len(text):,} of its source.")
    client.close()
    return counted
