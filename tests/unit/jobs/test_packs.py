"""How chunks are shared out: every one once, in order; by number, or by how long they take."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import chain

import pytest

from triptych.jobs.packs import FEW_CHUNKS, MOST_TASKS, TASK_COST_S, Pack, packs, packs_by_seconds, packs_of_few


def _numbers(made: Sequence[Pack]) -> list[int]:
    return list(chain.from_iterable(range(pack["first"], pack["first"] + pack["count"]) for pack in made))


def _times(made: Sequence[Pack], seconds: Sequence[float]) -> list[float]:
    return [sum(seconds[pack["first"] : pack["first"] + pack["count"]]) for pack in made]


@pytest.mark.parametrize("chunks", [0, 1, 16, 17, 200, 5000])
@pytest.mark.parametrize("per_task", [1, 7])
def test_packs_by_number_cover_every_chunk_once(chunks: int, per_task: int) -> None:
    made = packs(chunks, per_task, 64)
    assert _numbers(made) == list(range(chunks))
    assert len(made) <= 64
    if chunks:
        sizes = [pack["count"] for pack in made]
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("chunks", [0, 1, 17, 999, 30_000])
@pytest.mark.parametrize("longest_s", [0.0, 0.02, 3.0, 500.0])
@pytest.mark.parametrize("most", [1, 64, 5000])
def test_packs_by_seconds_cover_every_chunk_once(chunks: int, longest_s: float, most: int) -> None:
    chance = random.Random(chunks)
    seconds = [longest_s * chance.random() ** 3 for _ in range(chunks)]
    made = packs_by_seconds(seconds, slots=3, most_tasks=most)
    assert _numbers(made) == list(range(chunks))
    assert all(pack["count"] > 0 and pack["chunks"] == chunks for pack in made)
    assert len(made) <= min(most, MOST_TASKS)


@pytest.mark.parametrize(
    ("chunks", "each_s", "slots", "tasks"),
    [
        (1000, 0.015, 2, 2),  # 15 s in all: a task for each slot.
        (20, 0.015, 8, 1),  # 0.3 s: less than a task costs.
        (60, 0.1, 64, 6),  # 6 s: no more tasks than seconds, however many could run.
        (1000, 0.5, 2, 8),  # 500 s: four for each slot, of a minute.
        (100_000, 0.015, 2, 8),  # 1,500 s: the same, of three minutes.
        (100_000, 0.3, 2, 100),  # 30,000 s: five minutes each.
        (100_000, 0.3, 100, 400),  # The same on a hundred slots: four for each.
        (500, 1.0, 2, 8),  # Four for each slot, of a minute.
        (500, 1.0, 3, 9),  # The same number for each slot.
        (300, 90.0, 2, 300),  # A minute and more: each alone.
    ],
)
def test_tasks_take_one_to_five_minutes_or_what_there_is(chunks: int, each_s: float, slots: int, tasks: int) -> None:
    made = packs_by_seconds([each_s] * chunks, slots)
    assert len(made) == tasks
    counts = [pack["count"] for pack in made]
    assert max(counts) - min(counts) <= 1


def test_packs_take_as_long_as_each_other_and_not_as_many_chunks() -> None:
    seconds = [8.0] * 100 + [1.0] * 800
    made = packs_by_seconds(seconds, slots=2)
    times = _times(made, seconds)
    assert max(times) - min(times) <= 8.0
    assert made[0]["count"] < made[-1]["count"]


def test_a_long_chunk_among_short_ones_has_a_task_of_its_own() -> None:
    seconds = [1.0] * 200
    seconds[70] = 100.0
    made = packs_by_seconds(seconds, slots=2)
    assert Pack(first=70, count=1, chunks=200) in made


def test_where_long_chunks_are_too_many_they_share_tasks() -> None:
    made = packs_by_seconds([100.0] * 3000, slots=2, most_tasks=64)
    assert len(made) == 64


def test_what_nobody_has_seen_run_is_shared_out_to_so_many_tasks_at_least() -> None:
    assert len(packs_by_seconds([0.01] * 200, slots=2, least_tasks=16)) == 16


@pytest.mark.parametrize(
    ("seconds", "counts"),
    [
        ([0.1] * 5, [5]),
        ([0.7] * 3, [1, 1, 1]),  # Three seconds' worth, or nearly.
        ([10.0, 10.0, 59.0], [1, 1, 1]),
        ([0.2, 0.2, 30.0, 0.2, 0.2], [2, 3]),
        ([90.0, 0.1], [1, 1]),
        ([0.0] * 4, [4]),
    ],
)
def test_few_chunks_share_a_task_where_they_are_worth_less_than_it_costs(
    seconds: list[float], counts: list[int]
) -> None:
    assert [pack["count"] for pack in packs_of_few(seconds)] == counts


def test_no_two_of_few_chunks_share_a_task_that_are_each_worth_one() -> None:
    chance = random.Random(18)
    for _ in range(2000):
        seconds = [10 ** chance.uniform(-3, 3) for _ in range(chance.randint(1, FEW_CHUNKS))]
        made = packs_of_few(seconds)
        assert _numbers(made) == list(range(len(seconds)))
        for pack in made:
            held = seconds[pack["first"] : pack["first"] + pack["count"]]
            assert sum(each >= TASK_COST_S for each in held) <= 1
    assert len(packs_of_few([50.0] * 9, most_tasks=4)) == 4
