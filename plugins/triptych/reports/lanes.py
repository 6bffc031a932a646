"""Tries laid out in time: on which slot of its worker each ran, and where nothing ran for long, which is left out."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MOST_SLOTS = 256
"""Of one worker; where clocks are so wrong that more seem to run at once, slots overlap."""
LONG_GAP_S = 60.0
GAP_SHARE = 0.05
"""A time without any try is left out where it is longer than a minute, and than such a share of all that is busy."""
_OVERLAP_S = 0.05
"""Begin and duration are of two clocks: the next try of an attempt may seem to begin before the last has ended."""


@dataclass(frozen=True)
class Gap:
    """`length_s` seconds that are left out before what is shown at `at_s`, seconds from the first try."""

    at_s: float
    length_s: float


class Axis:
    """Time as it is shown: seconds from the first try, without the gaps."""

    def __init__(self, spans: Sequence[tuple[float, float]]) -> None:
        """`spans` are begin and end of all tries, by their begin."""
        self.origin = spans[0][0] if spans else 0.0
        self._begins: list[float] = [self.origin]
        self._cut: list[float] = [0.0]
        gaps: list[Gap] = []
        busy_until, busy_s = self.origin, 0.0
        idle: list[tuple[float, float]] = []
        for begin, end in spans:
            if begin - busy_until > LONG_GAP_S:
                idle.append((busy_until, begin))
            busy_s += max(0.0, end - max(begin, busy_until))
            busy_until = max(busy_until, end)
        cut_s = 0.0
        for begin, end in idle:
            if end - begin > busy_s * GAP_SHARE:
                gaps.append(Gap(begin - self.origin - cut_s, end - begin))
                cut_s += end - begin
                self._begins.append(end)
                self._cut.append(cut_s)
        self.gaps = tuple(gaps)
        self.length_s = busy_until - self.origin - cut_s

    def shown(self, moment: float) -> float:
        """Where a moment, in seconds since the epoch, of a try lies: [0, length_s]."""
        index = max(0, bisect_right(self._begins, moment) - 1)
        return max(0.0, moment - self.origin - self._cut[index])


@dataclass
class _Slot:
    number: int
    free_at: float
    attempt: int


class Slots:
    """Gives each try a slot of its worker, in the order of their begin; an attempt stays where it is."""

    def __init__(self) -> None:
        self.workers: list[int] = []
        """Of each slot that was given, the worker."""
        self._slots: dict[int, list[_Slot]] = defaultdict(list)
        self._of_attempt: dict[int, _Slot] = {}

    def place(self, worker: int, attempt: int, begin: float, end: float) -> int:
        """The number of the slot, over all workers, of a try of this attempt."""
        slot = self._of_attempt.get(attempt)
        if slot is None or slot.attempt != attempt or slot.free_at > begin + _OVERLAP_S:
            slot = self._free(worker, begin)
            self._of_attempt[attempt] = slot
        slot.attempt, slot.free_at = attempt, end
        return slot.number

    def _free(self, worker: int, begin: float) -> _Slot:
        slots = self._slots[worker]
        for slot in slots:
            if slot.free_at <= begin + _OVERLAP_S:
                return slot
        if len(slots) >= MOST_SLOTS:
            return min(slots, key=lambda each: each.free_at)
        slots.append(_Slot(len(self.workers), begin, -1))
        self.workers.append(worker)
        return slots[-1]


def by_worker(workers: Sequence[int]) -> list[int]:
    """Of each slot its row, so that those of one worker lie together: workers [0, 1, 0] -> rows [0, 2, 1]."""
    order = sorted(range(len(workers)), key=lambda slot: (workers[slot], slot))
    rows = [0] * len(workers)
    for row, slot in enumerate(order):
        rows[slot] = row
    return rows


def shares(begin: float, end: float, width: float, buckets: int) -> Iterable[tuple[int, float]]:
    """How many seconds of a span lie in each bucket of this width: 0.5 to 2.5, 1.0 -> (0, 0.5), (1, 1.0), (2, 0.5)."""
    first, last = (min(buckets - 1, int(moment / width)) for moment in (begin, end))
    for bucket in range(first, last + 1):
        yield bucket, max(0.0, min(end, (bucket + 1) * width) - max(begin, bucket * width))
