"""Every way to fail, through a real Airflow: each ends as it should, says why, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.attempts import attempt_pid
from tests.support.servers import Server, s3_client
from tests.support.workspaces import counted
from triptych.airflow.rest import poll
from triptych.demo.embedded import EmbeddedAirflow
from triptych.running.reaper import reap

pytestmark = [pytest.mark.airflow, pytest.mark.docker]
WAIT_S = 180.0


@pytest.fixture(scope="module")
def bucket(store: Server) -> Iterator[Any]:
    """A client of the store, with the bucket `jobs`."""
    with s3_client(store, "jobs") as client:
        yield client


@pytest.fixture
def engine() -> Iterator[Any]:
    client = docker.APIClient(version="auto")
    yield client
    client.close()


def _keys(bucket: Any, prefix: str) -> dict[str, bytes]:
    """Every object below the prefix, read with a client that is not ours."""
    listed = bucket.list_objects_v2(Bucket="jobs", Prefix=prefix).get("Contents", [])
    names = [item["Key"] for item in listed]
    return {
        name.removeprefix(prefix): bucket.get_object(Bucket="jobs", Key=name)["Body"].read()
        for name in names
        if not name.endswith("/")
    }


@pytest.mark.parametrize("form", ["nested", "flat"])
def test_from_store_to_store(airflow: EmbeddedAirflow, bucket: Any, form: str) -> None:
    texts = {f"in-{form}/{name}": f"text {name}\n".encode() for name in ("a.txt", "b.txt", "c d.txt")}
    for key, text in texts.items():
        bucket.put_object(Bucket="jobs", Key=key, Body=text)
    source, destination = f"s3://jobs/in-{form}/*.txt", f"s3://jobs/out-{form}/"
    conf: dict[str, Any] = {
        "dataSource": {"uri": source, "conn_id": "store"},
        "dataDestination": {"uri": destination, "conn_id": "store"},
    }
    conf.update({"config": {"chunksPerTask": 2}} if form == "nested" else {"config.chunksPerTask": 2})
    run_id = airflow.client.trigger("upper", conf)
    _succeeds(airflow, "upper", run_id)
    found = _keys(bucket, f"out-{form}/")
    (name,) = [name for name in found if name.startswith("_triptych/upper/")]
    listing = json.loads(found.pop(name))
    # Each chunk wrote `output.txt`: their number tells them apart.
    assert found == {f"{n:06}_output.txt": text.upper() for n, text in enumerate(texts.values())}
    assert {file["size"] for file in listing["files"]} == {len(text) for text in texts.values()}


def test_a_scheduled_run_takes_the_source_of_its_day(airflow: EmbeddedAirflow, bucket: Any) -> None:
    days = [datetime.now(tz=UTC).date() + timedelta(days=n) for n in (0, 1)]
    for day in days:
        bucket.put_object(Bucket="jobs", Key=f"daily/{day}/t.txt", Body=str(day).encode() + b" x")
    client = airflow.client
    client.pause("daily", paused=False)
    assert poll(lambda: bool(client.runs("daily")), WAIT_S, 1.0)
    run = client.runs("daily")[0]
    _succeeds(airflow, "daily", run["dag_run_id"])
    client.pause("daily")
    output = airflow.home / "workspace" / "outputs" / "daily" / run["dag_run_id"] / "output.txt"
    assert output.read_text() == f"{run['logical_date'][:10]} X"


@pytest.mark.parametrize(
    ("dag_id", "conf", "task", "reason"),
    [
        ("tried", {}, ("app", 1), "Chunk 1 (replica_1): exit code 3"),
        ("slow", {}, ("app", 0), "Chunk 0 (replica_0): ran longer than its timeout of 2 s"),
        ("greedy", {}, ("app", 0), "Chunk 0 (replica_0): ran out of memory: it went beyond its limit of 0.0625 GiB"),
        ("links", {}, ("app", 0), "the result 'r' is a link"),
        ("imageless", {}, ("partition", -1), "the image 'triptych/none:1' of imageless@1.0 is not on this engine"),
        (
            "upper",
            {"dataSource": {"uri": "s3://jobs/none.txt", "conn_id": "store"}},
            ("partition", -1),
            "dataSource s3://jobs/none.txt: there is no such object",
        ),
        (
            "upper",
            {"dataSource": {"uri": "s3://jobs/empty/", "conn_id": "store"}},
            ("partition", -1),
            "dataSource s3://jobs/empty/: the folder holds no file",
        ),
    ],
)
@pytest.mark.usefixtures("bucket")
def test_a_failure_names_chunk_and_reason(
    airflow: EmbeddedAirflow, engine: Any, dag_id: str, conf: dict[str, Any], task: tuple[str, int], reason: str
) -> None:
    run_id = airflow.client.trigger(dag_id, conf)
    assert airflow.client.wait_for_run(dag_id, run_id) == "failed"
    assert reason in airflow.client.log(dag_id, run_id, *task)
    tasks = {(item["task_id"], item["map_index"]): item for item in airflow.client.tasks(dag_id, run_id)}
    assert tasks[task]["try_number"] == 1
    _nothing_left(airflow, engine, dag_id, run_id)
    assert not (_workspace(airflow, dag_id, run_id) / "output").exists()


def test_a_run_that_its_pool_cannot_hold_fails_and_its_note_says_so(airflow: EmbeddedAirflow) -> None:
    run_id = airflow.client.trigger("huge", {})
    assert airflow.client.wait_for_run("huge", run_id) == "failed"
    (run,) = airflow.client.runs("huge")
    assert "The task `app` takes 1000 slots of the pool 'default_pool', one per core, and the pool has" in run["note"]
    assert all(task["start_date"] is None for task in airflow.client.tasks("huge", run_id))


@pytest.mark.parametrize(("dag_id", "files"), [("silent", 0), ("many", 5000)])
def test_any_number_of_results_is_well(airflow: EmbeddedAirflow, engine: Any, dag_id: str, files: int) -> None:
    run_id = airflow.client.trigger(dag_id, {})
    _succeeds(airflow, dag_id, run_id)
    listing = json.loads((_workspace(airflow, dag_id, run_id) / "output" / "0.json").read_text())
    assert len(listing["files"]) == files
    _nothing_left(airflow, engine, dag_id, run_id)


def test_an_unknown_app_version_is_shown(airflow: EmbeddedAirflow) -> None:
    about = {dag["dag_id"]: dag["description"] for dag in airflow.client.dags()}
    assert "'upper@9.9' is no version of app 'upper' here; there are 1.0" in about["future"]


def test_sigkill_of_the_worker_then_of_the_container_loses_nothing(airflow: EmbeddedAirflow, engine: Any) -> None:
    run_id = airflow.client.trigger("killed", {"params": {"app": {"times": 2}}})
    _wait(airflow, lambda: _stopped(airflow, "killed") == 1)
    (container,) = _containers(engine, "killed", run_id)
    os.kill(attempt_pid(container), signal.SIGKILL)
    _wait(airflow, lambda: _stopped(airflow, "killed") == 2)
    # The dead worker's has ended by itself, and is for any job to remove after its time.
    [first, second] = sorted(_containers(engine, "killed", run_id), key=lambda each: str(each["State"]))
    assert (first["Id"], first["State"], second["State"]) == (container["Id"], "exited", "running")
    engine.kill(second["Id"])
    _succeeds(airflow, "killed", run_id)
    done = counted(_workspace(airflow, "killed", run_id))
    # The second attempt lost its container in chunk 1, did chunk 2 in a new one, and then chunk 1 again.
    assert done[1]["attempt"] == done[2]["attempt"]
    assert done[1]["serial"] == done[2]["serial"] + 1
    assert reap(engine, 0, [f"triptych.run={run_id}"]) == 1
    _nothing_left(airflow, engine, "killed", run_id)


def test_a_run_that_is_ended_leaves_nothing_and_can_be_cleared(airflow: EmbeddedAirflow, engine: Any) -> None:
    run_id = airflow.client.trigger("ended", {})
    _wait(airflow, lambda: _stopped(airflow, "ended") == 1)
    airflow.client.set_state("ended", run_id, "app", 0, "failed")
    _wait(airflow, lambda: not _containers(engine, "ended", run_id))
    assert airflow.client.wait_for_run("ended", run_id) == "failed"
    _nothing_left(airflow, engine, "ended", run_id)
    before = counted(_workspace(airflow, "ended", run_id))
    assert set(before) == {0}
    airflow.client.clear("ended", run_id, ["app", "assemble"])
    _succeeds(airflow, "ended", run_id)
    after = counted(_workspace(airflow, "ended", run_id))
    assert set(after) == {0, 1, 2}
    assert after[0] == before[0]


def _succeeds(airflow: EmbeddedAirflow, dag_id: str, run_id: str) -> None:
    if airflow.client.wait_for_run(dag_id, run_id) != "success":
        tasks = [(task["task_id"], task["map_index"]) for task in airflow.client.tasks(dag_id, run_id)]
        pytest.fail("\n".join(airflow.client.log(dag_id, run_id, *task) for task in tasks))


def _workspace(airflow: EmbeddedAirflow, dag_id: str, run_id: str) -> Path:
    return airflow.home / "workspace" / dag_id / run_id


def _stopped(airflow: EmbeddedAirflow, app: str) -> int:
    """How often the app has stopped in the middle of its chunk 1 so far."""
    seen = airflow.home / "scratch-cache" / "apps" / app / "stopped"
    return len(seen.read_text()) if seen.exists() else 0


def _containers(engine: Any, dag_id: str, run_id: str) -> list[Any]:
    return list(engine.containers(all=True, filters={"label": [f"triptych.dag={dag_id}", f"triptych.run={run_id}"]}))


def _wait(airflow: EmbeddedAirflow, event: Callable[[], bool]) -> None:
    assert poll(event, WAIT_S, 0.2), f"It did not happen; logs are in {airflow.home / 'logs'}."
    airflow.check()


def _nothing_left(airflow: EmbeddedAirflow, engine: Any, dag_id: str, run_id: str) -> None:
    assert _containers(engine, dag_id, run_id) == []
    # The last that an attempt does, which was told to end, is to remove its folder.
    _wait(airflow, lambda: list((airflow.home / "scratch").iterdir()) == [])
