"""How chunks are grouped into mapped task instances."""

from __future__ import annotations

from itertools import pairwise
from typing import TypedDict

FEW_CHUNKS = 16
"""Up to here `auto` gives each chunk a task of its own, so that the grid shows each."""

CHUNKS_PER_PACK = 8
"""Beyond, a pack holds at least so many: starting a task and a container costs as much as some 8 trivial chunks."""

MOST_TASKS = 1000
"""`core.max_map_length` is 1024 unless an operator raised it."""


class Pack(TypedDict):
    """`count` consecutive chunks from number `first`, of all the job's `chunks`; also what its task gets by XCom."""

    first: int
    count: int
    chunks: int


def packs(chunks: int, per_task: int | str, most_tasks: int = MOST_TASKS) -> list[Pack]:
    """Cover chunks 0..chunks-1 in order, sizes differing by one at most, in at most `most_tasks` packs."""
    if chunks == 0:
        return []
    if per_task != "auto":
        tasks = -(-chunks // int(per_task))
    elif chunks <= FEW_CHUNKS:
        tasks = chunks
    else:
        tasks = max(FEW_CHUNKS, -(-chunks // CHUNKS_PER_PACK))
    tasks = min(tasks, most_tasks, MOST_TASKS, chunks)
    bounds = [chunks * i // tasks for i in range(tasks + 1)]
    return [Pack(first=a, count=b - a, chunks=chunks) for a, b in pairwise(bounds)]
