"""`triptych doctor` as its user types it, on a machine without an Airflow of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from triptych.errors import ConfigError
from triptych.settings import PROJECT


def _doctor(home: Path, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    own = {f"AIRFLOW__TRIPTYCH__{key.upper()}": value for key, value in settings.items()}
    env = {**kept, "HOME": str(home), "PYTHONPATH": str(PROJECT / "plugins"), **own}
    command = [sys.executable, "-m", "triptych", "doctor", *options]
    return subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, check=False)


def _standings(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {finding["about"]: finding["standing"] for finding in json.loads(done.stdout)}


def test_a_machine_without_airflow_is_looked_at_all_the_same(tmp_path: Path) -> None:
    done = _doctor(tmp_path, "--json", runner="process", scratch=str(tmp_path / "scratch"))
    assert done.returncode == 0, done.stderr
    expected = {"versions": "ok", "scratch": "ok", "engine": "warning", "workspace": "ok", "clock": "ok"}
    assert _standings(done) == {**expected, "airflow": "skipped"}
    # Looking at Airflow would have written one's configuration.
    assert not (tmp_path / "airflow").exists()


@pytest.mark.docker
def test_the_engine_is_told_with_what_it_has(tmp_path: Path) -> None:
    done = _doctor(tmp_path, scratch=str(tmp_path / "scratch"))
    assert done.returncode == 0, done.stdout
    assert f" {os.cpu_count()} cores" in done.stdout
    assert done.stderr == "Nothing is wrong.\n"


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    below = {"workspace": (tmp_path / "file" / "w").as_uri(), "allowed_roots": str(tmp_path)}
    done = _doctor(tmp_path, docker_url="tcp://127.0.0.1:1", scratch=str(tmp_path / "file" / "scratch"), **below)
    assert done.returncode == ConfigError.exit_code
    wrong = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("wrong ")]
    assert wrong == ["scratch", "engine", "workspace"]
    assert "No Docker engine answers at tcp://127.0.0.1:1" in done.stdout
    assert done.stderr == "3 thing(s) wrong.\n"
