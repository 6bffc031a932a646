"""A real browser for pages of ours: Debian's Chromium, driven by Playwright. It reaches this machine alone."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
LOOPBACK_ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
Shoot = Callable[["Page", str], None]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Started once; each test has pages of its own."""
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium fonts-dejavu-core")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("no playwright: pip install -r requirements-test.txt")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # As root, as in CI, Chromium has no sandbox of its own; what it shows is ours.
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        started = driver.chromium.launch(executable_path=CHROMIUM, args=[LOOPBACK_ALONE, *sandbox])
        yield started
        started.close()


@pytest.fixture
def shoot() -> Shoot:
    """Keeps a picture of a whole page where `TRIPTYCH_SCREENSHOTS` names a folder; nothing without it."""
    folder = os.environ.get("TRIPTYCH_SCREENSHOTS")

    def keep(page: Page, name: str) -> None:
        if folder:
            page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)

    return keep
