"""What every test of the command has: an empty home."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _at_home(home: Path) -> None:
    """Each test is in a home of its own, whether it asks for that or not."""
