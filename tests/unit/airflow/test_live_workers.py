"""What is told of workers that answer, Celery's and edge ones, and where none can be asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from celery import Celery  # type: ignore[import-untyped]  # It has no types.

from tests.support.include_folders import write_app
from triptych.airflow.checkup import celery_workers
from triptych.airflow.checkup.celery_workers import CELERY
from triptych.airflow.checkup.edge_workers import EDGE
from triptych.airflow.checkup.live_workers import Kind, LiveWorker, judged
from triptych.airflow.checkup.workers import check_workers
from triptych.blocks import Catalog, read_catalog
from triptych.checkup import Finding, Standing
from triptych.settings import Settings, get_settings

PARTS = {"partitioner": "passthrough", "assembler": "passthrough"}
CLASSES = {
    "small": {"cores": 4, "memory_gib": 16},
    "large": {"cores": 64, "memory_gib": 512, "queue": "far", "pool": "larges"},
}
NEAR, FAR = LiveWorker("celery@near", 4, frozenset({"default"})), LiveWorker("celery@far", 8, frozenset({"far"}))


@pytest.fixture
def catalog(include: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """An app for each of two classes, of which the larger has a queue and a pool of its own; executor: Celery's."""
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__CLASSES", json.dumps(CLASSES))
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    get_settings.cache_clear()
    write_app(include, "", name="plain", template=PARTS)
    write_app(include, "", name="asking", manifest={"device_requirements": {"min_cpu": 8}}, template=PARTS)
    return read_catalog([include])


@pytest.fixture
def settings(catalog: Catalog) -> Settings:
    return get_settings()


def _told(found: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(each.said, each.remedy) for each in found if each.standing is not Standing.OK]


def test_workers_of_all_queues_are_well(settings: Settings, catalog: Catalog) -> None:
    (told,) = judged([NEAR, FAR], CELERY, settings, catalog, {"gpus": 4, "larges": 8})
    assert told == Finding(
        "workers",
        Standing.OK,
        "2 Celery worker(s) answer, which run 12 task(s) at once: celery@near (4; default), celery@far (8; far).",
    )


@pytest.mark.parametrize(
    ("live", "said", "remedy"),
    [
        (
            [NEAR],
            "[triptych] classes.large: no worker that answers takes tasks of the queue 'far'.",
            "Start one: airflow celery worker --queues far",
        ),
        (
            [FAR],
            "[operators] default_queue: no worker that answers takes tasks of the queue 'default'.",
            "Start one: airflow celery worker --queues default",
        ),
    ],
)
def test_a_queue_that_nobody_takes_from_is_told(
    settings: Settings, catalog: Catalog, live: list[LiveWorker], said: str, remedy: str
) -> None:
    assert _told(list(judged(live, CELERY, settings, catalog, {}))) == [(said, remedy)]


def test_where_no_worker_answers_that_is_told_and_each_queue(settings: Settings, catalog: Catalog) -> None:
    told = [said for said, _ in _told(list(judged([], CELERY, settings, catalog, {"gpus": 1, "larges": 1})))]
    assert told[0] == "No Celery worker answers."
    assert [said.rpartition(" ")[2] for said in told[1:]] == ["'default'.", "'far'."]


@pytest.mark.parametrize(("larges", "is_narrow"), [(7, True), (8, False), (-1, False)])
def test_a_pool_is_held_against_the_workers_of_its_own_queue(
    settings: Settings, catalog: Catalog, larges: int, is_narrow: bool
) -> None:
    found = _told(list(judged([NEAR, FAR], CELERY, settings, catalog, {"gpus": 4, "larges": larges})))
    said = "The pool 'larges' has 7 slots, and workers of its queue run 8 tasks at once."
    assert [told for told, _ in found] == ([said] if is_narrow else [])


def test_more_slots_than_airflow_fills_are_told(
    settings: Settings, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "11")
    ((said, remedy),) = _told(list(judged([NEAR, FAR], CELERY, settings, catalog, {})))
    assert "[core] parallelism = 11, and workers that answer run 12 task(s) at once." in said
    assert "Set it to 12" in remedy


@pytest.mark.parametrize(("kind", "cores", "is_told"), [(EDGE, 7, True), (EDGE, 8, False), (CELERY, 7, False)], ids=str)
def test_an_app_that_no_edge_worker_of_its_queue_has_the_slots_for_is_told(
    settings: Settings, catalog: Catalog, kind: Kind, cores: int, is_told: bool
) -> None:
    """Celery's count a task as one, whatever it takes of its pool."""
    live = [NEAR, LiveWorker("far-1", cores, frozenset({"far"}))]
    found = _told(list(judged(live, kind, settings, catalog, {})))
    said = "The task `asking.app` takes 8 slots of a worker, one per core, and no worker of the queue 'far' has more"
    remedy = "Start one that has the cores: airflow edge worker --queues far --concurrency 8"
    assert found == ([(f"{said} than 7.", remedy)] if is_told else [])


def test_a_worker_of_all_queues_takes_each(settings: Settings, catalog: Catalog) -> None:
    live = [LiveWorker("lab-1", 8, None)]
    (told,) = judged(live, EDGE, settings, catalog, {})
    assert told.said == "1 edge worker(s) answer, which run 8 task(s) at once: lab-1 (8; all queues)."


@pytest.mark.parametrize("executor", ["LocalExecutor", "LocalExecutor,CeleryExecutor", "LocalExecutor,EdgeExecutor"])
def test_executors_without_workers_of_their_own_ask_nobody(
    settings: Settings, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    assert list(check_workers(settings, catalog, None)) == []


@contextmanager
def _silent() -> Iterator[int]:
    """A port that takes what comes, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        kept: list[socket.socket] = []

        def take() -> None:
            with suppress(OSError):
                while True:
                    kept.append(listening.accept()[0])

        taking = threading.Thread(target=take)
        taking.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            taking.join()
            for each in kept:
                each.close()


@contextmanager
def _closed() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    yield port


@pytest.mark.parametrize(("broker", "reason"), [(_silent, "Timeout"), (_closed, "refused")])
def test_a_broker_that_does_not_answer_is_told_in_a_bounded_time(
    settings: Settings, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, broker: type, reason: str
) -> None:
    monkeypatch.setattr(celery_workers, "CONNECT_S", 0.3)
    with broker() as port:
        app = Celery("asked", broker=f"redis://:0-brokers-own@127.0.0.1:{port}/0")
        monkeypatch.setattr("airflow.providers.celery.executors.celery_executor_utils.app", app)
        (told,) = check_workers(settings, catalog, None)
    assert (told.about, told.standing) == ("workers", Standing.WRONG)
    assert told.said.startswith(f"Celery's broker, redis at 127.0.0.1:{port}, does not answer here: ")
    assert reason in told.said
    assert "0-brokers-own" not in told.said
