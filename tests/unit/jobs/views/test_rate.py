"""How fast a job goes: by what was counted since the first look, else by when the first chunk began."""

from __future__ import annotations

from triptych.jobs.views.rate import Rate, Speed, clock


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_counts_from_the_first_look() -> None:
    now = _Clock()
    rate = Rate(now)
    assert rate.saw(0, 100) == Speed(None, None)
    now.now += 10
    assert rate.saw(20, 80) == Speed(2.0, 40.0)
    assert rate.saw(20, 80).told() == "; 2.0 chunks/s, about 0:40 left"
    now.now += 30
    assert rate.saw(20, 80) == Speed(0.5, 160.0)
    assert rate.saw(20, 80).told() == "; 30.0 chunks/min, about 2:40 left"


def test_what_had_ended_before_tells_until_more_has() -> None:
    now = _Clock()
    rate = Rate(now)
    assert rate.saw(50, 50, since=950.0) == Speed(1.0, 50.0)
    now.now += 10
    assert rate.saw(90, 10) == Speed(4.0, 2.5)


def test_nothing_is_said_of_what_nobody_knows() -> None:
    assert Rate(_Clock()).saw(5, 5).told() == ""
    assert [clock(None), clock(59.6), clock(3800)] == ["-", "1:00", "1:03:20"]
