"""What a task's log says of its pack while that runs: how far it is, and seldom."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from triptych.jobs.packs import Pack
from triptych.stages.pipeline.telling import Telling

if TYPE_CHECKING:
    import pytest

PACK = Pack(first=100, count=400, chunks=1000)


def test_a_line_counts_what_was_done_before_and_reckons_with_what_was_done_since() -> None:
    clock = iter(range(1000))
    telling = Telling(PACK, 100, now=lambda: next(clock) / 2)
    for number in range(200):
        telling.heard(number % 100 == 0)
    line = telling.line()
    assert line.startswith("Chunks 100 to 499: 298 done, 2 failed, 100 left; ")
    assert line.endswith(" left")


def test_no_two_lines_are_near(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    telling = Telling(PACK, 0, now=lambda: now[0])
    told = []
    with caplog.at_level(logging.INFO):
        for _ in range(140):
            now[0] += 0.25
            caplog.clear()
            telling.heard(False)
            told += [now[0]] if caplog.records else []
    assert told == [10, 20, 30]
