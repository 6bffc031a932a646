"""Orders of key columns against Python's sort."""

from __future__ import annotations

import itertools
import random

import pyarrow as pa
import pytest

from triptych.engines.sorting.order import Direction, KeyColumn, Order

COLUMNS: dict[str, KeyColumn] = {
    "int64": pa.array([0, -1, 1, 2**63 - 1, -(2**63), -(2**63) + 1], pa.int64()),
    "float64": pa.array([0.5, -0.5, float("inf"), float("-inf"), 5e-324, 2.0**53], pa.float64()),
    "bytes": pa.array([b"", b"\0", b"\0\0", b"a", b"a\0", b"b" * 24], pa.large_binary()),
    "long bytes": pa.array([b"a" * 25, b"a" * 24, b"", b"\xff" * 30, b"\xfe" * 31, b"a" * 26], pa.large_binary()),
    "with nulls": pa.array([3, None, 1, None, 2, 1], pa.int64()),
}


@pytest.mark.parametrize("directions", list(itertools.product(["ascending", "descending"], repeat=2)))
@pytest.mark.parametrize("names", list(itertools.permutations(COLUMNS, 2)))
def test_rows_are_where_single_comparisons_put_them(names: tuple[str, str], directions: tuple[Direction, ...]) -> None:
    draw = random.Random(f"{names} {directions}")
    rows = [[draw.randrange(6) for _ in range(100)] for _ in names]
    batch = pa.record_batch([COLUMNS[name].take(pa.array(at)) for name, at in zip(names, rows, strict=True)], names)
    order = Order(directions, draw.choice(["at_start", "at_end"]))
    keys = [order.key(batch, row) for row in range(len(batch))]
    indices = order.sort_indices(batch)
    assert indices is not None
    # `sorted` is stable, as the engine's order is.
    assert indices.to_pylist() == sorted(range(len(batch)), key=keys.__getitem__)
    ordered = batch.take(indices)
    assert not order.descents(ordered).any()
    assert order.sort_indices(ordered) is None
    pairs = list(itertools.pairwise(keys))
    assert order.descents(batch).tolist() == [following < one for one, following in pairs]
    assert order.changes(batch).tolist() == [following != one for one, following in pairs]
