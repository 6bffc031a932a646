"""The tries as bars on slots, as many as a page can hold; and how much ran, and ended, as time went by."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from triptych.reports.lanes import Axis, Gap, Slots, by_worker, shares
from triptych.reports.reading import Ending, Tally

MOST_BARS = 120_000
"""Beyond, neighbours on a slot are one bar: a page of more megabytes opens slowly, and no screen shows them."""
MOST_WORKERS = 200
"""Of more, as where each chunk has a pod of its own, slots are told without them."""
MOST_BUCKETS, FEWEST_BUCKETS, TRIES_OF_BUCKET = 120, 12, 5
"""Of the job's time; fewer for fewer tries, as a chart of single ones tells nothing."""
MS = 1000


@dataclass(frozen=True)
class Slot:
    """A row of the timeline: what one worker did at one time; `worker` is empty where too many are there."""

    worker: str
    number: int
    """Among those of its worker, from 0."""


@dataclass(frozen=True)
class Bars:
    """One bar at each index, by slot and begin: tries at `chunk` (the first of `tries`), in milliseconds as shown."""

    slot: Sequence[int]
    chunk: Sequence[int]
    begin_ms: Sequence[int]
    length_ms: Sequence[int]
    ending: Sequence[int]
    """0 done, 1 taken from the cache, 2 failed and tried again with a result, 3 failed: the worst of its tries."""
    tries: Sequence[int]


@dataclass(frozen=True)
class Timeline:
    """`origin` is the begin of the first try, since the epoch; times on the axis leave out the gaps."""

    origin: float
    length_seconds: float
    gaps: tuple[Gap, ...]
    slots: tuple[Slot, ...]
    bars: Bars
    bucket_seconds: float
    running: tuple[float, ...]
    """Of each bucket, how many tries ran in it on average."""
    done: tuple[int, ...]
    """Of each bucket, how many chunks had their result in it."""


def timeline_of(tally: Tally, axis: Axis, order: Sequence[int], ends: Sequence[float]) -> Timeline:
    """`order` are the indices of the tries by begin; `ends` where each ended on the axis."""
    slots = Slots()
    has_workers = len(tally.workers) <= MOST_WORKERS
    row = array("L", bytes(array("L").itemsize * tally.tries))
    for index in order:
        begin, worker = tally.begin[index], tally.worker[index] if has_workers else 0
        row[index] = slots.place(worker, tally.attempt[index], begin, begin + tally.seconds[index])
    names = list(tally.workers) if has_workers else [""]
    rank = {
        worker: place for place, worker in enumerate(sorted(range(len(names)), key=lambda at: _by_number(names[at])))
    }
    rows = by_worker([rank[worker] for worker in slots.workers])
    for index in order:
        row[index] = rows[row[index]]
    buckets = min(MOST_BUCKETS, max(FEWEST_BUCKETS, tally.tries // TRIES_OF_BUCKET))
    width = axis.length_s / buckets
    running, done = [0.0] * buckets, [0] * buckets
    if width > 0:
        for index in order:
            end = ends[index]
            for bucket, seconds in shares(max(0.0, end - tally.seconds[index]), end, width, buckets):
                running[bucket] += seconds / width
            if tally.ending[index] <= Ending.CACHED:
                done[min(buckets - 1, int(end / width))] += 1
    return Timeline(
        origin=axis.origin,
        length_seconds=axis.length_s,
        gaps=axis.gaps,
        slots=_slots(sorted(slots.workers, key=rank.__getitem__), names),
        bars=_bars(tally, axis, row, order),
        bucket_seconds=width,
        running=tuple(running),
        done=tuple(done),
    )


def slots_of_workers(tally: Tally, timeline: Timeline) -> Sequence[int]:
    """Of each worker of the tally how many slots it has; empty where slots are told without workers."""
    if len(tally.workers) > MOST_WORKERS:
        return []
    counted = dict.fromkeys(tally.workers, 0)
    for slot in timeline.slots:
        counted[slot.worker] += 1
    return list(counted.values())


def _by_number(name: str) -> list[tuple[str, int]]:
    """So that `worker-10` comes after `worker-9`."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D*)(\d{0,18})", name)]


def _slots(workers: Sequence[int], names: Sequence[str]) -> tuple[Slot, ...]:
    counted: dict[int, int] = {}
    made = []
    for worker in workers:
        number = counted.get(worker, 0)
        counted[worker] = number + 1
        made.append(Slot(names[worker], number))
    return tuple(made)


def _bars(tally: Tally, axis: Axis, row: Sequence[int], order: Sequence[int]) -> Bars:
    by_row = sorted(order, key=lambda index: row[index])  # Stable: by begin inside a row.
    rows = row[by_row[-1]] + 1 if by_row else 1
    # So wide that no more bars than are wanted fit beside each other.
    narrow_ms = axis.length_s * MS * rows / MOST_BARS * 2 if tally.tries > MOST_BARS else 0.0
    slot, chunk, begin, length = array("L"), array("L"), array("L"), array("L")
    ending, tries = array("b"), array("L")
    for index in by_row:
        begin_ms = round(axis.shown(tally.begin[index]) * MS)
        length_ms = round(tally.seconds[index] * MS)
        if slot and slot[-1] == row[index] and begin_ms + length_ms - begin[-1] < narrow_ms:
            length[-1] = max(length[-1], begin_ms + length_ms - begin[-1])
            ending[-1] = max(ending[-1], tally.ending[index])
            tries[-1] += 1
            continue
        slot.append(row[index])
        chunk.append(tally.chunk[index])
        begin.append(begin_ms)
        length.append(length_ms)
        ending.append(tally.ending[index])
        tries.append(1)
    return Bars(slot, chunk, begin, length, ending, tries)
