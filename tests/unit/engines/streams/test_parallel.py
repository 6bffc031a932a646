"""One function over many items, in threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from triptych.engines.runtime.resources import Resources, resources, using
from triptych.engines.streams.parallel import map_ordered

MEMORY_BYTES = 1024**2
PROCESSORS = len(os.sched_getaffinity(0))


@pytest.fixture(autouse=True)
def _memory(tmp_path: Path) -> Iterator[None]:
    with using(Resources(tmp_path, MEMORY_BYTES)):
        yield


def test_results_come_in_order_of_the_items_and_an_error_in_its_place() -> None:
    def half(number: int) -> int:
        if number == 30:
            msg = "broken"
            raise OSError(msg)
        return number // 2

    made: list[int] = []
    with pytest.raises(OSError, match="broken"):
        made.extend(map_ordered(half, range(40), 1))
    assert made == [number // 2 for number in range(30)]


def test_work_sees_the_resources_of_its_user() -> None:
    barrier = threading.Barrier(PROCESSORS)

    def share(_: int) -> int:
        # All threads at once: each needs a context of its own.
        barrier.wait(10)
        return resources().share(1 / 4).bytes

    assert list(map_ordered(share, range(PROCESSORS), 1)) == [MEMORY_BYTES // 4] * PROCESSORS


@pytest.mark.parametrize(("item_bytes", "ahead"), [(1, 4 * PROCESSORS), (MEMORY_BYTES, PROCESSORS)])
def test_items_that_take_much_memory_are_not_begun_far_ahead(item_bytes: int, ahead: int) -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            begun.append(number)
            yield number

    made = map_ordered(abs, items(), item_bytes)
    assert next(made) == 0
    assert len(begun) == ahead + 1
