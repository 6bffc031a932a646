"""Percentiles against NumPy's."""

from __future__ import annotations

import random

import numpy as np
import pytest

from triptych.reports.ranks import histogram_of, nearest_rank, spread_of


@pytest.mark.parametrize("count", [1, 2, 7, 100, 1001])
def test_percentiles_are_those_of_numpy_by_nearest_rank(count: int) -> None:
    numbers = sorted(random.Random(count).random() for _ in range(count))
    for percent in (0, 1, 50, 90, 95, 99, 100):
        wanted = np.percentile(numbers, percent, method="inverted_cdf")
        assert nearest_rank(numbers, percent) == wanted


def test_a_histogram_counts_each_once_and_what_is_beyond_in_its_last_bar() -> None:
    histogram = histogram_of([0.0, 1.0, 2.0, 3.0, 100.0], most=4.0, bars=4)
    assert histogram is not None
    assert (histogram.start, histogram.width, histogram.counts) == (0.0, 1.0, (1, 1, 1, 2))
    alike = histogram_of([2.0, 2.0])
    assert alike is not None
    assert alike.counts == (2,)


def test_nothing_has_no_spread() -> None:
    assert spread_of([]) is None
    assert histogram_of([]) is None
