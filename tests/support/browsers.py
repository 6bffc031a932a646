"""A real browser for pages of ours: Debian's Chromium, driven by Playwright. It reaches this machine alone."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = shutil.which("chromium")
LOOPBACK_ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Skips the test that asks for it where there is none."""
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
