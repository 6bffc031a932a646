"""Slots by construction: which tries can lie on one, and which times are left out."""

from __future__ import annotations

import pytest

from triptych.reports.lanes import Axis, Slots, by_worker, shares


def test_tries_at_one_time_lie_on_slots_of_their_own_and_those_after_take_a_free_one() -> None:
    slots = Slots()
    placed = [
        slots.place(0, attempt, begin, end) for attempt, begin, end in ((0, 0, 5), (1, 1, 2), (2, 3, 4), (3, 6, 7))
    ]
    assert placed == [0, 1, 1, 0]
    assert slots.workers == [0, 0]


def test_an_attempt_stays_where_it_is_although_a_lower_slot_is_free() -> None:
    slots = Slots()
    assert slots.place(0, 0, 0.0, 1.0) == 0
    assert slots.place(0, 1, 0.5, 2.0) == 1
    assert slots.place(0, 1, 2.0, 3.0) == 1


def test_another_worker_has_slots_of_its_own() -> None:
    slots = Slots()
    assert [slots.place(0, 0, 0, 1), slots.place(1, 1, 2, 3), slots.place(0, 2, 0.5, 3)] == [0, 1, 2]
    assert by_worker(slots.workers) == [0, 2, 1]


def test_a_begin_that_seems_earlier_than_the_end_before_by_rounding_opens_no_slot() -> None:
    slots = Slots()
    assert slots.place(0, 0, 0.0, 1.01) == slots.place(0, 0, 1.0, 2.0) == 0


def test_a_night_between_launch_and_repair_is_left_out() -> None:
    axis = Axis([(1000.0, 1100.0), (1050.0, 1200.0), (40_000.0, 40_100.0)])
    assert axis.length_s == pytest.approx(300.0)
    assert [(gap.at_s, gap.length_s) for gap in axis.gaps] == [(200.0, 38_800.0)]
    assert axis.shown(1000.0) == 0.0
    assert axis.shown(40_050.0) == pytest.approx(250.0)


def test_a_short_pause_stays() -> None:
    axis = Axis([(0.0, 10.0), (50.0, 60.0)])
    assert (axis.length_s, axis.gaps) == (60.0, ())


def test_nothing_has_no_length() -> None:
    assert (Axis([]).length_s, Axis([]).gaps) == (0.0, ())


def test_shares_of_a_span_add_up_to_it() -> None:
    assert list(shares(0.5, 2.5, 1.0, 5)) == [(0, 0.5), (1, 1.0), (2, 0.5)]
    assert sum(seconds for _, seconds in shares(0.3, 9.9, 0.7, 15)) == pytest.approx(9.6)
