"""The generated reference pages say what the code says, whatever a user has put beside our engines."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path
from typing import Any

from triptych.blocks import Platform, Role
from triptych.blocks.catalog import BUILT_IN
from triptych.scaffold.scaffold import new_engine
from triptych.settings import PROJECT


def _script() -> dict[str, Any]:
    return runpy.run_path(str(PROJECT / "scripts" / "reference.py"))


def test_the_generated_pages_are_current() -> None:
    pages = _script()["pages"]()
    stale = [path.name for path, text in pages.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    assert stale == [], "Run scripts/reference.py."


def test_every_engine_tells_its_app_what_to_expect_and_what_fits() -> None:
    (page,) = [text for path, text in _script()["pages"]().items() if path.name == "engines.md"]
    entries = page.split("\n## ")[1:]
    untold = [entry.partition("\n")[0] for entry in entries if "**What the app " not in entry.partition("\n|")[0]]
    assert untold == []
    assert all("**Fits with** " in entry for entry in entries)


def test_an_engine_of_a_user_in_our_folder_is_not_in_the_pages(tmp_path: Path) -> None:
    include = tmp_path / "include"
    shutil.copytree(BUILT_IN, include)
    new_engine(include, "theirs", Role.PARTITIONER, Platform.PYTHON)
    new_engine(include, "also_theirs", Role.ASSEMBLER, Platform.DOCKER)
    (include / "engines" / "assemblers" / "also_theirs" / "manifest.json").write_text("{broken", encoding="utf-8")
    blocks = _script()["engine_blocks"]
    ours = [(block.role, block.name) for block in blocks()]
    assert [(block.role, block.name) for block in blocks(include)] == ours
    assert ("partitioner", "rows") in ours
