"""Jobs held in a stage while components are killed under them, until each has been hit as often as asked."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.hits import HITS, IN_CONTAINERS
from tests.faults.judge import Row
from tests.faults.world import Job, World
from triptych.airflow.rest import poll

ROUND_S = 1200.0
OVER_EVERY = 20
"""Polls between two questions to Airflow whether a stage is over: the gate's log costs nothing, a request does."""
_nap = threading.Event().wait


@dataclass
class Cell:
    """One component in one stage, to be hit `wanted` times; `at_once` jobs are held for it."""

    component: str
    stage: str
    wanted: int
    at_once: int
    row: Row
    active: list[Job] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    hits: dict[str, int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        return self.row.hit >= self.wanted

    def launch(self, world: World) -> None:
        """One more job that is held in the stage."""
        in_container = self.component in IN_CONTAINERS and self.stage != "app"
        job = world.launch("boxed" if in_container else "held", self.stage, chunks=4)
        self.jobs.append(job)
        self.active.append(job)
        self.hits[job.run_id] = self.seen[job.run_id] = 0

    def let_go(self, world: World) -> None:
        """Its jobs may end."""
        for job in self.jobs:
            world.open(job)

    def hit(self, world: World, job: Job, chance: random.Random) -> None:
        """Kill now, or a moment after the job was let go: that finds it between chunks, or committing."""
        lets_go, ended = chance.random() < 0.5, len(world.ended(job))
        if lets_go:
            world.open(job)
            _nap(chance.random() * 0.5)
        self.seen[job.run_id] = len(world.arrived(job))
        self.row.tried += 1
        count = HITS[self.component](world, job)
        self.count(world, job, count, self.state(world, job, ended, lets_go=lets_go))
        if lets_go:
            world.shut(job.dag_id, job.stage, job.gate)

    def state(self, world: World, job: Job, ended_before: int, *, lets_go: bool) -> str:
        """Where the job was when it was hit, as far as it shows from outside."""
        if not lets_go:
            return "chunk open" if job.stage == "app" else "in the middle"
        if job.stage == "app":
            return "let go, chunk open" if len(world.ended(job)) == ended_before else "between chunks or committing"
        return "let go, finishing"

    def count(self, world: World, job: Job, hits: int, state: str) -> None:
        """So many were really hit."""
        self.hits[job.run_id] += hits
        self.row.hit += hits
        self.row.states[state if hits else "missed: it had ended"] += hits or 1


def hit_all(world: World, cells: Sequence[Cell], chance: random.Random) -> None:
    """Components that a job has for itself, several cells side by side; then let all end, and judge."""
    for cell in cells:
        for _ in range(cell.at_once):
            cell.launch(world)
    polls = itertools.count(1)

    def step() -> bool:
        asks = next(polls) % OVER_EVERY == 0
        undone = [cell for cell in cells if not _step(world, cell, chance, asks=asks)]
        return not undone

    try:
        poll(step, ROUND_S, 0.25)
    finally:
        for cell in cells:
            cell.let_go(world)
    judge(world, cells)


def _step(world: World, cell: Cell, chance: random.Random, *, asks: bool) -> bool:
    """Hit who is new at a gate, and replace who is past it; whether the cell is done."""
    for job in list(cell.active):
        if cell.is_done:
            cell.let_go(world)
            return True
        if len(world.arrived(job)) > cell.seen[job.run_id]:
            cell.hit(world, job, chance)
        elif asks and cell.seen[job.run_id] and world.is_past(job):
            cell.active.remove(job)
            cell.launch(world)
    return cell.is_done


def hit_shared(world: World, component: str, cells: Sequence[Cell], chance: random.Random) -> None:
    """What all jobs stand on: each kill hits one job of each stage at once."""
    for cell in cells:
        cell.launch(world)
    try:
        while not all(cell.is_done for cell in cells):
            world.wait_until_healthy()
            _hit_once(world, component, [(cell, _held(world, cell)) for cell in cells], chance)
    finally:
        for cell in cells:
            cell.let_go(world)
    world.wait_until_healthy()
    judge(world, cells)


def _hit_once(world: World, component: str, held: Sequence[tuple[Cell, Job]], chance: random.Random) -> None:
    free = [chance.random() < 0.5 for _ in held]
    before = [len(world.ended(job)) for _, job in held]
    for (_, job), goes in zip(held, free, strict=True):
        if goes:
            world.open(job)
    _nap(chance.random() * 0.5)
    states = []
    for (cell, job), goes, ended in zip(held, free, before, strict=True):
        states.append(cell.state(world, job, ended, lets_go=goes))
        cell.seen[job.run_id] = len(world.arrived(job))
        cell.row.tried += 1
    hits = HITS[component](world, held[0][1])
    for (cell, job), state in zip(held, states, strict=True):
        cell.count(world, job, hits, state)
        world.shut(job.dag_id, job.stage, job.gate)


def _held(world: World, cell: Cell) -> Job:
    """The cell's job, once it is at its gate; another where that one is past it."""
    fresh = 0 if cell.component not in IN_CONTAINERS else None

    def is_held() -> bool:
        job = cell.active[0]
        least = cell.seen[job.run_id] if fresh is None else fresh
        if len(world.arrived(job)) > least and world.instances(job, job.stage):
            return True
        if world.arrived(job) and world.is_past(job):
            cell.active.remove(job)
            cell.launch(world)
        return False

    world.wait(is_held, f"a job at its gate in {cell.stage}", 300)
    return cell.active[0]


def judge(world: World, cells: Sequence[Cell]) -> None:
    """Wait for every job's end, and compare."""
    for cell in cells:
        if not cell.is_done:
            cell.row.notes.append(f"hit {cell.row.hit} of {cell.wanted} times")
        for job in cell.jobs:
            state, said = world.finish(job)
            if state != "success":
                cell.row.notes.append(f"{job.dag_id} {job.run_id} {state}: {said}")
            cell.row.add_job(cell.hits[job.run_id], world.verdict(job))


def after_the_next_job(world: World, rows: Sequence[Row]) -> None:
    """Run a small job, then see what lies around, told in the first row; what goes by itself has a while."""
    job = world.launch("held", chunks=2)
    state, said = world.finish(job)
    if state != "success" or not world.verdict(job).right:
        rows[0].notes.append(f"the next job {job.run_id}: {state}, {world.verdict(job)}, {said}")
    left: list[str] = []

    def nothing_left() -> bool:
        left[:] = world.left_behind()
        return not left

    if not poll(nothing_left, 30, 1.0):
        rows[0].left += left
