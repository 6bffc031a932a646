"""Where runs of equal, or of consecutive, values begin in a vector."""

from __future__ import annotations

import numpy as np

from triptych.engines.arrays.aliases import Codes, Offsets


def run_starts(codes: Codes) -> Offsets:
    """The index of the first element of each run of equal codes, which are not negative: [3, 3, 7, 9, 9] -> [0, 2, 3].

    Codes that are in order make one run of each, so that codes[run_starts(codes)] has each code once.
    """
    return np.flatnonzero(np.diff(codes, prepend=-1))


def run_lengths(starts: Offsets, count: int) -> Offsets:
    """How long the runs are that begin there in a vector of `count` elements: [0, 2, 3], 5 -> [2, 1, 2]."""
    return np.diff(starts, append=count)


def consecutive_starts(indices: Offsets) -> Offsets:
    """The index of the first of each run of numbers that follow one another: [4, 5, 6, 9, 12, 13] -> [0, 3, 4].

    `indices` ascend and are not negative.
    """
    return np.flatnonzero(np.diff(indices, prepend=-2) != 1)
