"""A script of the app's own judges the output: `test/check.py`, run with the folders of the output and the expected."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from triptych.local.testing.difference import Difference

_SHOWN_LINES = 20


def check_output(script: Path, output: Path, expected: Path) -> Difference | None:
    """None when it ends with 0; else the end of what it printed says why. It runs in its own folder, by our Python."""
    command = [sys.executable, str(script.absolute()), str(output), str(expected.absolute())]
    done = subprocess.run(
        command,
        cwd=script.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode == 0:
        return None
    lines = done.stdout.decode("utf-8", "replace").rstrip().splitlines()[-_SHOWN_LINES:]
    told = "\n".join(lines) or f"{script.name} ended with {done.returncode} and said nothing."
    return Difference("", message=f"{script.name}: {told}")
