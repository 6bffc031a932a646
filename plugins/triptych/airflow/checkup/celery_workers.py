"""Celery's workers as they answer now, beside the queues and pools by which tasks come to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow.sdk.configuration import conf

from triptych.airflow.checkup.slots import slots_of_pools
from triptych.airflow.pools import UNLIMITED
from triptych.blocks import Catalog, Role
from triptych.blocks.placement import pool_of, queues
from triptych.checkup import Finding, Standing
from triptych.settings import Settings

CONNECT_S = 5.0
"""For each step towards the broker, which are tried twice."""
ANSWER_S = 2.0
"""A worker that is at work answers within it: its main process does nothing else."""
_SHOWN = 10


@dataclass(frozen=True)
class LiveWorker:
    """One that answers: its name, how many tasks it runs at once, and the queues whose tasks it takes."""

    name: str
    slots: int
    queues: frozenset[str]


def check_workers(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    """Whether what is launched now would be taken by a worker; nothing where our tasks go to another executor."""
    if "Celery" not in str(conf.get("core", "executor", fallback="")).split(",")[0]:
        return
    try:
        from airflow.providers.celery.executors.celery_executor_utils import app
        from kombu.exceptions import KombuError
    except ModuleNotFoundError as error:
        said = f"The executor is Celery's, and {error.name} is not installed here."
        yield Finding("workers", Standing.WRONG, said, "pip install 'triptych[celery]'")
        return
    # Redis' client would wait for ever; RabbitMQ's has `broker_connection_timeout`.
    bounded = {"socket_timeout": CONNECT_S, "socket_connect_timeout": CONNECT_S, "max_retries": 1}
    with app.connection_for_write(transport_options=bounded) as broker:
        where = f"{broker.transport_cls} at {broker.hostname}:{broker.port or broker.default_port}"
        try:
            live = _asked(app, broker)
        except (KombuError, OSError, *broker.connection_errors, *broker.channel_errors) as error:
            said = f"Celery's broker, {where}, does not answer here: {str(error).rstrip('.')}."
            yield Finding("workers", Standing.WRONG, said, "Start it, or correct [celery] broker_url.")
            return
    yield from judged(live, settings, catalog, slots_of_pools(settings, catalog) or {})


def _asked(app: Any, broker: Any) -> list[LiveWorker]:
    """Those that answer within twice ANSWER_S, by name."""
    broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    asking = app.control.inspect(timeout=ANSWER_S, connection=broker)
    listening = asking.active_queues() or {}
    told = asking.stats() if listening else {}
    return [
        LiveWorker(name, _slots((told or {}).get(name, {})), frozenset(each["name"] for each in listening[name]))
        for name in sorted(listening)
    ]


def _slots(told: Mapping[str, Any]) -> int:
    """Most tasks at once; 0 of a worker that was asked twice and answered once."""
    return int((told.get("pool") or {}).get("max-concurrency") or 0)


def judged(
    live: Sequence[LiveWorker], settings: Settings, catalog: Catalog, pools: Mapping[str, int]
) -> Iterator[Finding]:
    """What follows from them; `pools` are the slots of those that could be read."""
    slots = sum(worker.slots for worker in live)
    if live:
        shown = [f"{each.name} ({each.slots}; {', '.join(sorted(each.queues))})" for each in live[:_SHOWN]]
        more = f" and {len(live) - _SHOWN} more" if live[_SHOWN:] else ""
        said = f"{len(live)} Celery worker(s) answer, which run {slots} task(s) at once: {', '.join(shown)}{more}."
        yield Finding("workers", Standing.OK, said)
    else:
        yield Finding("workers", Standing.WARNING, "No Celery worker answers.", "Start one: airflow celery worker.")
    yield from _unheard(live, settings, catalog)
    parallelism = conf.getint("core", "parallelism", fallback=32)
    if 0 < parallelism < slots:
        said = f"[core] parallelism = {parallelism}, and workers that answer run {slots} task(s) at once."
        yield Finding("workers", Standing.WARNING, said, f"Set it to {slots}, or a few more.")
    yield from _narrow(live, settings, catalog, pools)


def _unheard(live: Sequence[LiveWorker], settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    """Queues that tasks are sent to and nobody takes them from: these stay `queued` for ever."""
    wanted = {each.queue: f"[triptych] classes.{each.name}" for each in settings.classes if each.queue}
    for template in catalog.templates:
        if len(queues(template, settings.classes)) < len(Role):
            wanted.setdefault(_default_queue(), "[operators] default_queue")
    heard = frozenset[str]().union(*(worker.queues for worker in live))
    for queue in sorted(set(wanted) - heard):
        said = f"{wanted[queue]}: no worker that answers takes tasks of the queue {queue!r}."
        yield Finding("queues", Standing.WARNING, said, f"Start one: airflow celery worker --queues {queue}")


def _narrow(
    live: Sequence[LiveWorker], settings: Settings, catalog: Catalog, pools: Mapping[str, int]
) -> Iterator[Finding]:
    """Pools that let fewer apps in than the workers of their queues run: a task takes one slot at least."""
    by_pool: dict[str, set[str]] = {}
    for template in catalog.templates:
        queue = queues(template, settings.classes).get(Role.APP) or _default_queue()
        by_pool.setdefault(pool_of(template, settings.classes, settings.pool), set()).add(queue)
    for pool, names in sorted(by_pool.items()):
        running = sum(worker.slots for worker in live if worker.queues & names)
        if UNLIMITED != pools.get(pool, UNLIMITED) < running:
            said = f"The pool {pool!r} has {pools[pool]} slots, and workers of its queue run {running} tasks at once."
            remedy = f"airflow pools set {pool} {running} 'cores for apps', where they have so many cores."
            yield Finding("queues", Standing.WARNING, said, remedy)


def _default_queue() -> str:
    return str(conf.get("operators", "default_queue", fallback="default"))
