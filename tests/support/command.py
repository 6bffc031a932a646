"""The command `triptych`, called inside the test's own process."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from triptych.cli import app


def call(*arguments: str | Path) -> Result:
    """What it printed and its exit code; `triptych` itself is left out of the arguments."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])
