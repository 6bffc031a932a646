"""Several containers of one attempt, when it is ended: all of them together have as long as one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from triptych.running import Session, Stop
from triptych.stages.pipeline import lanes
from triptych.stages.pipeline.beside import LAST_S, Beside
from triptych.stages.pipeline.lanes import Lane, Lanes


def test_lanes_that_do_not_end_hold_an_attempt_up_for_one_wait_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def never(self: Beside[Any], wait_s: float) -> None:
        waited.append(wait_s)

    monkeypatch.setattr(Beside, "end", never)
    monkeypatch.setattr(lanes, "time", SimpleNamespace(monotonic=lambda: 100.0 + sum(waited)))
    several = [Lane(Path(str(number)), cast("Session", None)) for number in range(4)]
    with pytest.raises(KeyboardInterrupt), Lanes[None](several, Stop()):
        raise KeyboardInterrupt
    assert len(waited) == 4
    assert sum(waited) == LAST_S
