"""Numbers as vectors where they are of one kind, and as they are where not."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from triptych.engines.arrays.aliases import Floats, Offsets

Numbers: TypeAlias = Floats | Offsets | list[Any]
"""A float64 or int64 vector; or a list of what is not all of one kind, or no number at all."""


def as_vector(values: list[Any]) -> Numbers:
    """Floats as float64, whole numbers as int64: [1, 2] -> int64; [1, 2.5], [True], [2**70] and ["a"] stay lists."""
    types = set(map(type, values))
    if types == {float}:
        return np.array(values, np.float64)
    if types == {int}:
        try:
            return np.array(values, np.int64)
        except OverflowError:
            return values
    return values
