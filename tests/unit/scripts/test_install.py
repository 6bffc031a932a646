"""`scripts/install.py`: uv is told what this machine's pip is told, and where it fails pip does it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from triptych.settings import PROJECT

SCRIPT = PROJECT / "scripts" / "install.py"
PIP_CONF = (
    "[global]\nindex-url = http://127.0.0.1:9/simple\nfind-links = /a /b\ntimeout = 3\n[install]\nconstraint = c.txt\n"
)
STANDS_IN = """
import json, os, sys
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv) + chr(10))
sys.exit({code})
"""


def _install(folder: Path, code: int) -> list[str]:
    """Its calls of uv, with a stand-in that ends with this code; pip is the real one, without any index."""
    (folder / "uv").mkdir(parents=True)
    (folder / "uv" / "__init__.py").touch()  # Without it the real one goes before, where that is installed.
    (folder / "uv" / "__main__.py").write_text(STANDS_IN.format(log=str(folder / "log"), code=code))
    (folder / "pip.conf").write_text(PIP_CONF)
    (folder / "none.txt").write_text("")
    # pip takes the stand-in for installed.
    (folder / "uv-0.13.9.dist-info").mkdir()
    (folder / "uv-0.13.9.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: uv\nVersion: 0.13.9\n")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    own = {"PYTHONPATH": str(folder), "PIP_CONFIG_FILE": str(folder / "pip.conf"), "PIP_EXTRA_INDEX_URL": "http://x"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder / "none.txt")],
        env={**environment, **own},
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    (folder / "stderr").write_text(done.stderr)
    assert done.returncode == 0, done.stderr
    (call,) = (folder / "log").read_text().splitlines()
    arguments: list[str] = json.loads(call)
    return arguments


@pytest.mark.parametrize("code", [0, 2])
def test_uv_is_told_what_pip_is(tmp_path: Path, code: int) -> None:
    (tmp_path / "c.txt").touch()
    arguments = _install(tmp_path, code)
    pairs = set(itertools.pairwise(arguments))
    assert pairs >= {
        ("--default-index", "http://127.0.0.1:9/simple"),
        ("--index", "http://x"),
        ("--find-links", "/a"),
        ("--find-links", "/b"),
        ("--constraints", "c.txt"),
        ("--python", sys.executable),
        ("-r", str(tmp_path / "none.txt")),
    }
    assert "--timeout" not in arguments
    assert ("pip does" in (tmp_path / "stderr").read_text()) == bool(code)
