"""The maps of the jobs that were looked at last, so that the next look reads only what is new."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from triptych.api.outputs import workspace_of
from triptych.jobs.plan import PlanRef, read_plan
from triptych.jobs.views.chunk_map import ChunkMap

MOST_MAPS = 16
"""Of 100,000 chunks each has a megabyte."""


class ChunkMaps:
    """By job and plan; the one that was not asked for the longest goes first."""

    def __init__(self) -> None:
        self._maps: OrderedDict[tuple[str, str, str], tuple[Lock, ChunkMap]] = OrderedDict()
        self._lock = Lock()

    def looked(self, dag_id: str, run_id: str, ref: PlanRef) -> ChunkMap:
        """The map as the job's workspace has it now. Not for the thread that answers requests: it reads."""
        key = (dag_id, run_id, str(ref))
        with self._lock:
            found = self._maps.get(key)
        if found is None:
            workspace = workspace_of(dag_id, run_id)
            found = Lock(), ChunkMap(workspace, ref, read_plan(workspace, ref))
            with self._lock:
                found = self._maps.setdefault(key, found)
        with self._lock:
            self._maps.move_to_end(key)
            while len(self._maps) > MOST_MAPS:
                self._maps.popitem(last=False)
        lock, chunk_map = found
        with lock:
            chunk_map.look()
        return chunk_map
