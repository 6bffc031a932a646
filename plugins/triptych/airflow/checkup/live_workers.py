"""Workers that take tasks now, beside the queues and pools by which tasks come to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from airflow.sdk.configuration import conf

from triptych.airflow.pools import UNLIMITED
from triptych.blocks import Catalog, Role, Template
from triptych.blocks.placement import pool_of, queues, slots_per_task
from triptych.checkup import Finding, Standing
from triptych.settings import Settings
from triptych.stages import Stage

_SHOWN = 10


class NotAskedError(Exception):
    """Why nobody knows of the workers here, as a finding."""

    def __init__(self, standing: Standing, said: str, remedy: str) -> None:
        super().__init__(said)
        self.finding = Finding("workers", standing, said, remedy)


@dataclass(frozen=True)
class Kind:
    """What its workers are called, what starts one, and whether a task takes as many of its slots as of its pool."""

    name: str
    command: str
    counts_slots: bool = False


@dataclass(frozen=True)
class LiveWorker:
    """One that answers: its name, how many tasks it runs at once, and the queues whose tasks it takes; None is all."""

    name: str
    slots: int
    queues: frozenset[str] | None

    def takes(self, names: Set[str]) -> bool:
        """Whether tasks of one of these queues come to it."""
        return self.queues is None or bool(self.queues & names)

    def __str__(self) -> str:
        return f"{self.name} ({self.slots}; {'all queues' if self.queues is None else ', '.join(sorted(self.queues))})"


def judged(
    live: Sequence[LiveWorker], kind: Kind, settings: Settings, catalog: Catalog, pools: Mapping[str, int]
) -> Iterator[Finding]:
    """What follows from them; `pools` are the slots of those that could be read."""
    slots = sum(worker.slots for worker in live)
    if live:
        more = f" and {len(live) - _SHOWN} more" if live[_SHOWN:] else ""
        said = f"{len(live)} {kind.name} worker(s) answer, which run {slots} task(s) at once: "
        yield Finding("workers", Standing.OK, f"{said}{', '.join(map(str, live[:_SHOWN]))}{more}.")
    else:
        yield Finding("workers", Standing.WARNING, f"No {kind.name} worker answers.", f"Start one: {kind.command}.")
    yield from _unheard(live, kind, settings, catalog)
    parallelism = conf.getint("core", "parallelism", fallback=32)
    if 0 < parallelism < slots:
        said = f"[core] parallelism = {parallelism}, and workers that answer run {slots} task(s) at once."
        yield Finding("workers", Standing.WARNING, said, f"Set it to {slots}, or a few more.")
    yield from _narrow(live, settings, catalog, pools)
    if kind.counts_slots:
        yield from _too_large(live, kind, settings, catalog)


def _unheard(live: Sequence[LiveWorker], kind: Kind, settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    """Queues that tasks are sent to and nobody takes them from: these stay `queued` for ever."""
    wanted = {each.queue: f"[triptych] classes.{each.name}" for each in settings.classes if each.queue}
    for template in catalog.templates:
        if len(queues(template, settings.classes)) < len(Role):
            wanted.setdefault(_default_queue(), "[operators] default_queue")
    for queue in sorted(wanted):
        if not any(worker.takes({queue}) for worker in live):
            said = f"{wanted[queue]}: no worker that answers takes tasks of the queue {queue!r}."
            yield Finding("queues", Standing.WARNING, said, f"Start one: {kind.command} --queues {queue}")


def _narrow(
    live: Sequence[LiveWorker], settings: Settings, catalog: Catalog, pools: Mapping[str, int]
) -> Iterator[Finding]:
    """Pools that let fewer apps in than the workers of their queues run: a task takes one slot at least."""
    by_pool: dict[str, set[str]] = {}
    for template in catalog.templates:
        by_pool.setdefault(pool_of(template, settings.classes, settings.pool), set()).add(_queue(template, settings))
    for pool, names in sorted(by_pool.items()):
        running = sum(worker.slots for worker in live if worker.takes(names))
        if UNLIMITED != pools.get(pool, UNLIMITED) < running:
            said = f"The pool {pool!r} has {pools[pool]} slots, and workers of its queue run {running} tasks at once."
            remedy = f"airflow pools set {pool} {running} 'cores for apps', where they have so many cores."
            yield Finding("queues", Standing.WARNING, said, remedy)


def _too_large(live: Sequence[LiveWorker], kind: Kind, settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    """Apps that take more slots than any worker of their queue has: their tasks stay `queued` for ever."""
    for template in catalog.templates:
        queue = _queue(template, settings)
        largest = max((worker.slots for worker in live if worker.takes({queue})), default=0)
        wanted = slots_per_task(template.app, settings.classes)
        if 0 < largest < wanted:
            said = (
                f"The task `{template.id}.{Stage.APP}` takes {wanted} slots of a worker, one per core, and no worker "
                f"of the queue {queue!r} has more than {largest}."
            )
            remedy = f"Start one that has the cores: {kind.command} --queues {queue} --concurrency {wanted}"
            yield Finding("queues", Standing.WARNING, said, remedy)


def _queue(template: Template, settings: Settings) -> str:
    """That the tasks of its app go to."""
    return queues(template, settings.classes).get(Role.APP) or _default_queue()


def _default_queue() -> str:
    return str(conf.get("operators", "default_queue", fallback="default"))
