"""`kill -9` of every component in every stage, through a real Airflow: nothing is lost, doubled or left behind."""

from __future__ import annotations

import random

import pytest

from tests.faults.conftest import HITS, WHOLE, Ledger, Worlds
from tests.faults.hits import OF_A_JOB, SHARED
from tests.faults.kills import Cell, after_the_next_job, hit_all, hit_shared
from tests.faults.world import STAGES, World

pytestmark = [pytest.mark.faults, pytest.mark.airflow, pytest.mark.docker, pytest.mark.timeout(3600)]
WORLDS = ("files", "s3")
OTHERS = ("archive", "user")
"""No bind mounts; a worker that is not root. They are hit less often."""
SHORT = (
    ("task process", "partition"),
    ("in-container loop", "app"),
    ("container", "assemble"),
    ("supervisor", "assemble"),
)


def _cells(kind: str, ledger: Ledger, wanted: list[tuple[str, str]], hits: int) -> list[Cell]:
    cells = []
    for component, stage in wanted:
        row = ledger.row(f"kill -9 {component}, {stage}, {kind}")
        cells.append(Cell(component, stage, hits, 1 if stage == "app" else min(2, hits), row))
    return cells


def _end(world: World, cells: list[Cell]) -> None:
    after_the_next_job(world, [cell.row for cell in cells])
    problems = [cell.row.faults() for cell in cells if not cell.row.is_clean]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        pytest.param(kind, [(component, stage) for component in OF_A_JOB], id=f"{kind}-{stage}")
        for kind in (*WORLDS, *OTHERS)
        for stage in STAGES
    ]
    if WHOLE
    else [pytest.param("s3", list(SHORT), id="s3")],
)
def test_what_a_job_has_for_itself(
    worlds: Worlds, ledger: Ledger, chance: random.Random, kind: str, wanted: list[tuple[str, str]]
) -> None:
    world = worlds.get(kind)
    cells = _cells(kind, ledger, wanted, min(HITS, 2) if kind in OTHERS else HITS)
    hit_all(world, cells, chance)
    _end(world, cells)


@pytest.mark.parametrize("component", SHARED)
@pytest.mark.parametrize("kind", (*WORLDS, *OTHERS) if WHOLE else ["s3"])
def test_what_all_jobs_share(worlds: Worlds, ledger: Ledger, chance: random.Random, kind: str, component: str) -> None:
    world = worlds.get(kind)
    wanted = [(component, stage) for stage in (STAGES if WHOLE else ("app",))]
    cells = _cells(kind, ledger, wanted, 1 if kind in OTHERS else HITS)
    hit_shared(world, component, cells, chance)
    _end(world, cells)
