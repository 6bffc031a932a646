"""Which tasks can never get their slots."""

from __future__ import annotations

import pytest

from triptych.airflow.pools import too_few


@pytest.mark.parametrize("slots", [4, 5, 128, -1])
def test_a_pool_with_room_is_well(slots: int) -> None:
    assert too_few({("cores", "app"): 4}, {"cores": slots}) == []


@pytest.mark.parametrize("slots", [0, 3])
def test_a_pool_that_is_too_small_is_told_with_both_numbers(slots: int) -> None:
    (reason,) = too_few({("default_pool", "partition"): 0, ("cores", "app"): 4}, {"cores": slots, "default_pool": 0})
    assert f"The task `app` takes 4 slots of the pool 'cores', one per core, and the pool has {slots}" in reason


def test_a_pool_that_is_not_there_is_told_with_the_command() -> None:
    (reason,) = too_few({("cores", "app"): 1}, {})
    assert "airflow pools set cores SLOTS" in reason
