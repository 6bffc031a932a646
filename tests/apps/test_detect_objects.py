"""`detect_objects` beside people counted by eye. (Its sample: `test_samples.py`.)"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.apps.conftest import App

FILM = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
"""Of Debian's package opencv-doc: 10 frames a second."""
BY_EYE = {0: 3, 20: 7, 40: 3, 60: 6}
"""People at so many seconds: in frames 0, 200, 400 and 600."""


@pytest.mark.whole
def test_people_in_the_street_are_those_that_one_sees(run_app: App) -> None:
    if not FILM.exists():
        pytest.skip("no vtest.avi: apt-get install opencv-doc")
    output = run_app("detect_objects", [FILM], "-p", "app.every_s=20", "-p", "partitioner.segment_s=40")
    rows = [json.loads(line) for line in (output / "timeline.jsonl").read_text().splitlines()]
    found = {row["time_s"]: row["people"] for row in rows}
    assert list(found) == list(BY_EYE)
    assert all(found[time] <= people for time, people in BY_EYE.items())
    assert sum(found.values()) >= sum(BY_EYE.values()) - 1
