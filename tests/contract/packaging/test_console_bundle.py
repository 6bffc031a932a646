"""The console's bundle: what its source makes, and what the wheel brings."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.contract.packaging.conftest import Installed
from triptych.settings import PROJECT

SOURCE = PROJECT / "console"
KEPT = PROJECT / "plugins" / "triptych" / "api" / "console" / "static"


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_kept_is_what_the_source_makes(tmp_path: Path) -> None:
    if shutil.which("npm") is None or not (SOURCE / "node_modules" / "esbuild").exists():
        pytest.skip("no bundler: npm ci --prefix console")
    subprocess.run(["node", SOURCE / "build.mjs", tmp_path], check=True, capture_output=True)
    assert _files(tmp_path) == _files(KEPT), "The bundle is not of this source: make console, and commit both."


def test_the_wheel_has_it(bare: Installed) -> None:
    assert _files(bare.site_packages / "triptych" / "api" / "console" / "static") == _files(KEPT)
