"""How far each chunk of a job is, in ten bytes of memory for each, looked at again and again while the job runs."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from enum import IntEnum

from triptych.jobs.pack_log import PackState, Position, stream_changed
from triptych.jobs.plan import Plan, PlannedPack, PlanRef
from triptych.jobs.workspace import Workspace

MOST_TRIES = 255
"""That are counted of a chunk."""


class Cell(IntEnum):
    """How far a chunk is, as a map has it; the words are `CELLS`."""

    WAITING = 0
    FAILED = 1
    DONE = 2
    CACHED = 3
    RETRIED = 4
    """Done, by another than its first try."""


class ChunkMap:
    """One job's chunks under one plan: state, seconds of the last try, and tries of each, by number."""

    def __init__(self, workspace: Workspace, ref: PlanRef, plan: Plan) -> None:
        self.ref = ref
        self.plan = plan
        self.cells = bytearray(plan.chunks)
        """`Cell`s."""
        self.seconds = array("f", bytes(4 * plan.chunks))
        self.tries = bytearray(plan.chunks)
        self._workspace = workspace
        # Before its first entry nothing of a pack is known, and nothing has to be read for that.
        self._known = {pack: Position(plan.generation, 0) for pack in plan.packs}

    @property
    def version(self) -> str:
        """Another one whenever a look saw something new; the same wherever the same was seen."""
        at = [position for position in self._known.values() if position.number]
        return f"{self.ref.generation}.{sum(each.generation for each in at)}.{sum(each.number for each in at)}"

    def look(self) -> None:
        """Bring it up to date: a listing, and an object for each pack that has changed since the last look."""
        for pack, position, state in stream_changed(self._workspace, self.plan, self._known):
            self._see(pack, state)
            self._known[pack] = position

    def counts(self) -> Counts:
        """Over all chunks."""
        cells = {cell: self.cells.count(cell) for cell in Cell}
        done = cells[Cell.DONE] + cells[Cell.CACHED] + cells[Cell.RETRIED]
        return Counts(done, cells[Cell.FAILED], cells[Cell.WAITING], cells[Cell.CACHED], sum(self.tries))

    def _see(self, pack: PlannedPack, state: PackState) -> None:
        for number in range(pack.first, pack.first + pack.count):
            self.cells[number] = self.tries[number] = 0
            self.seconds[number] = 0.0
        for tried in state.failures:
            self.cells[tried.chunk] = Cell.FAILED
            self.tries[tried.chunk] = min(MOST_TRIES, self.tries[tried.chunk] + 1)
            self.seconds[tried.chunk] = max(0.0, tried.seconds)
        for number, tried in state.done.items():
            has_failed = self.tries[number] > 0
            self.cells[number] = Cell.CACHED if tried.cache == "hit" else Cell.RETRIED if has_failed else Cell.DONE
            self.tries[number] = min(MOST_TRIES, self.tries[number] + 1)
            self.seconds[number] = max(0.0, tried.seconds)


@dataclass(frozen=True)
class Counts:
    """Chunks by state; `cached` of those that are done; all tries."""

    done: int
    failed: int
    waiting: int
    cached: int
    tries: int
