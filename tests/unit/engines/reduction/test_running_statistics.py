"""Sums against fractions and math.fsum."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest

from triptych.engines.arrays.numbers import Numbers, as_vector
from triptych.engines.reduction.running_statistics import CompensatedSum, ExactSum

EDGES = [
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    2.0**-1022,
    math.nextafter(math.inf, 0),
    -math.nextafter(math.inf, 0),
    1.0,
    2.0**53,
]


@pytest.mark.parametrize("seed", range(20))
def test_a_sum_in_any_parts_is_the_exact_one(seed: int) -> None:
    draw = random.Random(seed)
    floats = [
        draw.choice([draw.choice(EDGES), draw.gauss(0, 1), draw.random() * 10.0 ** draw.randrange(-300, 300)])
        for _ in range(200)
    ]
    integers = [draw.randrange(-(2**63), 2**63) for _ in range(50)]
    total = ExactSum()
    parts: list[Numbers] = [as_vector(floats), as_vector(integers), [*floats, *integers], as_vector([2**70]), []]
    for part in parts:
        total.add(part)
    assert total.exact() == 2 * sum(map(Fraction, floats)) + 2 * sum(integers) + 2**70


def test_floats_are_rounded_once_and_whole_numbers_stay_whole() -> None:
    draw, total, whole = random.Random(3), ExactSum(), ExactSum()
    floats = [draw.gauss(0, 1) * 10.0 ** draw.randrange(-30, 30) for _ in range(1000)]
    total.add(as_vector(floats))
    assert total.read() == math.fsum(floats)
    assert (total.over(Fraction(0)), total.over(Fraction(1))) == (None, math.fsum(floats))
    whole.add(as_vector([2**62, 2**62, 2**62]))
    assert (whole.read(), type(whole.read())) == (3 * 2**62, int)


def test_arrays_keep_what_rounding_loses() -> None:
    total = CompensatedSum()
    for value in ([1e16, 1.0], [1.0, 1e100], [-1e16, 1.0], [0.0, -1e100]):
        total.add(np.array(value))
    assert total.read().tolist() == [1.0, 2.0]
