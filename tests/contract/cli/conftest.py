"""What every test of the command has: an empty home; and a run that failed, for those that ask for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import call
from tests.support.include_folders import write_app

SCRIPT = """
echo "this is chunk $CHUNK_NUMBER"
test "$CHUNK_NUMBER" != 1 || { echo "no good" >&2; exit 3; }
printf 12345 > "$TASK_RESULTS_DIR/r.txt"
"""
THREE = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 3}}, "config": {"chunksPerTask": 3}}


@pytest.fixture(autouse=True)
def _at_home(home: Path) -> None:
    """Each test is in a home of its own, whether it asks for that or not."""


@pytest.fixture
def app(home: Path) -> Path:
    """The app `tried`, which fails at chunk 1, where it is tried twice."""
    write_app(home / "include", SCRIPT, entrypoint="main.sh", manifest={"retries": 1}, template=THREE)
    return home / "include" / "apps" / "tried"


@pytest.fixture
def failed(app: Path) -> str:
    """The id of a run that failed."""
    shown = call("run", "tried", "--runner", "process", "-d", "out")
    assert shown.exit_code == 8
    return shown.stderr.partition("--resume ")[2].split()[0]
