"""The lock of a run that this machine launched."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

from triptych.retention.run_lock import held_run, is_held
from triptych.settings import Settings


def test_a_store_s_runs_are_locked_in_a_folder_shut_to_others(settings: Settings, tmp_path: Path) -> None:
    """Which the run makes, whose caches lie there, too: what is not shut is refused as their place."""
    remote = dataclasses.replace(settings, workspace="s3://bucket/jobs", cache=tmp_path / "new" / "cache")
    with held_run(remote, "dag", "run"):
        assert is_held(remote, "dag", "run")
        assert stat.S_IMODE(remote.cache.stat().st_mode) == 0o700
    assert is_held(remote, "dag", "run") is False
