"""The generated reference pages say what the code says."""

from __future__ import annotations

import runpy

from triptych.settings import PROJECT


def test_the_generated_pages_are_current() -> None:
    pages = runpy.run_path(str(PROJECT / "scripts" / "reference.py"))["pages"]()
    stale = [path.name for path, text in pages.items() if not path.exists() or path.read_text() != text]
    assert stale == [], "Run scripts/reference.py."
