"""How chunks are grouped into mapped task instances."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import ceil
from typing import TypedDict

FEW_CHUNKS = 16
"""Up to here `auto` gives each chunk a task of its own, so that the grid shows each, unless tasks would cost more."""
MOST_TASKS = 1000
"""`core.max_map_length` is 1024 unless an operator raised it."""
SHORTEST_S, LONGEST_S = 60.0, 300.0
"""Of one task, where there is so much to do: its own cost is lost in a minute; in five others can take its place."""
TASKS_PER_SLOT = 4
"""Of a job that is long enough: a slot that is done early takes another task, while the slow ones end."""
TASK_COST_S = 1.0
"""What a task costs by itself: none is made for less."""
GUESSED_CHUNK_S, GUESSED_BYTES_PER_S = 1.0, 8 << 20
"""How long a chunk takes of an app that nobody has seen run."""


class Pack(TypedDict):
    """`count` consecutive chunks from number `first`, of all the job's `chunks`; also what its task gets by XCom."""

    first: int
    count: int
    chunks: int


def packs(chunks: int, per_task: int, most_tasks: int = MOST_TASKS) -> list[Pack]:
    """Cover chunks 0..chunks-1 in order, sizes differing by one at most, in at most `most_tasks` packs."""
    if chunks == 0:
        return []
    tasks = min(-(-chunks // per_task), most_tasks, MOST_TASKS, chunks)
    return _between([chunks * i // tasks for i in range(tasks + 1)])


def packs_by_seconds(
    seconds: Sequence[float], slots: int, most_tasks: int = MOST_TASKS, least_tasks: int = 1
) -> list[Pack]:
    """Cover the chunks, which take so many seconds each, in order, in packs that take about the same.

    One to five minutes, or less where `slots` tasks at once have less to do; a chunk that takes a minute or more has a
    task of its own, unless these would be more than `most_tasks`.
    """
    chunks, most, total = len(seconds), min(most_tasks, MOST_TASKS, len(seconds)), sum(seconds)
    if total <= 0:
        return packs(chunks, -(-chunks // max(1, least_tasks)) or 1, most_tasks)
    aim_s = min(max(total / (TASKS_PER_SLOT * slots), SHORTEST_S), LONGEST_S)
    wanted = slots * ceil(total / aim_s / slots)
    tasks = min(max(min(wanted, ceil(total / TASK_COST_S)), least_tasks), most)
    return _placed(seconds, seconds, tasks, most)


def packs_of_few(seconds: Sequence[float], most_tasks: int = MOST_TASKS) -> list[Pack]:
    """Cover few chunks, which take so many seconds each, in order: a task each, but for those worth less than it costs.

    No two that take as long as a task costs share one, unless there would be more than `most_tasks`.
    """
    worth = [min(each, TASK_COST_S) for each in seconds]
    tasks, most = ceil(sum(worth)), min(most_tasks, MOST_TASKS, len(seconds))
    if not 0 < tasks <= most:
        return packs_by_seconds(seconds, len(seconds), most_tasks)
    return _placed(seconds, worth, tasks, most)


def _placed(seconds: Sequence[float], worth: Sequence[float], tasks: int, most: int) -> list[Pack]:
    """So many packs of about the same worth; chunks of a minute or more alone, unless these would be more than most."""
    chunks, ends = len(seconds), list(accumulate(worth))
    # Each chunk goes where its middle falls: so no pack is off by more than half a chunk at either end.
    place = [min(tasks - 1, int((end - each / 2) * tasks / ends[-1])) for end, each in zip(ends, worth, strict=True)]
    inner = range(1, chunks)
    cuts = [n for n in inner if place[n] != place[n - 1]]
    alone = [n for n in inner if place[n] != place[n - 1] or max(seconds[n], seconds[n - 1]) >= SHORTEST_S]
    return _between([0, *(alone if len(alone) < most else cuts), chunks])


def guessed_seconds(size: int) -> float:
    """How long a chunk of so many bytes may take."""
    return GUESSED_CHUNK_S + size / GUESSED_BYTES_PER_S


def _between(bounds: Sequence[int]) -> list[Pack]:
    return [Pack(first=a, count=b - a, chunks=bounds[-1]) for a, b in pairwise(bounds)]
