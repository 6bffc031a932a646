"""Jobs on edge workers, which ask Airflow's API server for tasks: they reach that and the store, and nothing else."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import httpx
import jwt
import pytest

from tests.support.include_folders import write_app
from tests.support.judged import findings
from tests.support.workers.blocks import output_of
from tests.support.workers.cluster import SIGNING_KEY, Cluster
from triptych.airflow.rest import AirflowClient, AirflowError
from triptych.demo.embedded import USER

PARTS = {"partitioner": "passthrough", "assembler": "passthrough"}
pytestmark = [pytest.mark.airflow, pytest.mark.docker, pytest.mark.workers, pytest.mark.timeout(1800)]


def test_a_job_runs_where_only_the_api_server_and_the_store_answer(edge: Cluster) -> None:
    urls = (edge.airflow.url, edge.store.endpoint, edge.airflow.env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    api, store, database = (urlsplit(url).port or 0 for url in urls)
    there = _listening()
    assert {api, store, database} <= set(there)
    for machine in edge.machines.values():
        assert machine.reached(there) == sorted([api, store])
    job = edge.launch(chunks=32, per_task=4, seconds=0.5)
    edge.finish(job)
    edge.check(job)
    assert set(edge.workers(job)) == {"e1.workers", "e2.workers"}


def test_the_doctor_tells_which_workers_take_tasks_and_which_app_none_has_the_slots_for(edge: Cluster) -> None:
    include = edge.folder / "asking"
    write_app(include, "", name="asking", manifest={"device_requirements": {"min_cpu": 3}}, template=PARTS)
    _, found = findings({**edge.airflow.env, "AIRFLOW__TRIPTYCH__CLASSES": ""}, "--include", str(include))
    (workers,) = (each["said"] for each in found if each["about"] == "workers")
    assert workers == (
        "2 edge worker(s) answer, which run 4 task(s) at once: e1.workers (2; default), e2.workers (2; default)."
    )
    said = [each["said"] for each in found if each["about"] == "queues"]
    assert said == [
        "The task `asking.app` takes 3 slots of a worker, one per core, and no worker of the queue 'default' has more "
        "than 2."
    ]


def test_who_has_a_workers_secret_is_no_user(edge: Cluster) -> None:
    """The server signs its users' tokens by a key that no worker has."""
    login = {"username": USER, "password": edge.airflow.password}
    token = httpx.post(f"{edge.airflow.url}/auth/token", json=login).json()["access_token"]
    assert AirflowClient(edge.airflow.url, token=token).dags()
    claims = jwt.decode(token, options={"verify_signature": False})
    secret = edge.airflow.env["AIRFLOW__API_AUTH__JWT_SECRET"]
    forged = jwt.encode(claims, secret, algorithm="HS512", headers={"kid": jwt.get_unverified_header(token)["kid"]})
    with pytest.raises(AirflowError) as caught:
        AirflowClient(edge.airflow.url, token=forged).dags()
    assert caught.value.status == httpx.codes.FORBIDDEN
    assert SIGNING_KEY not in edge.plugged.env


def _listening() -> list[int]:
    """Every port of this machine that takes connections by TCP (proc(5), net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sorted({int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"})


def test_an_edge_worker_that_dies_loses_its_open_chunk_alone(edge: Cluster) -> None:
    e1, e2 = edge.machines["e1"], edge.machines["e2"]
    job = edge.launch(chunks=24, per_task=6, seconds=1, held=e1)
    edge.wait_until_held(job, e1)
    kept = {tried["chunk"]: tried["attempt"] for tried in edge.done(job)}
    e1.kill()
    lost = e1.open_chunks(job.run_id)
    assert lost
    edge.finish(job)
    edge.check(job)
    done = {tried["chunk"]: tried for tried in edge.done(job)}
    assert {done[chunk]["worker"] for chunk in lost} == {e2.told_as}
    assert kept.items() <= {chunk: tried["attempt"] for chunk, tried in done.items()}.items()
    assert edge.output(job) == output_of(job.lines)
