"""Which templates' jobs a job's output starts, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from triptych.blocks import read_catalog
from triptych.demo.chain import followers

SCHEDULES = {
    "alone": "@daily",
    "begin": None,
    "both": ["begin.output", "s3://bucket/ready"],
    "end": ["left.output"],
    "left": ["begin.output"],
    "right": ["begin.output"],
    "round": ["turn.output"],
    "turn": ["round.output"],
}
"""`both` waits for something else, too; `round` and `turn` start each other."""


@pytest.mark.parametrize(
    ("first", "after"),
    [("begin", ["left", "right", "end"]), ("left", ["end"]), ("alone", []), ("round", ["turn"])],
)
def test_what_outputs_start_follows_the_nearest_first(tmp_path: Path, first: str, after: list[str]) -> None:
    for name, schedule in SCHEDULES.items():
        template = {"schedule": schedule, "dataSource": "file:///in/"} if schedule else {}
        write_app(tmp_path, "true", name=name, entrypoint="main.sh", template=template)
    assert [template.id for template in followers(read_catalog((tmp_path,)).templates, first)] == after
