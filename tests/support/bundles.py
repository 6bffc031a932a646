"""DAG bundles of teams, each with a DAG file whose include folder is its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

DAG_FILE = """
import os
os.environ["AIRFLOW__TRIPTYCH__INCLUDE"] = {include!r}
from triptych.airflow.factory import build_dags  # airflow, dag
globals().update(build_dags())
"""


def team_bundle(home: Path, team: str, include: Path) -> dict[str, Any]:
    """What Airflow's `dag_bundle_config_list` has of it; its DAG file lies below `home`."""
    folder = home / "bundles" / team
    folder.mkdir(parents=True)
    (folder / "triptych_jobs.py").write_text(DAG_FILE.format(include=str(include)))
    kind = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return {"name": team, "classpath": kind, "kwargs": {"path": str(folder)}, "team_name": team}
