"""Of which apps results are kept."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from tests.support.include_folders import write_app
from triptych.jobs.job import PlannedJob
from triptych.settings import Runner, Settings
from triptych.stages.caching import opened_cache, refusal


def test_nothing_is_kept_of_an_app_that_does_not_say_so(settings: Settings, tmp_path: Path) -> None:
    keeps = dataclasses.replace(settings, runner=Runner.DOCKER)
    assert refusal(keeps) == ""
    app = write_app(tmp_path / "include", "").app
    with opened_cache(cast("PlannedJob", SimpleNamespace(settings=keeps)), app, tmp_path, []) as cache:
        assert cache is None
