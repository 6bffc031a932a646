"""What tests of the command need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from triptych.settings import get_settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to be in, with cache, scratch and configuration of its own."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.delenv("TRIPTYCH_INCLUDE", raising=False)
    get_settings.cache_clear()
    yield folder
    get_settings.cache_clear()
