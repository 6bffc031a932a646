"""Jobs on edge workers, which ask Airflow's API server for tasks: they reach that and the store, and nothing else."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.workers.blocks import output_of
from tests.support.workers.cluster import Cluster

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
