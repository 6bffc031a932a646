"""One Airflow with all that it stands on, each part the suite's own: engine, database, store, proxy."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3

from tests.faults.blocks import write_blocks
from tests.faults.judge import Verdict, compare, expected_output, make_lines
from tests.faults.processes import tasks_of
from tests.support.fault_proxy import FaultProxy
from tests.support.own_engine import OwnEngine
from tests.support.postgres import Postgres
from tests.support.servers import LOGIN, PASSWORD, Server, s3_connection
from triptych.airflow.rest import AirflowError, poll
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

BUCKET = "faults"
LEFTOVER_S = 600.0
STAGES = ("partition", "app", "assemble")
LEAN = {
    # A worker that is lost, and a scheduler that died, are noticed in seconds instead of minutes.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "3",
    "AIRFLOW__CORE__PARALLELISM": "12",
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__TRIPTYCH__RETRIES": "40",
    "AIRFLOW__TRIPTYCH__RETRY_DELAY": "1",
}


@dataclass
class Job:
    """A run that was launched; `gate` holds it in `stage`."""

    dag_id: str
    run_id: str
    stage: str
    gate: str
    lines: list[str]
    destination: str
    chunks: int


@dataclass
class World:
    """`store` is asked by the judge, `proxy` by the jobs; both are None where all lies in folders."""

    home: Path
    airflow: EmbeddedAirflow
    engine: OwnEngine
    store: Server | None = None
    proxy: FaultProxy | None = None
    postgres: Postgres | None = None
    archive: bool = False
    launched: int = 0
    destinations: list[str] = field(default_factory=list)

    def launch(
        self,
        app: str,
        stage: str | None = None,
        *,
        chunks: int = 6,
        per_task: int = 2,
        held: list[int] | None = None,
        config: Mapping[str, Any] | None = None,
        destination: str | None = None,
        source: str | None = None,
    ) -> Job:
        """A job that stops in this stage at a gate which is shut, or in none."""
        self.launched += 1
        gate, rows = f"gate-{self.launched}", 10
        lines = make_lines(gate, rows * chunks)
        if stage is not None:
            self.shut(app, stage, gate)
        engines = {
            role: {"rows": rows, "gate": gate if stage == of else "", "folder": str(self.home / "gates")}
            for role, of in (("partitioner", "partition"), ("assembler", "assemble"))
        }
        if held is None:
            held = list(range(0, chunks, per_task))
        destination = destination or self.place(f"out/{gate}/")
        conf = {
            "dataSource": self._location(source or self.put_source(f"in/{gate}.txt", lines)),
            "dataDestination": self._location(destination),
            "params": {**engines, "app": {"gate": gate, "held": held if stage == "app" else []}},
            "config": {"chunksPerTask": per_task, **(config or {})},
        }
        self.destinations.append(destination)
        self.wait(lambda: self._is_triggered(app, gate, conf), f"a run of {app}")
        return Job(app, gate, stage or "", gate, lines, destination, chunks)

    def _is_triggered(self, app: str, run_id: str, conf: Mapping[str, Any]) -> bool:
        """Whether the run is there; asked again where a busy Airflow did not answer, or was killed a moment ago."""
        client = self.airflow.client
        try:
            client.pause(app, paused=False)
            client.call("POST", f"dags/{app}/dagRuns", {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)})
        except AirflowError as error:
            if error.status is not None and error.status < 500 and error.status != HTTPStatus.CONFLICT:
                raise
            return error.status == HTTPStatus.CONFLICT  # The one that was not answered is there.
        return True

    def place(self, name: str) -> str:
        """The URI of this name where sources and outputs lie."""
        if self.store:
            return f"s3://{BUCKET}/{self._prefix}/{name}"
        return (self.home / "data" / name).as_uri() + "/" * name.endswith("/")

    @property
    def _prefix(self) -> str:
        """Of keys, as worlds share the bucket: each counts its jobs from 1."""
        return self.home.parent.name

    def put_source(self, name: str, lines: list[str]) -> str:
        """The URI of a new source with these lines."""
        data = "".join(f"{line}\n" for line in lines).encode()
        if self.store:
            self.s3().put_object(Bucket=BUCKET, Key=f"{self._prefix}/{name}", Body=data)
        else:
            path = self.home / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return self.place(name)

    def _location(self, uri: str) -> Any:
        return {"uri": uri, "conn_id": "store"} if self.store else uri

    def s3(self) -> Any:
        """A client that is not ours and does not go by the proxy."""
        assert self.store is not None, "this world has no store"
        keys = {"aws_access_key_id": LOGIN, "aws_secret_access_key": PASSWORD, "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.store.endpoint, **keys)

    # Gates.

    def shut(self, app: str, stage: str, gate: str) -> None:
        """Let nobody pass who comes by from now on."""
        self._gates(app, stage).joinpath(f"{gate}.shut").touch()

    def open(self, job: Job) -> None:
        """Let all pass."""
        self._gates(job.dag_id, job.stage).joinpath(f"{job.gate}.shut").unlink(missing_ok=True)

    def arrived(self, job: Job) -> list[str]:
        """Who has come to the job's gate so far, in order: `chunk-3 17`, `assembler 2155`."""
        return _lines(self._gates(job.dag_id, job.stage) / f"{job.gate}.log")

    def ended(self, job: Job) -> list[str]:
        """The chunks whose app has ended, in order, once for each time."""
        return _lines(self._gates(job.dag_id, "app") / f"{job.gate}.ended")

    def _gates(self, app: str, stage: str) -> Path:
        """The cache of the block that runs in this stage, or a folder that engines in task processes read."""
        if stage == "app":
            return self._cache(app)
        if app == "held":
            return self.home / "gates"
        return self._cache(f"boxed_{'partitioner' if stage == 'partition' else 'assembler'}")

    def _cache(self, block: str) -> Path:
        if self.archive:
            volume = f"triptych-cache-{block}"
            self.engine.docker("volume", "create", volume)
            folder = Path(self.engine.docker("volume", "inspect", "--format", "{{.Mountpoint}}", volume).strip())
        else:
            folder = self.home / "scratch-cache" / "apps" / block
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o777)
            for each in (folder, folder.parent, folder.parent.parent):
                os.chown(each, self.home.stat().st_uid, self.home.stat().st_gid)
        return folder

    # What is seen from outside.

    def finish(self, job: Job, timeout_s: float = 400) -> tuple[str, str]:
        """The state in which the run ended, and what its failed tasks say."""
        client = self.airflow.client
        state = client.wait_for_run(job.dag_id, job.run_id, timeout_s)
        failed = [each for each in client.tasks(job.dag_id, job.run_id) if each["state"] == "failed"]
        said = []
        for each in failed:
            log = client.log(job.dag_id, job.run_id, each["task_id"], each["map_index"], each["try_number"])
            lines = [line for line in log.splitlines() if "Error" in line or "Exception" in line]
            said.append(f"{each['task_id']} try {each['try_number']}: {' / '.join(lines[-3:])[:600]}")
        return state, "; ".join(said)

    def instances(self, job: Job, stage: str | None = None) -> list[dict[str, Any]]:
        """The job's task instances that run now, of one stage or of all."""
        tasks = self.airflow.client.tasks(job.dag_id, job.run_id)
        return [each for each in tasks if each["state"] == "running" and stage in (None, each["task_id"])]

    def is_past(self, job: Job) -> bool:
        """Whether the stage that holds the job has ended, for every pack."""
        tasks = self.airflow.client.tasks(job.dag_id, job.run_id)
        states = [each["state"] for each in tasks if each["task_id"] == job.stage]
        return bool(states) and all(state in ("success", "failed") for state in states)

    def containers(self, job: Job | None = None) -> list[dict[str, str]]:
        """Containers of a job, or all with our labels: `ID`, `State`, `Names`, `Labels`."""
        wanted = "triptych.dag" if job is None else f"triptych.run={job.run_id}"
        told = self.engine.docker("ps", "--all", "--no-trunc", "--filter", f"label={wanted}", "--format", "{{json .}}")
        return [json.loads(line) for line in told.splitlines()]

    def output(self, job: Job) -> bytes | None:
        """The job's one output file; None where there is none."""
        return self.files(job.destination).get("output.txt")

    def verdict(self, job: Job) -> Verdict:
        """The judge's word on the output as it is now."""
        return compare(expected_output(job.lines), self.output(job))

    def files(self, uri: str) -> dict[str, bytes]:
        """All files below this place, hidden ones too."""
        if uri.startswith("s3://"):
            bucket, _, prefix = uri.removeprefix("s3://").partition("/")
            client = self.s3()
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            keys = [item["Key"] for page in pages for item in page.get("Contents", ()) if not item["Key"].endswith("/")]
            return {key[len(prefix) :]: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
        folder = Path(unquote(urlsplit(uri).path))
        found = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in found}

    def left_behind(self) -> list[str]:
        """What lies where nothing should once no job runs."""
        left = [f"container {each['Names']} ({each['State']})" for each in self.containers() if self._is_left(each)]
        left += [f"scratch {path.name}" for path in self._scratch().iterdir()]
        left += [f"process {each}" for each in tasks_of(self.home)]
        for destination in self.destinations:
            left += [f"{destination}{name}" for name in self.files(destination) if not belongs(name)]
        if self.store:
            uploads = self.s3().list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())
            left += [f"upload {each['Key']}" for each in uploads]
        return left

    def _is_left(self, container: Mapping[str, str]) -> bool:
        """Whether it should be gone: one that has ended, or never ran, is anybody's to remove after ten minutes."""
        return container["State"] == "running" or self.idle_for(container) > LEFTOVER_S

    def idle_for(self, container: Mapping[str, str]) -> float:
        """Seconds since it ended, or since it was created when it never ran; 0 when it is gone."""
        wanted = "{{.Created}}" if container["State"] == "created" else "{{.State.FinishedAt}}"
        try:
            since = self.engine.docker("inspect", "--format", wanted, container["ID"]).strip()
        except subprocess.CalledProcessError:
            return 0.0
        return (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds()

    def _scratch(self) -> Path:
        return Path(self.airflow.env["AIRFLOW__TRIPTYCH__SCRATCH"])

    # Waiting.

    def wait(self, event: Callable[[], bool], what: str, timeout_s: float = 300.0) -> None:
        """Until it happened; AssertionError with its name when it did not."""
        assert poll(event, timeout_s, 0.1), f"it did not happen in {timeout_s:.0f} s: {what}; logs: {self.home}/logs"

    def wait_until_healthy(self) -> None:
        """Until scheduler, DAG processor and API server say that they are."""
        client = self.airflow.client
        self.wait(lambda: client.health().get("scheduler") == "healthy", "a healthy Airflow")


def belongs(name: str) -> bool:
    """Whether a file in a destination is the output, or the list of one: `_triptych/<dag>/<run>.json`."""
    return name == "output.txt" or (name.startswith("_triptych/") and name.endswith(".json"))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except FileNotFoundError:
        return []


def airflow_for(
    home: Path,
    engine: OwnEngine,
    proxy: FaultProxy | None,
    postgres: Postgres | None,
    env: Mapping[str, str] | None = None,
    user: int | None = None,
) -> EmbeddedAirflow:
    """An Airflow that is not started yet, on these parts; `user` is the uid (and gid) that it runs as."""
    write_blocks(home / "include")
    for name in ("gates", "data", "scratch", "workspace", "logs"):
        (home / name).mkdir()
    settings = {
        **LEAN,
        "AIRFLOW__TRIPTYCH__INCLUDE": str(home / "include"),
        "AIRFLOW__TRIPTYCH__DOCKER_URL": engine.url,
        **(env or {}),
    }
    if proxy is not None:
        settings["AIRFLOW_CONN_STORE"] = s3_connection(proxy.endpoint, attempts=5)
        settings["AIRFLOW__TRIPTYCH__ALLOWED_CONNECTIONS"] = "store"
        settings["AIRFLOW__TRIPTYCH__WORKSPACE"] = f"s3://{BUCKET}/{home.parent.name}/ws"
        settings["AIRFLOW__TRIPTYCH__WORKSPACE_CONN_ID"] = "store"
    if postgres is not None:
        settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = postgres.url
    launcher: tuple[str, ...] = ()
    if user is not None:
        # It may read everything: where root has made the checkout and its Python, they may lie in root's home.
        launcher = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
        launcher += ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        settings["HOME"] = str(home)
        (home / "passwords.json").touch()
        for path in (home, *home.rglob("*")):
            os.chown(path, user, user)
    return EmbeddedAirflow(home, PROJECT, settings, launcher)
