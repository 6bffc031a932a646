"""`triptych app test` of one app, as its author calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from triptych.settings import PROJECT


def states(app: str, include: Path, folder: Path, *options: str) -> dict[str, str]:
    """What became of each case, by its label; `folder` is for whatever the command keeps."""
    done = subprocess.run(
        [sys.executable, "-m", "triptych", "app", "test", app, "--include", str(include), "--json", *options],
        cwd=folder,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": str(PROJECT / "plugins")},
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if all(each["state"] == "passed" for each in found["cases"]) else 1), done.stderr
    return {each["case"]: each["state"] for each in found["cases"]}
