"""What people and operators do to a job that runs: it is cleared, failed, deleted, and loses what it stands on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote

import pytest

from tests.faults.conftest import WHOLE, Ledger, Worlds
from tests.faults.judge import Row, compare
from tests.faults.kills import after_the_next_job
from tests.faults.world import STAGES, Job, World
from tests.support.fault_proxy import Fault, Rule
from triptych.airflow.rest import AirflowError

pytestmark = [pytest.mark.faults, pytest.mark.airflow, pytest.mark.docker, pytest.mark.timeout(3600)]
AWAY_S = 60.0
WORLDS = ("files", "s3")


def _held(world: World, stage: str) -> Job:
    job = world.launch("held", stage)
    world.wait(lambda: bool(world.arrived(job)) and bool(world.instances(job, stage)), f"a job held in {stage}")
    return job


def _clear(world: World, job: Job, *, only_failed: bool = False) -> None:
    """The stage and what follows it."""
    world.airflow.client.clear(job.dag_id, job.run_id, [job.stage], only_failed=only_failed, downstream=True)


def _ends_right(world: World, row: Row, job: Job) -> None:
    row.hit += 1
    state, said = world.finish(job)
    if state != "success":
        row.notes.append(f"{job.run_id} {state}: {said}")
    row.add_job(1, world.verdict(job))


def _end(world: World, row: Row) -> None:
    after_the_next_job(world, [row])
    assert row.is_clean, row.faults()


def _cleared(world: World, job: Job) -> None:
    came = len(world.arrived(job))
    _clear(world, job)
    world.wait(lambda: len(world.arrived(job)) > came, "the cleared task at its gate again")


def _cleared_twice(world: World, job: Job) -> None:
    """By two people in the same moment."""
    came = len(world.arrived(job))
    cleared: list[bool] = []

    def clear() -> None:
        with suppress(AirflowError):  # Airflow may refuse the one that comes while the other is under way.
            _clear(world, job)
            cleared.append(True)

    both = [threading.Thread(target=clear) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert cleared
    world.wait(lambda: len(world.arrived(job)) > came, "the cleared task at its gate again")


def _failed_by_hand(world: World, job: Job) -> None:
    for each in world.instances(job, job.stage):
        with suppress(AirflowError):  # One that has ended in this moment.
            world.airflow.client.set_state(job.dag_id, job.run_id, job.stage, each["map_index"], "failed")
    assert world.airflow.client.wait_for_run(job.dag_id, job.run_id, 300) == "failed"
    _clear(world, job, only_failed=True)


def _credentials_expire(world: World, job: Job) -> None:
    """From now on the store refuses; the job fails, has new ones, and is cleared."""
    assert world.proxy is not None
    world.proxy.rules.append(Rule(Fault.DENIED, times=10**9))
    world.open(job)
    try:
        assert world.airflow.client.wait_for_run(job.dag_id, job.run_id, 300) == "failed"
    finally:
        assert world.proxy.clear(), "no request was refused"
    _clear(world, job, only_failed=True)


def _database_away(world: World, job: Job) -> None:
    """For a minute; what ends of itself meanwhile is started again, as systemd does."""
    assert world.postgres is not None
    world.postgres.stop()
    try:
        threading.Event().wait(AWAY_S)
    finally:
        world.postgres.start()

    def is_up() -> bool:
        for component in world.airflow.ended():  # Some take a while to end.
            world.airflow.restart(component)
        return world.airflow.client.health().get("scheduler") == "healthy"

    world.wait(is_up, "a healthy Airflow once its database is back")


ANYWHERE: dict[str, Callable[[World, Job], None]] = {
    "cleared while running": _cleared,
    "cleared twice at once": _cleared_twice,
    "failed by hand": _failed_by_hand,
}
ON_S3: dict[str, Callable[[World, Job], None]] = {
    "credentials expire": _credentials_expire,
    "database away for a minute": _database_away,
}
DONE = {**ANYWHERE, **ON_S3}
CASES = [(kind, what, stage) for kind in WORLDS for what in (ANYWHERE if kind == "files" else DONE) for stage in STAGES]
SHORT = [("s3", "cleared while running", "app"), ("s3", "credentials expire", "assemble")]


@pytest.mark.parametrize(("kind", "what", "stage"), CASES if WHOLE else SHORT)
def test_a_job_ends_right(worlds: Worlds, ledger: Ledger, kind: str, what: str, stage: str) -> None:
    world = worlds.get(kind)
    row = ledger.row(f"{what}, {stage}, {kind}")
    row.tried += 1
    job = _held(world, stage)
    row.states["held at its gate"] += 1
    try:
        DONE[what](world, job)
    finally:
        world.open(job)
    _ends_right(world, row, job)
    _end(world, row)


@pytest.mark.parametrize(
    ("kind", "stage"), [(kind, stage) for kind in WORLDS for stage in STAGES] if WHOLE else [("s3", "app")]
)
def test_a_run_that_is_deleted_leaves_nothing(worlds: Worlds, ledger: Ledger, kind: str, stage: str) -> None:
    world = worlds.get(kind)
    row = ledger.row(f"deleted while running, {stage}, {kind}")
    row.tried += 1
    job = _held(world, stage)
    run = f"dags/{job.dag_id}/dagRuns/{quote(job.run_id, safe='')}"
    try:
        # Airflow deletes no run that it calls running. Its tasks do not know yet when it is gone.
        world.airflow.client.call("PATCH", run, {"state": "failed"})
        world.airflow.client.call("DELETE", run)
        row.hit += 1
        world.wait(
            lambda: not any(each["State"] == "running" for each in world.containers(job)), "its containers ended"
        )
    finally:
        world.open(job)
    # Nobody waits for an output any more: there is none, or all of it.
    row.add_job(1, compare(b"", b"") if world.output(job) is None else world.verdict(job))
    _end(world, row)
