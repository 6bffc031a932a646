"""PostgreSQL, Redis, SeaweedFS and Airflow's services on this machine; workers on machines of their own."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from tests.support.certificates import signing_key
from tests.support.images import saved_image
from tests.support.postgres import running_postgres
from tests.support.servers import LOGIN, PASSWORD, Server, s3_connection, seaweed
from tests.support.workers.blocks import APP, CLASSES, IMAGE, LARGE_APP, output_of, put_bundle, source_of, write_bundle
from tests.support.workers.machine import CELERY, DISK, SHARED, Kind, Machine, Plugged
from tests.support.workers.queue_server import running_redis
from triptych.airflow.rest import poll
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

BUCKET = "jobs"
SLOTS = 2
"""Tasks that one worker runs at once."""
SETTINGS = {
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CORE__PARALLELISM": "16",
    # Seconds where a team has minutes, so that what is lost is found while the test waits.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "3",
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "40",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "1000",
    "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "600",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__LOGGING__REMOTE_LOGGING": "true",
    "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": f"s3://{BUCKET}/task-logs",
    "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID": "store",
    "AIRFLOW__LOGGING__DELETE_LOCAL_LOGS": "true",
    "AIRFLOW__TRIPTYCH__ALLOWED_CONNECTIONS": "store",
    "AIRFLOW__TRIPTYCH__WORKSPACE": f"s3://{BUCKET}/ws",
    "AIRFLOW__TRIPTYCH__WORKSPACE_CONN_ID": "store",
    "AIRFLOW__TRIPTYCH__RETRY_DELAY": "1",
    "AIRFLOW__TRIPTYCH__CLASSES": json.dumps(CLASSES),
    # As an operator says who is wrong of the first: each machine has a disk of its own there.
    "AIRFLOW__TRIPTYCH__ALLOWED_ROOTS": f"{DISK}/data:{SHARED}",
    "AIRFLOW__TRIPTYCH__SHARED_FOLDERS": "yes",
}

EDGE_PACKAGE = Path(sys.prefix, "edge")
"""What `make edge` installs: on no other Airflow's path."""
EDGE_SETTINGS = {
    "PYTHONPATH": os.pathsep.join([str(EDGE_PACKAGE), str(PROJECT / "plugins")]),
    "AIRFLOW__CORE__EXECUTOR": "airflow.providers.edge3.executors.EdgeExecutor",
    "AIRFLOW__EDGE__API_ENABLED": "true",
    "AIRFLOW__EDGE__JOB_POLL_INTERVAL": "1",
    "AIRFLOW__EDGE__HEARTBEAT_INTERVAL": "5",
}
SIGNING_KEY = "AIRFLOW__API_AUTH__JWT_PRIVATE_KEY_PATH"
"""The server's alone, where its workers have the secret by which they sign what they ask it."""


@dataclass
class Job:
    """A run that was launched, of a chunk for each line."""

    run_id: str
    lines: list[str]
    per_task: int
    app: str = APP

    @property
    def root(self) -> str:
        """Of its records, as a key."""
        return f"ws/{self.app}/{self.run_id}/"


@dataclass
class Cluster:
    """Machines by their names, those that are off among them."""

    airflow: EmbeddedAirflow
    store: Server
    plugged: Plugged
    folder: Path
    machines: dict[str, Machine] = field(default_factory=dict)
    launched: int = 0

    def add(
        self,
        name: str,
        host: str | None = None,
        queues: Sequence[str] = ("default",),
        version: str | None = None,
    ) -> Machine:
        """Switch on another machine, which is not waited for."""
        machine = Machine(self.folder / "machines", name, self.plugged, host, queues, version)
        self.machines[name] = machine
        machine.start()
        return machine

    def launch(
        self,
        chunks: int,
        per_task: int,
        seconds: float,
        held: Machine | None = None,
        app: str = APP,
        destination: Mapping[str, str] | None = None,
    ) -> Job:
        """A job of naps of this length; on the machine that is `held`, chunks stay open once a first has ended."""
        if held is not None:
            held.hold()
        self.launched += 1
        lines = [f"line {number} of job {self.launched}" for number in range(chunks)]
        job = Job(f"job-{self.launched}", lines, per_task, app)
        self.s3.put_object(Bucket=BUCKET, Key=f"in/{job.run_id}.txt", Body=source_of(job.lines))
        conf = {
            "dataSource": {"uri": f"s3://{BUCKET}/in/{job.run_id}.txt", "conn_id": "store"},
            "dataDestination": destination or {"uri": f"s3://{BUCKET}/out/{job.run_id}/", "conn_id": "store"},
            "params": {"app": {"seconds": seconds}},
            "config": {"chunksPerTask": per_task},
        }
        self.airflow.client.pause(app, paused=False)
        body = {"dag_run_id": job.run_id, "logical_date": None, "conf": conf}
        self.airflow.client.call("POST", f"dags/{app}/dagRuns", body)
        return job

    def finish(self, job: Job, timeout_s: float = 600) -> None:
        """Wait until the run has ended well; AssertionError with what its tasks say."""
        state = self.airflow.client.wait_for_run(job.app, job.run_id, timeout_s)
        assert state == "success", self.tried(job)

    def tried(self, job: Job) -> str:
        """Its task instances, and the logs of those that failed."""
        client, said = self.airflow.client, []
        for each in client.tasks(job.app, job.run_id):
            said.append(f"{each['task_id']}[{each['map_index']}] {each['state']} try {each['try_number']}")
            if each["state"] == "failed":
                said.append(
                    client.log(job.app, job.run_id, each["task_id"], each["map_index"], each["try_number"])[-2000:]
                )
        return "\n".join(said)

    def took_s(self, job: Job) -> float:
        """From its start to its end, as Airflow has them."""
        run = self.airflow.client.run(job.app, job.run_id)
        began, ended = (datetime.fromisoformat(run[key]) for key in ("start_date", "end_date"))
        return (ended - began).total_seconds()

    def events(self, job: Job, name: str) -> list[dict[str, Any]]:
        """What Airflow's log of events has of it by this name."""
        told = self.airflow.client.get("eventLogs", dag_id=job.app, run_id=job.run_id, event=name)
        events: list[dict[str, Any]] = told["event_logs"]
        return events

    # What the records say, read by nothing of ours.

    @cached_property
    def s3(self) -> Any:
        """A client that goes by no cable."""
        keys = {"aws_access_key_id": LOGIN, "aws_secret_access_key": PASSWORD, "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.store.endpoint, **keys)

    def keys(self, prefix: str) -> list[str]:
        """All below this."""
        client = self.s3
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def read(self, key: str) -> bytes:
        """One object."""
        data: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return data

    def done(self, job: Job) -> list[dict[str, Any]]:
        """The successes that the newest entry of each pack holds, one after the other."""
        newest: dict[str, str] = {}
        for key in sorted(self.keys(f"{job.root}commits/0/")):
            newest[key.rpartition("/")[0]] = key
        return [tried for key in newest.values() for tried in json.loads(self.read(key))["done"]]

    def workers(self, job: Job) -> Counter[str]:
        """How many chunks each worker did, by the records."""
        return Counter(tried["worker"] for tried in self.done(job))

    def output(self, job: Job) -> bytes:
        """The bytes of the job's one output file, whatever its name."""
        [key] = [key for key in self.keys(f"out/{job.run_id}/") if "/_triptych/" not in key]
        return self.read(key)

    def check(self, job: Job) -> None:
        """The output is what it has to be, each chunk counted once, and nothing lies where nothing should."""
        assert self.output(job) == output_of(job.lines)
        assert sorted(tried["chunk"] for tried in self.done(job)) == list(range(len(job.lines)))
        left: list[str] = []

        def nothing_left() -> bool:
            left[:] = self.left_behind(job)
            return not left

        assert poll(nothing_left, 180, 0.5), f"left behind: {left}\n" + "\n".join(
            f"{machine.name}: {machine.said()}" for machine in self.machines.values()
        )

    def left_behind(self, job: Job) -> list[str]:
        """What should be gone by now: containers, attempts' folders, uploads, and what is no output and no record."""
        left = []
        for machine in self.machines.values():
            left += [f"{machine.name}: container {each['Names']}" for each in machine.containers()]
            left += [f"{machine.name}: scratch {name}" for name in machine.scratch() if machine.is_on]
        left += [f"upload {each['Key']}" for each in self.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())]
        expected = {f"out/{job.run_id}/_triptych/{job.app}/{job.run_id}.json"}
        strange = [key for key in self.keys(f"out/{job.run_id}/") if "_triptych" in key and key not in expected]
        return left + strange

    def wait(self, event: Callable[[], bool], what: str, timeout_s: float = 400) -> None:
        """Until it happened; AssertionError with its name when it did not."""
        if not poll(event, timeout_s, 0.1):
            machines = "\n".join(f"{machine.name}: {machine.said()}" for machine in self.machines.values())
            raise AssertionError(f"it did not happen in {timeout_s:.0f} s: {what}\n{machines}")

    def wait_until_held(self, job: Job, machine: Machine) -> None:
        """Until the machine has done a chunk of the job, by the records, and holds another one open."""

        def is_held() -> bool:
            return bool(machine.held_chunks(job.run_id)) and self.workers(job)[machine.told_as] > 0

        self.wait(is_held, f"a chunk of {job.run_id} open on {machine.name}")


@contextmanager
def running_cluster(folder: Path, env: Mapping[str, str] | None = None, kind: Kind = CELERY) -> Iterator[Cluster]:
    """Without a worker yet; `folder` is one that other users may enter, with a short name.

    Workers of Celery reach Redis, too; those of the other kind Airflow's API server and the store alone.
    """
    (folder / "machines").mkdir()
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres(folder / "postgres"))
        redis_port = stack.enter_context(running_redis(folder)) if kind is CELERY else None
        store = stack.enter_context(seaweed(folder))
        write_bundle(folder / "bundle")
        home = folder / "airflow"
        settings = {
            **SETTINGS,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.url,
            **(_redis_settings(redis_port) if redis_port else {**EDGE_SETTINGS, SIGNING_KEY: _signing_key(folder)}),
            "AIRFLOW_CONN_STORE": s3_connection(store.endpoint, attempts=5),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([_bundle()]),
            "AIRFLOW__TRIPTYCH__INCLUDE": str(folder / "none"),
            **(env or {}),
        }
        (folder / "none").mkdir()
        airflow = EmbeddedAirflow(home, PROJECT, settings)
        airflow.env["AIRFLOW__EDGE__API_URL"] = f"{airflow.url}/edge_worker/v1/rpcapi"
        urls = (airflow.url, store.endpoint)
        ports = [urlsplit(url).port or 0 for url in urls] + ([redis_port] if redis_port else [])
        told = {name: value for name, value in airflow.env.items() if name != SIGNING_KEY}
        plugged = Plugged(told, ports, saved_image(IMAGE), SLOTS, kind)
        cluster = Cluster(airflow, store, plugged, folder)
        cluster.s3.create_bucket(Bucket=BUCKET)
        put_bundle(folder / "bundle", cluster.s3, BUCKET, "bundle")
        try:
            with airflow:
                for app in (APP, LARGE_APP):
                    airflow.client.wait_for_dag(app)
                yield cluster
        finally:
            for machine in cluster.machines.values():
                machine.stop()


def _signing_key(folder: Path) -> str:
    path = folder / "signing_key.pem"
    path.touch(mode=0o600)
    path.write_text(signing_key())
    return str(path)


def _redis_settings(port: int) -> dict[str, str]:
    urls = {"BROKER_URL": f"redis://127.0.0.1:{port}/0", "RESULT_BACKEND": f"redis://127.0.0.1:{port}/1"}
    return {f"AIRFLOW__CELERY__{key}": url for key, url in urls.items()}


def _bundle() -> dict[str, Any]:
    kind = "airflow.providers.amazon.aws.bundles.s3.S3DagBundle"
    where = {"aws_conn_id": "store", "bucket_name": BUCKET, "prefix": "bundle"}
    return {"name": "blocks", "classpath": kind, "kwargs": where}
