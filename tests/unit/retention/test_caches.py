"""What a cache holds beyond its age or its size is found by a dry run, and gone after the removal."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from triptych.jobs.locations import Location
from triptych.retention.planning import What, planned
from triptych.retention.removal import remove_all
from triptych.retention.running_runs import NoAirflow
from triptych.settings import Settings
from triptych.stages.side_inputs import freeze_inputs
from triptych.storage import Stores
from triptych.storage.paths import file_uri


def test_caches_beyond_their_size_are_found_and_emptied(settings: Settings, tmp_path: Path) -> None:
    reference = tmp_path / "genome.fa"
    reference.write_text("ACGT")
    freeze_inputs({"reference": [Location(file_uri(reference))]}, Stores(settings), settings)
    kept = tmp_path / "workspace" / "_cache" / "tried" / "entries" / "0a" / "20261126T090000.123Z-x" / "part"
    kept.parent.mkdir(parents=True)
    kept.write_text("123456")
    tight = dataclasses.replace(settings, result_cache_bytes=5, input_cache_bytes=3)

    assert planned(settings, Stores(settings), NoAirflow()).removes == []
    plan = planned(tight, Stores(tight), NoAirflow())
    assert {each.what: each.bytes for each in plan.removes} == {What.RESULT_CACHE: 6, What.INPUT_CACHE: 4}
    assert kept.exists()
    assert remove_all(tight, Stores(tight), NoAirflow(), plan) == []
    assert not kept.exists()
    assert planned(tight, Stores(tight), NoAirflow()).removes == []
