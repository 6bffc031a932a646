"""Settings as Airflow's configuration would give them: from the environment, read anew for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from triptych.settings import get_settings


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only include folder, empty; jobs run as local processes and may read and write in `tmp_path`."""
    folder = tmp_path / "include"
    folder.mkdir()
    values = {
        "include": str(folder),
        "workspace": (tmp_path / "workspace").as_uri(),
        "scratch": str(tmp_path / "scratch"),
        "allowed_roots": str(tmp_path),
        "runner": "process",
        "pool": "gpus",
        "retries": "5",
        "retry_delay": "7",
    }
    for key, value in values.items():
        monkeypatch.setenv(f"AIRFLOW__TRIPTYCH__{key.upper()}", value)
    get_settings.cache_clear()
    yield folder
    get_settings.cache_clear()
