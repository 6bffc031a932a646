"""A browser for tests of pages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browsers import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Shoot = Callable[["Page", str], None]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Started once a module; each test has pages of its own. Wider, its event loop would run below tests of others."""
    with chromium() as started:
        yield started


@pytest.fixture
def shoot() -> Shoot:
    """Keeps a picture of a whole page where `TRIPTYCH_SCREENSHOTS` names a folder; nothing without it."""
    folder = os.environ.get("TRIPTYCH_SCREENSHOTS")

    def keep(page: Page, name: str) -> None:
        if folder:
            page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)

    return keep
