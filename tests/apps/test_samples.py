"""`triptych app test` of the apps that come with Triptych, in their images; and of what a broken one gives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.app_images import APPS
from triptych.settings import PROJECT

CASES = {
    "align_reads": ["align_reads", "align_reads/counts"],
    "linecount": ["linecount"],
    "thumbnail": ["thumbnail"],
    "tpch_star": ["tpch_star"],
    "wordcount": ["wordcount", "wordcount/keep_case"],
}
BROKEN = {
    "align_reads": ('"-S", "aligned.sam"', '"--trim5", "1", "-S", "aligned.sam"'),
    "linecount": ("words += NF", "words += 1"),
    "thumbnail": ("ImageOps.exif_transpose(image)", "ImageOps.mirror(image)"),
    "tpch_star": ("l_discount BETWEEN 0.05", "l_discount BETWEEN 0.06"),
    "wordcount": (">= min_length", "> min_length"),
}
"""Of each script a small mistake: what is there, and what stands in its place."""


def _states(app: str, include: Path, tmp_path: Path) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "triptych", "app", "test", app, "--include", str(include), "--json"],
        cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(PROJECT / "plugins")},
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if all(each["state"] == "passed" for each in found["cases"]) else 1), done.stderr
    return {each["case"]: each["state"] for each in found["cases"]}


@pytest.mark.parametrize("app", CASES)
def test_samples_give_what_is_expected(app: str, image: Callable[[str], str], tmp_path: Path) -> None:
    image(app)
    assert _states(app, PROJECT / "include", tmp_path) == dict.fromkeys(CASES[app], "passed")


@pytest.mark.parametrize("app", BROKEN)
def test_a_small_mistake_in_the_script_is_seen(app: str, image: Callable[[str], str], tmp_path: Path) -> None:
    image(app)
    folder = tmp_path / "include" / "apps" / app
    shutil.copytree(APPS / app, folder)
    (script,) = (folder / "app").iterdir()
    sound, mistaken = BROKEN[app]
    assert sound in script.read_text()
    script.write_text(script.read_text().replace(sound, mistaken))
    assert _states(app, tmp_path / "include", tmp_path)[app] == "failed"
