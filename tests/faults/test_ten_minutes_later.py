"""A container that ended with its worker lies there for ten minutes; then the next job, whosever, removes it."""

from __future__ import annotations

import threading

import pytest

from tests.faults.conftest import Ledger, Worlds
from tests.faults.kills import after_the_next_job
from tests.faults.world import LEFTOVER_S

pytestmark = [pytest.mark.faults, pytest.mark.whole, pytest.mark.airflow, pytest.mark.docker, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("kind", ["user"])
def test_no_container_is_left(worlds: Worlds, ledger: Ledger, kind: str) -> None:
    """On the engine that all worlds had; their last hits lie in it."""
    world = worlds.get(kind)
    row = ledger.row("ten minutes later")
    there = world.containers()
    youngest_s = min((world.idle_for(each) for each in there), default=LEFTOVER_S)
    row.states[f"{len(there)} ended container(s) before"] += 1
    threading.Event().wait(LEFTOVER_S - youngest_s + 1)
    after_the_next_job(world, [row])
    row.left += [f"container {each['Names']}" for each in world.containers()]
    assert row.is_clean, row.faults()
