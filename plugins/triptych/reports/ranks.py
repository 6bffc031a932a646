"""Percentiles and histograms of numbers that are held as arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

BARS = 40
"""Of a histogram."""


@dataclass(frozen=True)
class Spread:
    """How numbers lie: percentiles by nearest rank, so that each is one of them."""

    count: int
    least: float
    p50: float
    p90: float
    p95: float
    p99: float
    most: float
    mean: float


@dataclass(frozen=True)
class Histogram:
    """`counts` of equally wide bars; the first begins at `start`, each is `width` wide and has its beginning."""

    start: float
    width: float
    counts: tuple[int, ...]


def nearest_rank(ordered: Sequence[float], percent: float) -> float:
    """The smallest of these, in order, that so many percent of them do not exceed: [1, 2, 3, 4], 50 -> 2."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def spread_of(numbers: Sequence[float]) -> Spread | None:
    """None of nothing."""
    if not numbers:
        return None
    ordered = sorted(numbers)
    p50, p90, p95, p99 = (nearest_rank(ordered, percent) for percent in (50, 90, 95, 99))
    return Spread(len(ordered), ordered[0], p50, p90, p95, p99, ordered[-1], math.fsum(ordered) / len(ordered))


def histogram_of(numbers: Sequence[float], most: float | None = None, bars: int = BARS) -> Histogram | None:
    """Of all numbers; those beyond `most` count in the last bar. None of nothing."""
    if not numbers:
        return None
    start = min(numbers)
    end = max(numbers) if most is None else min(max(numbers), most)
    width = (end - start) / bars
    if width <= 0:
        return Histogram(start, 0.0, (len(numbers),))
    counts = [0] * bars
    for number in numbers:
        counts[min(bars - 1, int((number - start) / width))] += 1
    return Histogram(start, width, tuple(counts))
