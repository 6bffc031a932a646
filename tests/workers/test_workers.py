"""Jobs on Celery workers that share no disk and have no include folder, through what happens to workers.

Whatever is done to a worker is done when it has done a chunk, as the records say, and has another one open.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command_line import command_line
from tests.support.judged import findings
from tests.support.workers.blocks import APP, CLASSES, LARGE, LARGE_APP, output_of, source_of
from tests.support.workers.cluster import SLOTS, Cluster, Job
from tests.support.workers.losses import CUTS, KILLS, Losses
from tests.support.workers.machine import DISK, SHARED, Machine
from triptych import __version__

pytestmark = [pytest.mark.airflow, pytest.mark.docker, pytest.mark.workers, pytest.mark.timeout(5400)]


def _by(cluster: Cluster, job: Job, chunks: list[int]) -> set[str]:
    """Whose results of these chunks count."""
    return {tried["worker"] for tried in cluster.done(job) if tried["chunk"] in chunks}


@pytest.fixture(scope="module")
def undisturbed_s(cluster: Cluster) -> float:
    """Seconds of a job of the kind that is hit, when nothing happens to it."""
    job = cluster.launch(chunks=24, per_task=6, seconds=1)
    cluster.finish(job)
    cluster.check(job)
    return cluster.took_s(job)


def test_two_workers_make_what_the_command_line_makes(cluster: Cluster, tmp_path: Path) -> None:
    job = cluster.launch(chunks=32, per_task=4, seconds=0.5)
    cluster.finish(job)
    cluster.check(job)
    assert set(cluster.workers(job)) == {"w1.workers", "w2.workers"}
    hosts = {each["map_index"]: each["hostname"] for each in cluster.airflow.client.tasks(APP, job.run_id)}
    assert {tried["chunk"]: tried["worker"] for tried in cluster.done(job)} == {
        chunk: hosts[chunk // job.per_task] for chunk in range(len(job.lines))
    }
    # From the store: nobody can ask the machines.
    log = cluster.airflow.client.log(APP, job.run_id, "app", 7, 1)
    assert "Chunks 28 to 31: 4 done" in log
    assert f"Worker: {hosts[7]}" in log
    assert _by_command_line(cluster, job, tmp_path) == cluster.output(job)


def _by_command_line(cluster: Cluster, job: Job, folder: Path) -> bytes:
    """The same job on one machine, by `triptych run`."""
    (folder / "in.txt").write_bytes(source_of(job.lines))
    env = {
        "AIRFLOW__TRIPTYCH__WORKSPACE": (folder / "workspace").as_uri(),
        "AIRFLOW__TRIPTYCH__SCRATCH": str(folder / "scratch"),
        "TRIPTYCH_INCLUDE": str(cluster.folder / "bundle" / "include"),
    }
    with command_line(env, folder) as triptych:
        where = ("--source", str(folder / "in.txt"), "--destination", str(folder / "out"))
        ended = triptych("run", APP, "--quiet", "--runner", "process", *where, "-p", "app.seconds=0")
    assert not ended.code, ended.text
    [output] = [path for path in (folder / "out").rglob("*") if path.is_file() and "_triptych" not in path.parts]
    return output.read_bytes()


def test_what_asks_for_a_larger_machine_comes_to_the_worker_of_its_queue(cluster: Cluster) -> None:
    """The other has as many free slots, and gets none of it."""
    job = cluster.launch(chunks=8, per_task=2, seconds=0.2, app=LARGE_APP)
    cluster.finish(job)
    cluster.check(job)
    assert set(cluster.workers(job)) == {"w2.workers"}
    queues = {each["task_id"]: each["queue"] for each in cluster.airflow.client.tasks(LARGE_APP, job.run_id)}
    assert queues == {"partition": "default", "app": LARGE, "assemble": "default"}


def test_a_folder_that_no_other_worker_has_seen_is_refused_before_data_moves(cluster: Cluster) -> None:
    """The setting says that all workers see it; each has one of its own there."""
    job = cluster.launch(chunks=2, per_task=1, seconds=0.1, destination={"uri": f"file://{DISK}/data/out/"})
    assert cluster.airflow.client.wait_for_run(APP, job.run_id, 120) == "failed"
    [partition] = [each for each in cluster.airflow.client.tasks(APP, job.run_id) if each["task_id"] == "partition"]
    worker = partition["hostname"]
    assert partition["try_number"] == 1
    log = cluster.airflow.client.log(APP, job.run_id, "partition", -1, 1)
    assert f"no other machine than {worker.partition('.')[0]} has been seen there" in log
    assert f"Worker: {worker}" in log
    assert cluster.keys(job.root) == [f"{job.root}probe"]


def test_a_folder_that_the_workers_share_takes_an_output_once_each_has_been_seen_there(cluster: Cluster) -> None:
    for machine in cluster.machines.values():
        machine.triptych("doctor")
    job = cluster.launch(chunks=16, per_task=2, seconds=0.2, destination={"uri": f"file://{SHARED}/out/"})
    cluster.finish(job)
    assert set(cluster.workers(job)) == {"w1.workers", "w2.workers"}
    found = [path for path in (cluster.machines["w1"].shared / "out").rglob("*") if path.is_file()]
    [output] = [path for path in found if "_triptych" not in path.parts]
    assert output.read_bytes() == output_of(job.lines)


def test_the_doctor_tells_which_workers_take_tasks(cluster: Cluster) -> None:
    """Asked where the scheduler runs, of a class more than there is."""
    far = {**CLASSES, "far": {"cores": 64, "memory_gib": 512, "queue": "far"}}
    env = {**cluster.airflow.env, "AIRFLOW__TRIPTYCH__CLASSES": json.dumps(far)}
    _, found = findings(env, "--include", str(cluster.folder / "bundle" / "include"))
    told = {each["about"]: each for each in found}
    assert told["workers"]["standing"] == "ok", told["workers"]
    named = f"celery@w1 ({SLOTS}; default), celery@w2 ({SLOTS}; default, {LARGE})."
    assert named in told["workers"]["said"]
    queues = [each["said"] for each in found if each["about"] == "queues"]
    assert queues == ["[triptych] classes.far: no worker that answers takes tasks of the queue 'far'."]


def test_a_worker_whose_network_is_cut_comes_back_too_late(
    cluster: Cluster, losses: Losses, undisturbed_s: float
) -> None:
    w2 = cluster.machines["w2"]
    for _ in range(CUTS):
        job = cluster.launch(chunks=24, per_task=6, seconds=1, held=w2)
        cluster.wait_until_held(job, w2)
        w2.cut()
        cut_off = w2.open_chunks(job.run_id)
        assert cut_off
        cluster.finish(job)
        assert cluster.output(job) == output_of(job.lines)
        assert _by(cluster, job, cut_off) == {"w1.workers"}
        w2.let_go()
        w2.mend()
        cluster.check(job)
        assert _by(cluster, job, cut_off) == {"w1.workers"}
        losses.add("network cut, chunk open", cluster.took_s(job) - undisturbed_s)


def test_a_worker_that_dies_in_the_middle_of_a_chunk_loses_that_chunk_alone(
    cluster: Cluster, losses: Losses, undisturbed_s: float
) -> None:
    other, victim = cluster.machines["w2"], cluster.machines["w1"]
    for number in range(KILLS):
        if number:
            victim = cluster.add(f"k{number}")
            victim.wait_until_ready()
        job = cluster.launch(chunks=24, per_task=6, seconds=1, held=victim)
        cluster.wait_until_held(job, victim)
        kept = {tried["chunk"]: tried["attempt"] for tried in cluster.done(job)}
        victim.kill()
        lost = victim.open_chunks(job.run_id)
        assert lost, "it died between two chunks"
        cluster.finish(job)
        cluster.check(job)
        assert _by(cluster, job, lost) == {other.told_as}
        assert kept.items() <= {tried["chunk"]: tried["attempt"] for tried in cluster.done(job)}.items()
        losses.add("killed, chunk open", cluster.took_s(job) - undisturbed_s)


def test_one_is_drained_while_two_of_one_host_name_are_added(cluster: Cluster) -> None:
    w2 = cluster.machines["w2"]
    job = cluster.launch(chunks=48, per_task=4, seconds=1, held=w2)
    cluster.wait_until_held(job, w2)
    twins = [cluster.add(name, host="twin") for name in ("w3", "w4")]
    cluster.wait(lambda: all(each.ended_chunks(job.run_id) for each in twins), "both new ones at work")
    w2.drain()
    w2.let_go()
    cluster.finish(job)
    cluster.wait(lambda: not w2.is_on, "the drained one ends by itself")
    cluster.check(job)
    assert set(cluster.workers(job)) == {"w2.workers", "twin.workers"}
    _check_nothing_ran_twice(job, [w2, *twins])


def test_a_worker_that_dies_before_it_tells_of_a_task_costs_no_try(cluster: Cluster) -> None:
    w4 = cluster.machines["w4"]
    before = w4.taken
    w4.deafen()
    job = cluster.launch(chunks=16, per_task=2, seconds=1)
    cluster.wait(lambda: w4.taken > before, "it takes a task")
    w4.kill()
    cluster.finish(job)
    cluster.check(job)
    assert cluster.events(job, "stuck in queued reschedule")
    assert {each["try_number"] for each in cluster.airflow.client.tasks(APP, job.run_id)} == {1}


def test_of_two_versions_at_once_each_job_is_done_by_its_own(cluster: Cluster) -> None:
    """As while workers are upgraded one after the other: a patch version helps, another minor one leaves it to them."""
    major, minor, patch = (int(each) for each in __version__.split(".")[:3])
    w3 = cluster.machines["w3"]
    job = cluster.launch(chunks=24, per_task=2, seconds=1, held=w3)
    cluster.wait_until_held(job, w3)
    newer = cluster.add("newer", version=f"{major}.{minor + 1}.0")
    cluster.wait(lambda: newer.taken > SLOTS, "one of another version is done with a task")
    patched = cluster.add("patched", version=f"{major}.{minor}.{patch + 1}")
    cluster.wait(lambda: bool(patched.ended_chunks(job.run_id)), "one of the same minor version does a chunk")
    w3.let_go()
    cluster.finish(job)
    cluster.check(job)
    assert set(cluster.workers(job)) == {w3.told_as, patched.told_as}
    assert not newer.ended_chunks(job.run_id)
    client = cluster.airflow.client
    tasks = client.tasks(APP, job.run_id)
    assert {each["try_number"] for each in tasks} == {1}
    logs = [client.log(APP, job.run_id, "app", each["map_index"], 1) for each in tasks if each["task_id"] == "app"]
    refusal = f"This is Triptych {major}.{minor + 1}, and the job was planned by {major}.{minor}."
    assert any(refusal in log for log in logs)


def _check_nothing_ran_twice(job: Job, machines: list[Machine]) -> None:
    """Nobody was lost: each chunk ran once, on one of these."""
    ran = [number for machine in machines for number in machine.ended_chunks(job.run_id)]
    assert sorted(ran) == list(range(len(job.lines)))
