"""How many requests a job of trivial range chunks makes to its store, counted at a proxy, all stages together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import boto3

from tests.support.command_line import command_line
from tests.support.fault_proxy import Request, fault_proxy
from tests.support.include_folders import write_app
from tests.support.servers import LOGIN, PASSWORD, Server, s3_connection
from triptych.settings import PROJECT

BUCKET = "requests"
SCRIPT = 'read -r line < "$TASK_DIR/data.bin"; echo "$line" > "$TASK_RESULTS_DIR/out.txt"'


@dataclass(frozen=True)
class Counted:
    """The requests of one job, by kind."""

    chunks: int
    by_kind: Mapping[Request, int]

    @property
    def per_chunk(self) -> float:
        """All requests of all stages, shared out."""
        return sum(self.by_kind.values()) / self.chunks


def count_requests(store: Server, home: Path, chunks: int, per_task: int | None = None) -> Counted:
    """Run a job over as many lines, a chunk each, in processes; source, workspace and destination lie in the store."""
    template = {"partitioner": "rows", "assembler": "concat"}
    write_app(home / "include", SCRIPT, name="trivial", entrypoint="main.sh", template=template)
    keys = {"aws_access_key_id": LOGIN, "aws_secret_access_key": PASSWORD, "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=store.endpoint, **keys)
    client.create_bucket(Bucket=BUCKET)
    text = "".join(f"line {number}\n" for number in range(chunks)).encode()
    client.put_object(Bucket=BUCKET, Key="in.txt", Body=text)
    launch = ["run", "trivial", "--quiet", "--runner", "process", "--workers", "2", "--connection", "store"]
    launch += ["--source", f"s3://{BUCKET}/in.txt", "--destination", f"s3://{BUCKET}/out/"]
    launch += ["-p", "partitioner.items_per_chunk=1"]
    launch += ["-p", f"config.chunksPerTask={per_task}"] if per_task else []
    with fault_proxy(store.endpoint) as proxy:
        env = {
            "AIRFLOW__TRIPTYCH__WORKSPACE": f"s3://{BUCKET}/ws",
            "AIRFLOW__TRIPTYCH__WORKSPACE_CONN_ID": "store",
            "AIRFLOW__TRIPTYCH__SCRATCH": str(home / "scratch"),
            "AIRFLOW_CONN_STORE": s3_connection(proxy.endpoint),
            "TRIPTYCH_INCLUDE": f"{home / 'include'}:{PROJECT / 'include'}",
        }
        with command_line(env, home) as command:
            ended = command(*launch)
        counted = Counter(proxy.counted)
    if ended.code:
        raise RuntimeError(f"The job ended with {ended.code}: {ended.text}")
    found = client.get_object(Bucket=BUCKET, Key="out/output.txt")["Body"].read()
    client.close()
    if found != text:
        raise RuntimeError(f"The job's output has {len(found):,} bytes and not the {len(text):,} of its source.")
    return Counted(chunks, counted)
