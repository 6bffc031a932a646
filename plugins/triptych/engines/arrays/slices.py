"""Pieces of a block of bytes as a column of bytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from triptych.engines.arrays.aliases import Offsets


def slices(data: bytes, starts: Offsets, ends: Offsets, order: Offsets | None = None) -> pa.LargeBinaryArray:
    """data[starts[i]:ends[i]] for each i of `order`, or for all; starts[i] <= ends[i] <= starts[i + 1].

    b"ab,cd,e", [0, 3, 6], [2, 5, 7], [2, 0] -> [b"e", b"ab"]. Without an order, and where each piece begins at the end
    of the one before, the column points into `data`; else its bytes are copied, back to back in that order.
    """
    count = len(starts)
    if count and order is None and (starts[1:] == ends[:-1]).all():
        buffers = [None, pa.py_buffer(np.append(starts, ends[-1])), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.large_binary(), count, buffers)
    # Every second element is what lies between two slices.
    bounds = np.empty(2 * count + 1, np.int64)
    bounds[0:-1:2], bounds[1::2], bounds[-1] = starts, ends, ends[-1] if count else 0
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(data)]
    whole = pa.Array.from_buffers(pa.large_binary(), 2 * count, buffers)
    return whole.take(pa.array((np.arange(count) if order is None else order) * 2))
