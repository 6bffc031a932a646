"""What `triptych doctor` says where an environment is Airflow's, or of those settings alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from triptych.settings import PROJECT

_JUDGED = """
import dataclasses, json
from triptych.airflow.checkup.configuration import check_configuration, check_shared
from triptych.settings import get_settings
settings = get_settings()
found = [*check_shared(settings), *check_configuration(settings)]
print(json.dumps([dataclasses.asdict(each) for each in found]))
"""


def judged(environment: Mapping[str, str], home: Path) -> list[dict[str, str]]:
    """Without a look at any machine: by a process that has these settings and an empty Airflow home."""
    env = {**os.environ, **environment, "AIRFLOW_HOME": str(home), "PYTHONPATH": str(PROJECT / "plugins")}
    done = subprocess.run([sys.executable, "-c", _JUDGED], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def findings(environment: Mapping[str, str], *options: str) -> tuple[int, list[dict[str, str]]]:
    """The command's exit code, and what it found."""
    command = [sys.executable, "-m", "triptych", "doctor", "--json", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)
